// How each delivered document stands in a cluster: as delivered, edited, missing, not taken up by Kyverno yet.
import { PlatformError } from "../errors";
import { objectKey } from "../kyverno/identity";
import { eachOf } from "../oci/parallel";
import { type DeliveredDocument, type DeliveryCluster, titleOf } from "./cluster";
import { differences, differenceText } from "./comparison";
import { type Observed, textAt } from "./observed";
import { type ObjectName, ownerLabels } from "./owners";
import { policyProgress } from "./readiness";

/** What a policy is told to be while nothing is wrong with it. */
export const asDelivered = "as delivered";

export interface Standing extends ObjectName {
  /** {@link asDelivered}, `missing`, `edited: spec.rules[0].validate.message`, `refused: …`, `not ready: …`. */
  readonly text: string;
  readonly ready: boolean;
  /** Whether a Kustomization that is asked to reconcile puts it right. */
  readonly repairable: boolean;
}

export interface Standings {
  readonly policies: readonly Standing[];
  /** Titles of objects of the same kinds that somebody else brought. */
  readonly others: readonly string[];
}

/** Requests for one cluster at the same time. */
const parallel = 8;

/** Compares every document with the cluster. `kustomization`: the one that applies them. `live`: of {@link liveObjects}. */
export async function standings(
  cluster: DeliveryCluster,
  kustomization: Pick<ObjectName, "namespace" | "name">,
  documents: readonly DeliveredDocument[],
  live: ReadonlyMap<string, Observed>,
): Promise<Standings> {
  const policies = await mapOf(documents, async ({ document, ...object }): Promise<Standing> => {
    const { apiVersion, kind, namespace, name } = object;
    const named = { apiVersion, kind, namespace, name };
    const found = live.get(objectKey(object));
    if (!found) return { ...named, text: "missing", ready: false, repairable: true };
    const ready = policyProgress(found);
    const dryRun = await cluster.dryRun(withOwner(document, kustomization)).catch(refusedOnly);
    if (dryRun instanceof PlatformError)
      return { ...named, text: `refused: ${dryRun.problem.what}`, ready: ready.state === "ready", repairable: false };
    const different = differences(found, dryRun);
    if (different.length > 0) {
      const repairable = different.every(({ by }) => by === undefined);
      return { ...named, text: differenceText(different), ready: ready.state === "ready", repairable };
    }
    const text = ready.state === "waiting" ? `not ready: ${ready.seen}` : asDelivered;
    return { ...named, text, ready: ready.state === "ready", repairable: false };
  });
  const ours = new Set(documents.map(objectKey));
  const others = [...live].flatMap(([key, object]) => (ours.has(key) ? [] : [titleOf(nameOf(object))]));
  return { policies, others: others.sort() };
}

/** All objects of the documents' kinds, by {@link objectKey}. A kind that is not served has none. */
export async function liveObjects(
  cluster: DeliveryCluster,
  documents: readonly ObjectName[],
): Promise<ReadonlyMap<string, Observed>> {
  const kinds = new Map(documents.map(({ apiVersion, kind }) => [`${apiVersion}/${kind}`, { apiVersion, kind }]));
  const lists = await mapOf([...kinds.values()], async ({ apiVersion, kind }) =>
    (await cluster.list(apiVersion, kind).catch(noneUnserved)).map((object) => ({ apiVersion, kind, ...object })),
  );
  return new Map(lists.flat().map((object) => [objectKey(nameOf(object)), object]));
}

/** The results in the order of the items. */
async function mapOf<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  await eachOf([...items.entries()], parallel, async ([index, item]) => {
    results[index] = await work(item);
  });
  return results;
}

/** A document that the cluster would not take today is a finding about that document, not a failure to look. */
function refusedOnly(error: unknown): PlatformError {
  if (error instanceof PlatformError && error.code === "cluster-refused") return error;
  throw error;
}

function noneUnserved(error: unknown): readonly Observed[] {
  if (error instanceof PlatformError && error.code === "kind-unserved") return [];
  throw error;
}

function nameOf(object: Observed): ObjectName {
  return {
    apiVersion: textAt(object, "apiVersion"),
    kind: textAt(object, "kind"),
    namespace: textAt(object, "metadata", "namespace"),
    name: textAt(object, "metadata", "name"),
  };
}

/** The document as Flux applies it: without the labels of its Kustomization a dry run would take them away. */
function withOwner(document: Observed, kustomization: Pick<ObjectName, "namespace" | "name">): Observed {
  const metadata = document.metadata as Observed;
  const labels = { ...(metadata.labels as Observed | undefined), ...ownerLabels(kustomization) };
  return { ...document, metadata: { ...metadata, labels } };
}
