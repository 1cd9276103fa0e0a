// All objects of one cluster: where Flux pulls the artifact from, how it applies it, and Kyverno where Flux installs it.
import { titleOf } from "./cluster";
import { documentsBelow, type PolicyDocument } from "./documents";
import { type EnforcementChoice, type KustomizePatch, patchesFor } from "./enforcement";
import { type KyvernoObjects, type KyvernoSource, kyvernoObjects } from "./kyverno";
import { fluxLayerType } from "./mediaTypes";
import {
  type DeclaredObject,
  type HealthCheckExpression,
  healthCheckExprs,
  kustomization,
  namespaceObject,
  ociRepository,
  type SourceVerification,
} from "./objects";

/** What a cluster is to get and how. Times are as Flux takes them: `10m`. */
export interface DeliveryArgs {
  /** Of the Kustomization; that of the OCIRepository begins with it: {@link sourceName}. */
  readonly name: string;
  readonly namespace: string;
  readonly createNamespace: boolean;
  /** Where the artifact is: `host/path`. */
  readonly repository: string;
  /** Digest of the artifact; unused with `follow`. */
  readonly digest: string;
  /** Range of versions in place of the digest. */
  readonly follow?: string;
  readonly secretRef?: string;
  readonly provider?: "aws" | "azure" | "gcp";
  readonly certSecretRef?: string;
  readonly verify?: SourceVerification;
  readonly interval: string;
  readonly retryInterval: string;
  readonly timeout: string;
  readonly path: string;
  readonly prune: boolean;
  readonly dependsOn: readonly string[];
  readonly serviceAccount?: string;
  readonly kyverno?: KyvernoSource;
}

/** What follows from the documents of the artifact: the rest is the same whatever they are. */
export interface DeliveryFacts {
  readonly patches: readonly KustomizePatch[];
  readonly healthCheckExprs: readonly HealthCheckExpression[];
}

/** What a cluster makes of an artifact. */
export interface DeliveryChoice extends EnforcementChoice {
  /** Folder of the artifact that is applied. Default `./`, all of it. */
  readonly path?: string;
}

/** `names`: the objects that the cluster gets, as `Kind/name` or `Kind/namespace/name`. Error: `exception-unknown`. */
export function deliveryFacts(
  documents: readonly PolicyDocument[],
  choice: DeliveryChoice,
): DeliveryFacts & { readonly names: readonly string[] } {
  const below = documentsBelow(documents, choice.path ?? "./");
  return {
    patches: patchesFor(below, choice),
    healthCheckExprs: healthCheckExprs(below),
    names: below.map(titleOf).sort(),
  };
}

export interface DeliveryObjects {
  readonly namespace?: DeclaredObject;
  readonly kyverno?: KyvernoObjects;
  readonly source: ReturnType<typeof ociRepository>;
  readonly kustomization: ReturnType<typeof kustomization>;
}

/**
 * Of the OCIRepository: one of its own for each digest. A Kustomization then changes the content that it applies and its patches in
 * one write, and no patches ever meet content that they were not made for. One that follows a range has no patches, and keeps its name.
 */
export function sourceName({ name, digest, follow }: Pick<DeliveryArgs, "name" | "digest" | "follow">): string {
  return follow === undefined ? `${name}-${digest.slice("sha256:".length, "sha256:".length + 12)}` : name;
}

const fluxLayer = { mediaType: fluxLayerType, operation: "extract" } as const;

/** Pure: equal arguments are equal objects. */
export function deliveryObjects(args: DeliveryArgs, facts: DeliveryFacts): DeliveryObjects {
  const { name, namespace, createNamespace, repository, digest, follow, interval, retryInterval, ...rest } = args;
  const kyverno = rest.kyverno && kyvernoObjects({ ...rest.kyverno, namespace, interval, retryInterval });
  const source = sourceName(args);
  const before = kyverno?.dependency === undefined ? [] : [kyverno.dependency];
  return {
    ...(createNamespace && { namespace: namespaceObject(namespace) }),
    ...(kyverno && { kyverno }),
    source: ociRepository({
      name: source,
      namespace,
      repository,
      ref: follow === undefined ? { digest } : { semver: follow },
      interval,
      layerSelector: fluxLayer,
      ...given({
        provider: rest.provider,
        secretRef: rest.secretRef,
        certSecretRef: rest.certSecretRef,
        verify: rest.verify,
      }),
    }),
    kustomization: kustomization({
      name,
      namespace,
      source: { kind: "OCIRepository", name: source },
      path: rest.path,
      prune: rest.prune,
      interval,
      retryInterval,
      timeout: rest.timeout,
      dependsOn: [...before, ...rest.dependsOn.filter((one) => !before.includes(one))],
      ...given({ serviceAccount: rest.serviceAccount }),
      ...facts,
    }),
  };
}

/** Without what is undefined: no object has a key without a value. */
function given<T extends object>(record: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined)) as never;
}
