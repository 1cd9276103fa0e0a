// How each delivered document stands in a cluster: as delivered, edited, missing, not taken up by Kyverno yet.

import { PlatformError } from "../errors";
import { type Identified, objectKey } from "../kyverno/identity";
import { isPolicyKind } from "../kyverno/kinds";
import { eachOf } from "../oci/parallel";
import { type DeliveredDocument, type DeliveryCluster, titleOf } from "./cluster";
import { differences, differenceText } from "./comparison";
import { type Observed, textAt } from "./observed";
import { ownerLabels } from "./owners";
import { policyProgress } from "./readiness";

/** What a policy is told to be while nothing is wrong with it. */
export const asDelivered = "as delivered";

export interface Standing extends Identified {
  /** {@link asDelivered}, `missing`, `edited: spec.rules[0].validate.message`, `refused: …`, `not ready: …`. */
  readonly text: string;
  readonly ready: boolean;
  /** Whether a Kustomization that is asked to reconcile puts it right. */
  readonly repairable: boolean;
}

export interface Standings {
  readonly policies: readonly Standing[];
  /** Titles of policies of the same kinds that somebody else brought. */
  readonly others: readonly string[];
}

/** Requests for one cluster at the same time. */
const parallel = 8;

/** Compares every document with the cluster. `kustomization`: the one that applies them. `live`: of {@link liveObjects}. */
export async function standings(
  cluster: DeliveryCluster,
  kustomization: Pick<Identified, "namespace" | "name">,
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

/**
 * By {@link objectKey}: all policies of the documents' kinds, and of what is allowed beside policies the documents' own objects alone,
 * as nobody is to be asked for all Secrets of a cluster. A kind that is not served has none.
 */
export async function liveObjects(
  cluster: DeliveryCluster,
  documents: readonly Identified[],
): Promise<ReadonlyMap<string, Observed>> {
  const isPolicy = ({ apiVersion, kind }: Identified) => isPolicyKind(apiVersion, kind);
  const policies = documents.filter(isPolicy);
  const kinds = new Map(policies.map(({ apiVersion, kind }) => [`${apiVersion}/${kind}`, { apiVersion, kind }]));
  const lists = await mapOf([...kinds.values()], async ({ apiVersion, kind }) =>
    ((await unlessUnserved(cluster.list(apiVersion, kind))) ?? []).map((object) => ({ apiVersion, kind, ...object })),
  );
  const beside = documents.filter((one) => !isPolicy(one));
  const found = await mapOf(beside, async (object): Promise<[string, Observed][]> => {
    const live = await unlessUnserved(cluster.get(object));
    return live === undefined ? [] : [[objectKey(object), live]];
  });
  return new Map([
    ...lists.flat().map((object): [string, Observed] => [objectKey(nameOf(object)), object]),
    ...found.flat(),
  ]);
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

/** Undefined where the cluster does not serve the kind. */
function unlessUnserved<T>(answer: Promise<T>): Promise<T | undefined> {
  return answer.catch((error: unknown) => {
    if (error instanceof PlatformError && error.code === "kind-unserved") return undefined;
    throw error;
  });
}

function nameOf(object: Observed): Identified {
  return {
    apiVersion: textAt(object, "apiVersion"),
    kind: textAt(object, "kind"),
    namespace: textAt(object, "metadata", "namespace"),
    name: textAt(object, "metadata", "name"),
  };
}

/** The document as Flux applies it: without the labels of its Kustomization a dry run would take them away. */
function withOwner(document: Observed, kustomization: Pick<Identified, "namespace" | "name">): Observed {
  const metadata = document.metadata as Observed;
  const labels = { ...(metadata.labels as Observed | undefined), ...ownerLabels(kustomization) };
  return { ...document, metadata: { ...metadata, labels } };
}
