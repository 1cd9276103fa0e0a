// Waits until a cluster has what was released: the source stored at this digest, this revision applied, every policy as delivered
// and taken up by Kyverno. It ends early where Flux says that it will not come.
import { setTimeout as sleep } from "node:timers/promises";
import { PlatformError } from "../errors";
import { isAway } from "../kubernetes/errors";
import { type Identified, objectKey } from "../kyverno/identity";
import { printable } from "../printable";
import { type Delivery, titleOf } from "./cluster";
import { type DeliveryFailure, deliveryFailed, deliverySlow, unanswered } from "./failures";
import {
  type Asked,
  digestOf,
  kustomizationProgress,
  type Progress,
  policyProgress,
  requestAnnotation,
  sentence,
  sourceProgress,
} from "./readiness";
import { asDelivered, liveObjects, type Standings, standings } from "./standing";

export interface AwaitOptions {
  /** Seconds until `delivery-timeout`. */
  readonly seconds: number;
  readonly signal: AbortSignal;
  /** Takes passing lines about what is waited for. */
  readonly progress: (text: string) => void;
  /** Whether the source is to be pulled once more, though it may be stored already: its login is another one. Default false. */
  readonly again?: boolean;
  /** Milliseconds between two looks in the first ten seconds, four times that later on. Default 250. */
  readonly pause?: number;
  /** Milliseconds between two requests to one controller. Default 5000. */
  readonly patience?: number;
}

/** What a cluster has taken. */
export interface Delivered extends Standings {
  /** Flux's: `sha256:…`, `v1.2.0@sha256:…` where it follows a range. */
  readonly revision: string;
  /** Of the artifact. */
  readonly digest: string;
}

/** One step that is not done. */
interface Pending {
  readonly subject: string;
  readonly seen: string;
  /** Where Flux has tried and failed for a reason that may pass. */
  readonly failure?: DeliveryFailure;
}

/**
 * Resolves when everything is in place. Errors: those of {@link deliveryFailed} and of the cluster, `delivery-timeout`,
 * `policy-edited` where somebody's change stays although Flux has applied again, `policy-uncompared` where the cluster would not take a document.
 */
