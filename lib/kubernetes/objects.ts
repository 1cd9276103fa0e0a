// The shapes of the Kubernetes API that the client speaks of; of an object's fields only those that every kind has.

/** Names one object. */
export interface ObjectReference {
  /** `v1`, `source.toolkit.fluxcd.io/v1`. */
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  /** Default: the client's namespace, for kinds that live in one. */
  readonly namespace?: string;
}

export interface ObjectMetadata {
  readonly name: string;
  readonly namespace?: string;
  readonly uid?: string;
  readonly generation?: number;
  readonly resourceVersion?: string;
  readonly deletionTimestamp?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly finalizers?: readonly string[];
  readonly managedFields?: readonly ManagedFields[];
  readonly [field: string]: unknown;
}

/** Which fields one manager has set. */
export interface ManagedFields {
  readonly manager?: string;
  /** `Apply` or `Update`. */
  readonly operation?: string;
  readonly subresource?: string;
  readonly time?: string;
  /** Nested `f:<field>`, `k:<key of a list item>`. */
  readonly fieldsV1?: Readonly<Record<string, unknown>>;
}

/** An object as it is sent or answered. What others wrote into it is not to be trusted: check before use. */
export interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMetadata;
  readonly [field: string]: unknown;
}

/** How the cluster serves a kind. */
export interface ServedKind {
  /** The name in paths: `ocirepositories`. */
  readonly plural: string;
  readonly namespaced: boolean;
  readonly verbs: readonly string[];
}

/** The API's document about a refusal (`kind: Status`), as far as it is used. */
export interface Status {
  readonly code?: number;
  /** `NotFound`, `Conflict`, `Invalid`. */
  readonly reason?: string;
  readonly message?: string;
  readonly details?: {
    readonly name?: string;
    readonly kind?: string;
    readonly retryAfterSeconds?: number;
    readonly causes?: readonly StatusCause[];
  };
}

export interface StatusCause {
  readonly reason?: string;
  readonly message?: string;
  /** `.spec.interval`. */
  readonly field?: string;
}

/** The API group of an `apiVersion`: empty for `v1`. */
export function groupOf(apiVersion: string): string {
  return apiVersion.includes("/") ? apiVersion.slice(0, apiVersion.indexOf("/")) : "";
}
