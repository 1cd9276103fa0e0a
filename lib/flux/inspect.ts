// Looks at a delivery without waiting for anything: what of it is not as it was delivered, by name, and whether Flux mends it.
import { PlatformError } from "../errors";
import { printable } from "../printable";
import { type DeliveredDocument, type Delivery, titleOf } from "./cluster";
import { conditionOf, type Observed, textAt } from "./observed";
import { digestOf, kustomizationProgress, sentence, sourceProgress } from "./readiness";
import { asDelivered, liveObjects, type Standings, standings } from "./standing";

/** What an object of Flux is told to be while nothing is wrong with it. */
export const running = "running";

export interface Inspection extends Standings {
  /** Flux's; empty where nothing has been applied. */
  readonly revision: string;
  /** What was looked for; none where a cluster that follows a range has nothing yet, or nobody has the artifact any more. */
  readonly documents: readonly DeliveredDocument[];
  /** `OCIRepository/flux-system/policies` → {@link running}, `missing`, `suspended`, `failing: …`. */
  readonly flux: Readonly<Record<string, string>>;
  /** What becomes of the differences without anybody's doing, a sentence each. */
  readonly notes: readonly string[];
}

/** `documents` is asked for the digest that the cluster has where it follows a range. Errors: those of the cluster. */
export async function inspectDelivery(delivery: Delivery): Promise<Inspection> {
  const { cluster, digest } = delivery;
  const [source, kustomization] = await Promise.all([
    getOrNone(delivery, delivery.source),
    getOrNone(delivery, delivery.kustomization),
  ]);
  const revision = textAt(source, "status", "artifact", "revision");
  const sourceText = textOf(source, sourceProgress(source, { ...(digest !== undefined && { digest }) }));
  const appliedText = textOf(
    kustomization,
    kustomizationProgress(kustomization, { revision: revision || (digest ?? "") }),
  );
  const wanted = digest ?? digestOf(revision);
  const known = wanted === "" ? [] : await delivery.documents(wanted).catch(goneOnly);
  const documents = known ?? [];
  const flux = {
    [titleOf(delivery.source)]: known ? sourceText : "its artifact is not in the registry any more",
    [titleOf(delivery.kustomization)]: appliedText,
  };
  const found = await standings(cluster, delivery.kustomization, documents, await liveObjects(cluster, documents));
  return { revision, documents, flux, ...found, notes: notesOn(found, kustomization, appliedText) };
}

/** Who comes to push an artifact again must not be stopped by its absence. */
function goneOnly(error: unknown): undefined {
  if (!(error instanceof PlatformError) || error.code !== "artifact-missing") throw error;
}

function textOf(object: Observed | undefined, progress: ReturnType<typeof sourceProgress>): string {
  if (progress.state === "ready") return running;
  if (progress.state === "failed") {
    const own: Record<string, string> = { Missing: "missing", Suspended: "suspended", Deleting: "being deleted" };
    return own[progress.reason] ?? printable(progress.message);
  }
  if (progress.state === "retry") return `failing: ${printable(sentence(progress))}`;
  const ready = conditionOf(object, "Ready");
  if (ready?.status === "False") return `failing: ${printable(progress.seen)}`;
  // Between two looks of its controller nothing is wrong: it is busy each interval.
  return ready?.status === "Unknown" ? running : `not ready: ${printable(progress.seen)}`;
}

async function getOrNone({ cluster }: Delivery, object: Delivery["source"]): Promise<Observed | undefined> {
  return (await cluster.serves(object.apiVersion, object.kind)) ? cluster.get(object) : undefined;
}

function notesOn({ policies }: Standings, kustomization: Observed | undefined, state: string): string[] {
  const changed = policies.filter(({ text }) => text !== asDelivered);
  const repairable = changed.filter((one) => one.repairable);
  const stuck = changed.filter((one) => one.text.startsWith("edited") && !one.repairable);
  const interval = textAt(kustomization, "spec", "interval");
  const notes: string[] = [];
  if (repairable.length > 0)
    notes.push(
      state === running
        ? `Flux puts ${titles(repairable)} right by itself within ${interval || "its interval"}; pulumi up --refresh does at once`
        : `Flux does not put ${titles(repairable)} right while its Kustomization is ${state}; pulumi up --refresh does`,
    );
  if (stuck.length > 0)
    notes.push(
      `Flux does not put ${titles(stuck)} right: the field belongs to another manager; take it out with kubectl edit`,
    );
  return notes;
}

function titles(policies: Standings["policies"]): string {
  const shown = policies.slice(0, 3).map(titleOf).join(", ");
  return policies.length > 3 ? `${shown} and ${policies.length - 3} more` : shown;
}
