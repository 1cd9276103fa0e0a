// What must be so in a cluster before it is waited for: its controllers serve the kinds, and nobody else delivers our policies.

import { PlatformError } from "../errors";
import { installationOf } from "../kubernetes/controllers";
import { groupOf } from "../kubernetes/objects";
import { type Identified, objectKey } from "../kyverno/identity";
import { servedSince } from "../kyverno/kinds";
import { isRecord } from "../record";
import { type DeliveredDocument, type Delivery, type DeliveryCluster, titleOf } from "./cluster";
import { sharedObjects } from "./owners";
import { liveObjects } from "./standing";

/** Kinds of Flux that every delivery needs. */
const kustomizationKind = { apiVersion: "kustomize.toolkit.fluxcd.io/v1", kind: "Kustomization" };
const fluxKinds = [{ apiVersion: "source.toolkit.fluxcd.io/v1", kind: "OCIRepository" }, kustomizationKind];

/** Errors: `kind-unserved`, `policy-shared`, and `cluster-forbidden` where this login could not compare what Flux applied. */
export async function requireCluster(
  { cluster, kustomization, owner, stack }: Delivery,
  documents: readonly DeliveredDocument[],
): Promise<void> {
  await requireServed(cluster, documents, stack);
  const live = await liveObjects(cluster, documents);
  const kustomizations = await cluster
    .list(kustomizationKind.apiVersion, kustomizationKind.kind)
    .catch((error: unknown) => {
      if (error instanceof PlatformError && error.code === "cluster-forbidden") return undefined;
      throw error;
    });
  const own = { ...kustomization, ...(owner !== undefined && { owner }) };
  const shared = sharedObjects(documents, own, {
    kustomizations,
    live: (object) => live.get(objectKey(object)),
  });
  if (shared.length > 0) throw sharedError(shared, cluster, stack);
  await requireRights(cluster, documents);
}

/** A dry run for one document of each kind: after Flux has applied them all, it would be late to find out. */
async function requireRights(cluster: DeliveryCluster, documents: readonly DeliveredDocument[]): Promise<void> {
  const kinds = new Map(documents.map((one) => [`${one.apiVersion} ${one.kind}`, one.document]));
  for (const document of kinds.values())
    await cluster.dryRun(document).catch((error: unknown) => {
      // What the cluster refuses of the document itself, Flux says better.
      if (!(error instanceof PlatformError) || error.code === "cluster-forbidden") throw error;
    });
}

/** Refuses to go where Flux would leave the policies. Error: `flux-suspended`. */
export async function requirePruned({ cluster, kustomization, stack }: Delivery): Promise<void> {
  const { spec } = (await cluster.get(kustomization)) ?? {};
  if (!isRecord(spec) || spec.suspend !== true || spec.prune !== true) return;
  throw new PlatformError("flux-suspended", {
    what: `${titleOf(kustomization)} in ${cluster.shown} is suspended: its policies would stay when it is deleted`,
    rule: "Flux takes along what a Kustomization applied only while that is not suspended",
    fix: `ask who suspended it, then run pulumi up --refresh --stack ${stack}, which resumes it, and destroy it then`,
  });
}

async function requireServed(cluster: DeliveryCluster, documents: readonly Identified[], stack: string): Promise<void> {
  const kinds = new Map([...fluxKinds, ...documents].map((one) => [`${one.kind} of ${one.apiVersion}`, one]));
  const unserved: string[] = [];
  const advice = new Set<string>();
  for (const [title, { apiVersion, kind }] of kinds) {
    if (await cluster.serves(apiVersion, kind)) continue;
    unserved.push(title);
    advice.add(installAdvice(apiVersion, kind));
  }
  if (unserved.length === 0) return;
  throw new PlatformError("kind-unserved", {
    what: `${cluster.shown} does not serve ${unserved.join(", ")}`,
    rule: "a cluster has the controllers for what is delivered to it",
    fix: `${[...advice].join("; ")}; then run pulumi up --stack ${stack}`,
  });
}

function installAdvice(apiVersion: string, kind: string): string {
  const since = servedSince(apiVersion, kind);
  const advice = installationOf(groupOf(apiVersion));
  return since === undefined ? advice : `${advice}; ${kind} of ${apiVersion} needs Kyverno 1.${since} or later`;
}

function sharedError(shared: ReturnType<typeof sharedObjects>, cluster: DeliveryCluster, stack: string): PlatformError {
  const titles = shared.slice(0, 3).map(({ object, owner }) => `${titleOf(object)} (${owner})`);
  const more = shared.length > titles.length ? ` and ${shared.length - titles.length} more` : "";
  return new PlatformError("policy-shared", {
    what: `others deliver policies of this artifact to ${cluster.shown}: ${titles.join(", ")}${more}`,
    rule: "a policy has one owner in a cluster, as two undo each other at every interval",
    fix: `take the policies, or the whole delivery, out of one of the two, or choose another cluster for stack ${stack}`,
  });
}