export async function awaitDelivery(delivery: Delivery, options: AwaitOptions): Promise<Delivered> {
  const { seconds, signal, progress, again = false, pause = 250, patience = 5000 } = options;
  const started = performance.now();
  const elapsed = () => performance.now() - started;
  const source = asker(delivery, delivery.source, patience);
  const kustomization = asker(delivery, delivery.kustomization, patience);
  let pending: Pending = { subject: titleOf(delivery.source), seen: "the cluster has not answered" };
  for (let looks = 0; ; looks++) {
    signal.throwIfAborted();
    try {
      if (again && looks === 0) await source.request();
      const found = await before(seconds * 1000 - elapsed(), look(delivery, source, kustomization));
      if (found === undefined) throw late(pending, seconds, delivery);
      if ("revision" in found) return found;
      pending = found;
    } catch (error) {
      // A cluster that answered once in this run may be away for a moment.
      if (looks === 0 || !isAway(error)) throw error;
      pending = { ...pending, seen: error.message };
    }
    progress(`waiting for ${pending.subject}: ${printable(pending.seen)}`);
    if (elapsed() > seconds * 1000) throw late(pending, seconds, delivery);
    await sleep(elapsed() < 10_000 ? pause : 4 * pause, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

/** Undefined once the time is over: a cluster that answers slowly makes no wait longer. */
async function before<T>(milliseconds: number, work: Promise<T>): Promise<T | undefined> {
  const ended = new AbortController();
  const over = sleep(Math.max(milliseconds, 0), undefined, { signal: ended.signal }).catch(() => undefined);
  try {
    return await Promise.race([work, over]);
  } finally {
    ended.abort();
    work.catch(() => undefined);
  }
}

type Asker = ReturnType<typeof asker>;

/** What this run has asked of one controller. */
function asker({ cluster, stack }: Delivery, object: Identified, patience: number) {
  let requested: string | undefined;
  let watched = false;
  let last = Number.NEGATIVE_INFINITY;
  return {
    object,
    get asked(): Asked {
      return { watched, ...(requested !== undefined && { requested }) };
    },
    /** Asks for another try where a failure was seen, but not all the time. */
    async request(): Promise<void> {
      if (performance.now() - last < patience) return;
      last = performance.now();
      const value = new Date().toISOString();
      await cluster.annotate(object, requestAnnotation, value);
      requested = value;
    },
    /** Asks for what is needed, throws where nothing helps, and says what is pending. */
    async judge(progress: Exclude<Progress, { readonly state: "ready" }>): Promise<Pending> {
      const subject = titleOf(object);
      if (progress.state === "waiting") {
        watched = true;
        return { subject, seen: progress.seen };
      }
      const { namespace, name, kind } = object;
      const { reason, message } = progress;
      const failure = { kind: kind as DeliveryFailure["kind"], namespace, name, reason, message };
      if (progress.state === "failed") throw deliveryFailed(failure, { stack, cluster: cluster.shown });
      await this.request();
      const seen = sentence(failure);
      return progress.old ? { subject, seen: `${unanswered}; before: ${seen}` } : { subject, seen, failure };
    },
  };
}

async function look(delivery: Delivery, source: Asker, kustomization: Asker): Promise<Delivered | Pending> {
  const { cluster, digest } = delivery;
  const stored = sourceProgress(await cluster.get(source.object), {
    ...source.asked,
    ...(digest !== undefined && { digest }),
  });
  if (stored.state !== "ready") return source.judge(stored);
  const { revision } = stored;
  const applied = kustomizationProgress(await cluster.get(kustomization.object), { ...kustomization.asked, revision });
  if (applied.state !== "ready") return kustomization.judge(applied);
  const has = digestOf(revision);
  const documents = await delivery.documents(has);
  const live = await liveObjects(cluster, documents);
  for (const document of documents) {
    const found = live.get(objectKey(document));
    const ready = found && policyProgress(found);
    if (ready?.state === "waiting") return { subject: titleOf(document), seen: ready.seen };
  }
  const found = await standings(cluster, kustomization.object, documents, live);
  const open = found.policies.filter(({ text }) => text !== asDelivered);
  if (open.length === 0) return { revision, digest: has, ...found };
  const refused = open.find(({ text }) => text.startsWith("refused"));
  if (refused) throw notTaken(delivery, titleOf(refused), refused.text);
  const stuck = open.find(({ text, repairable }) => text.startsWith("edited") && !repairable);
  if (stuck) throw edited(delivery, titleOf(stuck), stuck.text);
  if (open.some(({ repairable }) => repairable)) await kustomization.request();
  const [first] = open;
  const more = open.length > 1 ? ` and ${open.length - 1} more` : "";
  return { subject: `${titleOf(first!)}${more}`, seen: first!.text };
}

function late({ failure, ...waited }: Pending, seconds: number, { stack, cluster }: Delivery): PlatformError {
  const advice = { stack, cluster: cluster.shown };
  return failure ? deliveryFailed(failure, advice) : deliverySlow({ ...waited, seconds }, advice);
}

function notTaken({ cluster, stack }: Delivery, title: string, text: string): PlatformError {
  return new PlatformError("policy-uncompared", {
    what: `${title} in ${cluster.shown} cannot be compared with its document: a dry run of it is ${text}`,
    rule: "a policy counts as delivered when it is what the cluster would make of its document today",
    fix: `mend what it says, or let this login apply policies as Flux may, then run pulumi up --stack ${stack}`,
  });
}

function edited({ cluster, stack }: Delivery, title: string, text: string): PlatformError {
  return new PlatformError("policy-edited", {
    what: `${title} in ${cluster.shown} is not as delivered: ${text}`,
    rule: "Flux leaves a field alone that another manager put beside those of the policy",
    fix: `take the field out with kubectl edit, then run pulumi up --refresh --stack ${stack}`,
  });
}
