// How a cluster tells objects apart, in one way for everything that compares documents with each other and with a cluster.
import { groupOf } from "../kubernetes/objects";
import { isClusterScoped, isPolicyKind } from "./kinds";

/** What names an object; its version does not tell it from another one. */
export interface Identified {
  readonly apiVersion: string;
  readonly kind: string;
  /** As it is written; empty where none is. */
  readonly namespace: string;
  readonly name: string;
}

/** Empty for a policy of the whole cluster: where it names a namespace, the API server takes it away. */
export function namespaceOf({ apiVersion, kind, namespace }: Omit<Identified, "name">): string {
  return isPolicyKind(apiVersion, kind) && isClusterScoped(apiVersion, kind) ? "" : namespace;
}

/** Equal for two that a cluster takes for one. */
export function objectKey(object: Identified): string {
  return JSON.stringify([groupOf(object.apiVersion), object.kind, namespaceOf(object), object.name]);
}

/** As sentences name it: `ClusterPolicy no-latest`, `Policy apps/quota`. */
export function objectTitle(object: Identified): string {
  return `${object.kind} ${qualifiedName(object)}`;
}

/** `no-latest`, `apps/quota`. */
export function qualifiedName(object: Identified): string {
  const namespace = namespaceOf(object);
  return namespace === "" ? object.name : `${namespace}/${object.name}`;
}
