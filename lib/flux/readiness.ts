// What the status of Flux's objects and of policies says about one delivery: there, still going on, or failed. The rules are those
// of source-controller 1.9.0 and kustomize-controller 1.7.3: a condition counts for the generation that it names, a failure
// counts only when Flux tried after it was asked to, and `.status.observedGeneration` of a Kustomization moves at success alone.
import { passes } from "./failures";
import { conditionOf, numberAt, type Observed, textAt, valueAt } from "./observed";

/** How far one object is. */
export type Progress =
  | { readonly state: "ready"; readonly revision: string }
  /** It may come by itself. */
  | { readonly state: "waiting"; readonly seen: string }
  /** Flux is to try once more: it failed for a reason that may pass, or has not tried since it was asked (`old`). */
  | { readonly state: "retry"; readonly old: boolean; readonly reason: string; readonly message: string }
  /** It does not come without somebody's doing. `reason` is Flux's own, or one of those of {@link Obstacle}. */
  | { readonly state: "failed"; readonly reason: string; readonly message: string };

/** Reasons that are no reasons of Flux. */
export type Obstacle = "Missing" | "Deleting" | "Suspended" | "OtherDigest";

/** The annotation that asks a Flux controller to look at an object now; `.status.lastHandledReconcileAt` echoes its value. */
export const requestAnnotation = "reconcile.fluxcd.io/requestedAt";

/** What this run knows of an object beside its status: which of its failures are news. */
export interface Asked {
  /** What {@link requestAnnotation} was last set to; a failure counts when it was answered, and so does a source that is ready. */
  readonly requested?: string;
  /** Without a request: whether it was seen going on before. */
  readonly watched?: boolean;
}

/** How far an OCIRepository is. `digest`: what it must have stored, absent where it follows a range. */
export function sourceProgress(
  source: Observed | undefined,
  { digest, ...asked }: Asked & { readonly digest?: string },
): Progress {
  const obstacle = obstacleOf(source);
  if (obstacle) return obstacle;
  const named = textAt(source, "spec", "ref", "digest");
  if (digest !== undefined && named !== digest) {
    return { state: "failed", reason: "OtherDigest", message: `it names ${named || "no digest"} instead of ${digest}` };
  }
  const revision = textAt(source, "status", "artifact", "revision");
  const stored = digest === undefined ? revision !== "" : digestOf(revision) === digest;
  const answered =
    asked.requested === undefined || textAt(source, "status", "lastHandledReconcileAt") === asked.requested;
  if (isReady(source) && stored && answered) return { state: "ready", revision };
  return verdict(source!, asked, () => true);
}

/** How far a Kustomization is on its way to `revision`, the one that its source has stored. */
export function kustomizationProgress(
  kustomization: Observed | undefined,
  { revision, ...asked }: Asked & { readonly revision: string },
): Progress {
  const obstacle = obstacleOf(kustomization);
  if (obstacle) return obstacle;
  const applied = textAt(kustomization, "status", "lastAppliedRevision");
  if (isReady(kustomization) && applied === revision) return { state: "ready", revision };
  return verdict(
    kustomization!,
    asked,
    ({ reason }) =>
      !waitsForOthers.has(reason) && textAt(kustomization, "status", "lastAttemptedRevision") === revision,
  );
}

/** Whether Kyverno serves a policy. Kinds that have no readiness are ready when they are there. */
export function policyProgress(policy: Observed | undefined): Progress {
  if (policy === undefined) return { state: "waiting", seen: "is not in the cluster" };
  const revision = textAt(policy, "metadata", "resourceVersion");
  const [group = ""] = textAt(policy, "apiVersion").split("/");
  const kind = textAt(policy, "kind");
  if (group === "kyverno.io" && (kind === "ClusterPolicy" || kind === "Policy")) {
    const ready = conditionOf(policy, "Ready");
    if (ready?.status === "True") return { state: "ready", revision };
    return { state: "waiting", seen: ready ? sentence(ready) : "Kyverno has not looked at it" };
  }
  if (group === "policies.kyverno.io" && kind !== "PolicyException") {
    if (valueAt(policy, "status", "conditionStatus", "ready") === true) return { state: "ready", revision };
    const message = textAt(policy, "status", "conditionStatus", "message");
    const known = valueAt(policy, "status", "conditionStatus") !== undefined;
    return { state: "waiting", seen: known ? `not ready${message && `: ${message}`}` : "Kyverno has not looked at it" };
  }
  return { state: "ready", revision };
}

/** The digest in a revision: `sha256:…` for a reference by digest, `v1.2.0@sha256:…` for a tag. Empty where there is none. */
export function digestOf(revision: string): string {
  return /(?:^|@)(sha256:[0-9a-f]{64})$/.exec(revision)?.[1] ?? "";
}

/** Reasons of a Kustomization that something else must end: its source, another Kustomization. */
const waitsForOthers: ReadonlySet<string> = new Set(["DependencyNotReady", "ArtifactFailed"]);

function obstacleOf(object: Observed | undefined): Progress | undefined {
  const failed = (reason: Obstacle, message: string): Progress => ({ state: "failed", reason, message });
  if (object === undefined) return failed("Missing", "it is not in the cluster");
  if (textAt(object, "metadata", "deletionTimestamp") !== "") return failed("Deleting", "it is being deleted");
  if (valueAt(object, "spec", "suspend") === true) return failed("Suspended", "it is suspended");
  return undefined;
}

function isReady(object: Observed | undefined): boolean {
  const generation = numberAt(object, "metadata", "generation");
  const ready = conditionOf(object, "Ready");
  return (
    ready?.status === "True" &&
    ready.generation === generation &&
    numberAt(object, "status", "observedGeneration") === generation
  );
}

/** What an object that is not ready says; `counts` tells whether a failure is about what is waited for. */
function verdict(
  object: Observed,
  { requested, watched = false }: Asked,
  counts: (failure: { readonly reason: string }) => boolean,
): Progress {
  const generation = numberAt(object, "metadata", "generation");
  const stalled = conditionOf(object, "Stalled");
  const ready = conditionOf(object, "Ready");
  if (!ready) return { state: "waiting", seen: "no controller has looked at it" };
  if (ready.generation !== generation) return { state: "waiting", seen: "its controller has not seen the last change" };
  const isStalled = stalled?.status === "True" && stalled.generation === generation;
  const failure = isStalled ? stalled : ready;
  if (!isStalled && (ready.status !== "False" || !counts(ready))) {
    const busy = conditionOf(object, "Reconciling");
    return { state: "waiting", seen: sentence(ready.status === "False" ? ready : (busy ?? ready)) };
  }
  const fresh = requested === undefined ? watched : textAt(object, "status", "lastHandledReconcileAt") === requested;
  const { reason, message } = failure;
  if (!fresh || (!isStalled && passes(reason, message))) return { state: "retry", old: !fresh, reason, message };
  return { state: "failed", reason, message };
}

/** `BuildFailed: kustomize build failed`. */
export function sentence({ reason, message }: { readonly reason: string; readonly message: string }): string {
  return message === "" ? reason : `${reason}: ${message}`;
}
