// The Kubernetes objects by which Flux delivers an artifact, as plain data: no nulls, no status, no key without a value.
import { isLoopback } from "../oci/hosts";
import { parseRepository } from "../oci/reference";
import type { PolicyDocument } from "./documents";
import type { KustomizePatch } from "./enforcement";

/** Any object; what is below is all of this form. */
export interface DeclaredObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
}

/** A name in the same namespace. */
interface LocalReference {
  readonly name: string;
}

/** How Flux checks a signature before it takes an artifact. */
export interface SourceVerification {
  readonly provider: "cosign" | "notation";
  /** Secret with the public keys. */
  readonly secretRef?: LocalReference;
  /** Regular expressions; one of them must match who signed. */
  readonly matchOIDCIdentity?: readonly { readonly issuer: string; readonly subject: string }[];
}

export interface OciRepositoryArgs {
  readonly name: string;
  readonly namespace: string;
  /** `host/path`. */
  readonly repository: string;
  /** What is pulled: one digest, or the highest version of a range. */
  readonly ref: { readonly digest: string } | { readonly semver: string };
  /** How often Flux looks again; of a digest, whether it is still there. */
  readonly interval: string;
  /** Media type of the one layer that is taken, and whether it is unpacked. */
  readonly layerSelector: { readonly mediaType: string; readonly operation: "extract" | "copy" };
  readonly provider?: "aws" | "azure" | "gcp";
  /** Secret of type dockerconfigjson. */
  readonly secretRef?: string;
  /** Secret with `ca.crt`, or `tls.crt` and `tls.key`. */
  readonly certSecretRef?: string;
  readonly verify?: SourceVerification;
}

/** `suspend: false` is said, so that an object that somebody suspended differs from it. Plain http is for loopback alone. */
export function ociRepository(args: OciRepositoryArgs) {
  const { repository, provider, secretRef, certSecretRef, verify, interval, ref, layerSelector } = args;
  return {
    apiVersion: "source.toolkit.fluxcd.io/v1",
    kind: "OCIRepository",
    metadata: { name: args.name, namespace: args.namespace },
    spec: {
      interval,
      url: `oci://${repository}`,
      ref: { ...ref },
      layerSelector: { ...layerSelector },
      ...(provider !== undefined && { provider }),
      ...(secretRef !== undefined && { secretRef: { name: secretRef } }),
      ...(certSecretRef !== undefined && { certSecretRef: { name: certSecretRef } }),
      ...(verify !== undefined && { verify }),
      ...(isLoopback(parseRepository(repository).registry) && { insecure: true }),
      suspend: false,
    },
  } as const;
}

/** When an object of a kind that says so in its own way is ready. */
export interface HealthCheckExpression {
  readonly apiVersion: string;
  readonly kind: string;
  /** CEL, over the object's own top-level fields. */
  readonly current: string;
}

export interface KustomizationArgs {
  readonly name: string;
  readonly namespace: string;
  readonly source: { readonly kind: "OCIRepository" | "GitRepository"; readonly name: string };
  /** In the artifact, `./…`. */
  readonly path: string;
  readonly prune: boolean;
  readonly interval: string;
  readonly retryInterval: string;
  readonly timeout: string;
  /** Kustomizations of the same namespace. */
  readonly dependsOn?: readonly string[];
  readonly serviceAccount?: string;
  readonly healthCheckExprs?: readonly HealthCheckExpression[];
  readonly patches?: readonly KustomizePatch[];
}

/** `wait` makes Flux look at every object that it applied, so no `healthChecks` are listed. */
export function kustomization(args: KustomizationArgs) {
  const { source, path, prune, interval, retryInterval, timeout, serviceAccount } = args;
  const { dependsOn = [], healthCheckExprs = [], patches = [] } = args;
  return {
    apiVersion: "kustomize.toolkit.fluxcd.io/v1",
    kind: "Kustomization",
    metadata: { name: args.name, namespace: args.namespace },
    spec: {
      ...(dependsOn.length > 0 && { dependsOn: dependsOn.map((name) => ({ name })) }),
      interval,
      retryInterval,
      timeout,
      sourceRef: { ...source },
      path,
      prune,
      wait: true,
      ...(serviceAccount !== undefined && { serviceAccountName: serviceAccount }),
      ...(healthCheckExprs.length > 0 && { healthCheckExprs: [...healthCheckExprs] }),
      ...(patches.length > 0 && { patches: [...patches] }),
      suspend: false,
    },
  } as const;
}

/** Flux waits while an expression is false, or names a field that is not there yet. */
const celReady = "has(status.conditionStatus.ready) && status.conditionStatus.ready";

/** One for each CEL kind of policy among the documents: their readiness is no condition, so Flux cannot see it by itself. */
export function healthCheckExprs(
  documents: readonly Pick<PolicyDocument, "apiVersion" | "kind">[],
): HealthCheckExpression[] {
  const kinds = documents
    .filter(({ apiVersion, kind }) => apiVersion.startsWith("policies.kyverno.io/") && kind !== "PolicyException")
    .map(({ apiVersion, kind }) => `${apiVersion} ${kind}`);
  return [...new Set(kinds)].sort().map((one) => {
    const [apiVersion, kind] = one.split(" ") as [string, string];
    return { apiVersion, kind, current: celReady };
  });
}

export function namespaceObject(name: string) {
  return { apiVersion: "v1", kind: "Namespace", metadata: { name } } as const;
}
