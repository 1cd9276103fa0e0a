// What must be so in a cluster before it is waited for: its controllers serve the kinds, and nobody else delivers our policies.
import { PlatformError } from "../errors";
import { installationOf } from "../kubernetes/controllers";
import { groupOf } from "../kubernetes/objects";
import { objectKey } from "../kyverno/identity";
import { servedSince } from "../kyverno/kinds";
import { type Delivery, type DeliveryCluster, titleOf } from "./cluster";
import { type ObjectName, sharedObjects } from "./owners";
import { liveObjects } from "./standing";

/** Kinds of Flux that every delivery needs. */
const kustomizationKind = { apiVersion: "kustomize.toolkit.fluxcd.io/v1", kind: "Kustomization" };
const fluxKinds = [{ apiVersion: "source.toolkit.fluxcd.io/v1", kind: "OCIRepository" }, kustomizationKind];

/** Errors: `kind-unserved`, `policy-shared`. */
export async function requireCluster(
  { cluster, kustomization, stack }: Delivery,
  documents: readonly ObjectName[],
): Promise<void> {
  await requireServed(cluster, documents, stack);
  const live = await liveObjects(cluster, documents);
  const kustomizations = await cluster
    .list(kustomizationKind.apiVersion, kustomizationKind.kind)
    .catch((error: unknown) => {
      if (error instanceof PlatformError && error.code === "cluster-forbidden") return undefined;
      throw error;
    });
  const shared = sharedObjects(documents, kustomization, {
    kustomizations,
    live: (object) => live.get(objectKey(object)),
  });
  if (shared.length > 0) throw sharedError(shared, cluster, stack);
}

async function requireServed(cluster: DeliveryCluster, documents: readonly ObjectName[], stack: string): Promise<void> {
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
