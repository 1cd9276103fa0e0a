// What the resources of a delivery have in common: their inputs, the cluster they reach, and the documents it is to hold.
import { type DeliveredDocument, type Delivery, deliveryCluster } from "../lib/flux/cluster";
import { documentsBelow } from "../lib/flux/documents";
import { applied, Enforcement, patchesFor } from "../lib/flux/enforcement";
import { requireCluster } from "../lib/flux/preconditions";
import { readArtifact } from "../lib/flux/read";
import { connectCluster } from "../lib/kubernetes/client";
import type { Digest } from "../lib/oci/digest";
import { parseRepository } from "../lib/oci/reference";
import { stackOf } from "../lib/urn";
import { isUnknown, type ResourceContext, unwrapSecrets, type Values } from "./host";
import { requireDigest } from "./inputs";
import { registryClient } from "./registry";

export interface DeliveryInputs {
  readonly kubeconfig?: string;
  readonly context?: string;
  /** Whose change means another cluster. */
  readonly cluster?: string;
  readonly namespace: string;
  /** Default: as the Kustomization. */
  readonly source?: string;
  readonly kustomization: string;
  readonly owner?: string;
  readonly repository: string;
  readonly digest?: Digest;
  readonly path?: string;
  readonly enforcement: Enforcement;
  readonly exceptions?: readonly string[];
  readonly insecure?: boolean;
}

export const deliveryParsers = {
  namespace: requireName,
  source: requireName,
  kustomization: requireName,
  repository: parseRepository,
  digest: requireDigest,
  enforcement: requireEnforcement,
};

/** How a cluster and a registry are reached differs between machines, and is no change. */
export const deliveryIgnored = ["kubeconfig", "insecure", "owner"];

/** None while a part of it is unknown. */
export function deliveryId({ namespace, kustomization }: Values): string {
  if (isUnknown(namespace) || isUnknown(kustomization)) return "";
  return `${String(unwrapSecrets(namespace))}/${String(unwrapSecrets(kustomization))}`;
}

/** Refuses what cannot come: kinds that are not served, policies that others deliver, exceptions that name none. */
export async function requirePossible(delivery: Delivery): Promise<void> {
  await requireCluster(delivery, delivery.digest === undefined ? [] : await delivery.documents(delivery.digest));
}

/** Reaches the cluster; nothing is asked of it yet. Errors: those of the kubeconfig. */
export async function openDelivery(context: ResourceContext, wanted: DeliveryInputs): Promise<Delivery> {
  const { kubeconfig, context: name, namespace, kustomization, source = kustomization, digest, owner } = wanted;
  const client = await connectCluster({
    ...(kubeconfig !== undefined && { kubeconfig }),
    ...(name !== undefined && { context: name }),
    namespace,
    signal: context.signal,
  });
  // A wait asks for them at each look.
  const known = new Map<string, Promise<readonly DeliveredDocument[]>>();
  const documents = (of: string) => {
    const found = known.get(of) ?? documentsOf(context, wanted, of as Digest);
    known.set(of, found);
    found.catch(() => known.delete(of));
    return found;
  };
  return {
    cluster: deliveryCluster(client),
    source: { apiVersion: "source.toolkit.fluxcd.io/v1", kind: "OCIRepository", namespace, name: source },
    kustomization: {
      ...{ apiVersion: "kustomize.toolkit.fluxcd.io/v1", kind: "Kustomization", namespace, name: kustomization },
    },
    ...(digest !== undefined && { digest }),
    ...(owner !== undefined && { owner }),
    documents,
    stack: stackOf(context.urn),
  };
}

/** Documents of artifacts that this process has read, by repository and digest: many clusters get the same one. */
const read = new Map<string, ReturnType<typeof readArtifact>>();

/** As the cluster is to hold them. Errors: those of `readArtifact`, `exception-unknown`. */
async function documentsOf(
  context: ResourceContext,
  { repository, insecure, path = "./", ...choice }: DeliveryInputs,
  digest: Digest,
): Promise<readonly DeliveredDocument[]> {
  const key = `${repository}@${digest}`;
  const parsed = parseRepository(repository);
  const known = read.get(key) ?? readArtifact(registryClient(context, insecure, [parsed]), parsed, digest);
  read.set(key, known);
  const { documents } = await known.catch((error: unknown) => {
    read.delete(key);
    throw error;
  });
  const below = documentsBelow(documents, path);
  patchesFor(below, choice);
  return below.map((document) => {
    const { apiVersion, kind, namespace, name } = document;
    return { apiVersion, kind, namespace, name, document: applied(document, choice) };
  });
}

/** RFC 1123, as Kubernetes names objects. */
function requireName(text: string): void {
  if (!/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/.test(text))
    throw new Error("is no name of Kubernetes: small letters, digits, - and ., at most 253");
}

function requireEnforcement(text: string): void {
  const known = Object.values(Enforcement) as string[];
  if (!known.includes(text)) throw new Error(`is not one of ${known.join(", ")}`);
}
