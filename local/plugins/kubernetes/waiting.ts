// Waits for an object to be as its annotation says, or to be gone, by short polling: what one sees in a second a person can wait for.
import { setTimeout as sleep } from "node:timers/promises";
import { PlatformError } from "../../../lib/errors";
import type { ClusterClient } from "../../../lib/kubernetes/client";
import { isAway } from "../../../lib/kubernetes/errors";
import type { KubernetesObject, ObjectReference } from "../../../lib/kubernetes/objects";
import { printable } from "../../../lib/printable";
import type { ResourceContext } from "../../../provider/host";
import type { Condition } from "./conditions";
import { idOf } from "./state";

const firstPauseMs = 100;
const longestPauseMs = 2000;

/** A failed wait, with the last that was seen of the object. */
export class NotReady extends Error {
  constructor(
    readonly live: KubernetesObject,
    override readonly cause: unknown,
  ) {
    super("not ready");
  }
}

/** Resolves with the object when all conditions are met; else {@link NotReady} after `time` milliseconds or at a stop. */
export async function untilReady(
  client: ClusterClient,
  context: ResourceContext,
  object: KubernetesObject,
  conditions: readonly Condition[],
  time: number,
): Promise<KubernetesObject> {
  const end = Date.now() + time;
  let live = object;
  let away = "";
  for (let pause = firstPauseMs; ; pause = Math.min(pause * 1.5, longestPauseMs)) {
    const missing = conditions.map((one) => ({ ...one.look(live), text: one.text })).filter(({ met }) => !met);
    if (missing.length === 0) return live;
    const seen = `${missing.map(({ text, found }) => `${text} (found ${printable(found, 700)})`).join(", ")}${away}`;
    if (Date.now() >= end) throw new NotReady(live, notReady(live, seen, time));
    context.progress(`waiting for ${seen}`);
    try {
      await pauseFor(Math.min(pause, Math.max(0, end - Date.now())), context.signal);
      const found = await client.get(reference(object), { signal: context.signal });
      if (!found) throw goneMeanwhile(live);
      live = found;
      away = "";
    } catch (error) {
      if (context.signal.aborted) throw new NotReady(live, notReady(live, seen, undefined));
      // The cluster took the object a moment ago; what is waited for may be the very thing that keeps its API server busy.
      if (!isAway(error)) throw new NotReady(live, error);
      away = `; since then ${error.problem.what}`;
    }
  }
}

/** Resolves when the object is gone, or another one has taken its name. */
export async function untilGone(
  client: ClusterClient,
  context: ResourceContext,
  which: ObjectReference,
  uid: string | undefined,
  time: number,
): Promise<void> {
  const end = Date.now() + time;
  for (let pause = firstPauseMs; ; pause = Math.min(pause * 1.5, longestPauseMs)) {
    try {
      const live = await client.get(which, { signal: context.signal });
      if (!live || (uid !== undefined && live.metadata.uid !== uid)) return;
      const held = (live.metadata.finalizers ?? []).slice(0, 10).map((one) => printable(one, 100));
      if (Date.now() >= end) throw notDeleted(live, held, time);
      context.progress(`waiting for the deletion${held.length > 0 ? `, held by ${held.join(", ")}` : ""}`);
    } catch (error) {
      if (!isAway(error) || Date.now() >= end) throw error;
      context.progress(`waiting for the deletion: ${error.problem.what}`);
    }
    await pauseFor(Math.min(pause, Math.max(0, end - Date.now())), context.signal);
  }
}

function pauseFor(milliseconds: number, signal: AbortSignal): Promise<void> {
  return sleep(milliseconds, undefined, { signal });
}

function reference({ apiVersion, kind, metadata: { name, namespace } }: KubernetesObject): ObjectReference {
  return { apiVersion, kind, name, namespace };
}

function notReady(live: KubernetesObject, seen: string, time: number | undefined): PlatformError {
  const how = time === undefined ? "was not waited for to the end" : `is not ready after ${time / 1000} s`;
  return new PlatformError("object-not-ready", {
    what: `${live.kind} ${idOf(live)} ${how}: ${seen}`,
    rule: "an object is ready when all conditions of its annotation pulumi.com/waitFor are met",
    fix: `mend what its status says, then run the command again; pulumi.com/timeoutSeconds waits longer`,
  });
}

function goneMeanwhile(live: KubernetesObject): PlatformError {
  return new PlatformError("object-gone", {
    what: `${live.kind} ${idOf(live)} was deleted while it was waited for`,
    rule: "what a stack has made stays until the stack takes it away",
    fix: "find out who deletes it, then run the command again",
  });
}

function notDeleted(live: KubernetesObject, held: readonly string[], time: number): PlatformError {
  return new PlatformError("object-not-deleted", {
    what: `${live.kind} ${idOf(live)} is not gone after ${time / 1000} s${held.length > 0 ? `: held by the finalizers ${held.join(", ")}` : ""}`,
    rule: "an object goes when its finalizers and, in the foreground, the objects that it owns are gone",
    fix: "see that the controllers of these finalizers run, then run the command again; pulumi.com/deletionPropagationPolicy: background does not wait for owned objects",
  });
}
