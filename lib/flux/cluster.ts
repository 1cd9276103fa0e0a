// What a delivery needs of a cluster, and what it is about.
import type { ClusterClient } from "../kubernetes/client";
import type { KubernetesObject, ObjectReference } from "../kubernetes/objects";
import { type Identified, qualifiedName } from "../kyverno/identity";
import { fluxManager } from "./comparison";
import type { Observed } from "./observed";

/** The few things that waiting and looking do in a cluster. */
export interface DeliveryCluster {
  /** How messages name it: `cluster dev (https://10.0.0.1:6443)`. */
  readonly shown: string;
  /** Undefined where there is no such object. Error where the cluster does not serve its kind: `kind-unserved`. */
  get(object: Identified): Promise<Observed | undefined>;
  /** Those of all namespaces. Error as above. */
  list(apiVersion: string, kind: string): Promise<readonly Observed[]>;
  /** What the API server would hold after a server-side apply by Flux; nothing is written. */
  dryRun(document: Observed): Promise<Observed>;
  /** Sets one annotation and touches nothing else. */
  annotate(object: Identified, key: string, value: string): Promise<void>;
  serves(apiVersion: string, kind: string): Promise<boolean>;
}

/** One document of an artifact as the cluster is to hold it: patched for the cluster's enforcement. */
export interface DeliveredDocument extends Identified {
  readonly document: Observed;
}

/** One delivery: which objects bring which content. */
export interface Delivery {
  readonly cluster: DeliveryCluster;
  readonly source: Identified;
  readonly kustomization: Identified;
  /** What the Kustomization's {@link ownerAnnotation} says; absent where it has none. */
  readonly owner?: string;
  /** What is to be delivered; absent where the cluster follows a range. */
  readonly digest?: string;
  /** The documents of an artifact. */
  documents(digest: string): Promise<readonly DeliveredDocument[]>;
  /** The stack, for commands in an advice. */
  readonly stack: string;
}

/** Who sets the annotations that ask a controller to look. */
const annotator = "policychain";

export function deliveryCluster(client: ClusterClient): DeliveryCluster {
  return {
    shown: `cluster ${client.context} (${client.server})`,
    get: (object) => client.get(referenceOf(object)),
    list: (apiVersion, kind) => client.list({ apiVersion, kind }),
    dryRun: (document) =>
      client.apply(document as KubernetesObject, { fieldManager: fluxManager, dryRun: true, force: true }),
    annotate: async (object, key, value) => {
      const patch = { metadata: { annotations: { [key]: value } } };
      await client.mergePatch(referenceOf(object), patch, { fieldManager: annotator });
    },
    serves: async (apiVersion, kind) => (await client.served(apiVersion, kind)) !== undefined,
  };
}

/** `ClusterPolicy/no-latest`, `Policy/apps/quota`. */
export function titleOf(object: Identified): string {
  return `${object.kind}/${qualifiedName(object)}`;
}

function referenceOf({ apiVersion, kind, namespace, name }: Identified): ObjectReference {
  return { apiVersion, kind, name, ...(namespace !== "" && { namespace }) };
}
