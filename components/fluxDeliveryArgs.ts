// What a FluxDelivery is told about its cluster and its policies, and what that means with all defaults.
import type * as pulumi from "@pulumi/pulumi";
import type { DeliveryArgs, DeliveryFacts } from "../lib/flux/delivery";
import type { HealthCheckExpression } from "../lib/flux/objects";
import type { KyvernoGitArgs } from "./kyverno";

/** A patch of a Kustomization, and the one object that it is for. */
export interface DeliveryPatch {
  patch: string;
  target: { group: string; version: string; kind: string; name: string; namespace?: string };
}

/** What follows from the policies of an artifact: `deliveryFacts` of lib/flux/delivery.ts makes it. */
export interface DeliveryPolicies {
  /** By which the cluster audits or enforces. */
  patches: readonly DeliveryPatch[];
  /** When policies of CEL kinds are ready. */
  healthCheckExprs: readonly HealthCheckExpression[];
  /** `Kind/name` or `Kind/namespace/name` of each policy. */
  names: readonly string[];
}

export interface FluxDeliveryArgs {
  /** Where the artifact is, `host/path`. */
  repository: string;
  /** The artifact. Take it from what comes after the release, so that no cluster gets what is not released. */
  digest: pulumi.Input<string>;
  /** What follows from its policies. */
  policies: pulumi.Input<DeliveryPolicies>;
  /** File with the cluster's address and login; its content never comes into the state. Default: KUBECONFIG, then `~/.kube/config`. */
  kubeconfig?: string;
  /** Default: the kubeconfig's current context. */
  context?: string;
  /** Where Flux's objects are. Default `flux-system`; another one replaces them. */
  namespace?: string;
  /** Declare the namespace too. Default false. */
  createNamespace?: boolean;
  /** Of the Kustomization, and how that of the OCIRepository begins. Default `policies`; another one replaces them. */
  name?: string;
  /** `asAuthored` (default), `audit` or `enforce`: what the patches were made for. */
  enforcement?: string;
  /** Policies that keep auditing where the cluster enforces. Default none. */
  exceptions?: readonly string[];
  /** Range of versions in place of the digest. */
  follow?: string;
  /** Secret that is there, with the login to pull by. One of this, `provider` and `pullSecret` at most. */
  secretRef?: string;
  /** Cloud whose workload identity logs in: `aws`, `azure` or `gcp`. */
  provider?: DeliveryArgs["provider"];
  /** `user:password` or a docker config as JSON, given as a secret; becomes a Secret in the cluster. */
  pullSecret?: pulumi.Input<string>;
  /** Secret that is there with the registry's authority. */
  certSecretRef?: string;
  /** Default `10m`. */
  interval?: string;
  /** Default `30s`. */
  retryInterval?: string;
  /** For Flux, to apply everything and see it ready. Default `2m`. */
  timeout?: string;
  /** For this program, to see all of it. Default 300. */
  timeoutSeconds?: number;
  /** Folder of the artifact. Default `./`. */
  path?: string;
  /** Delete policies that left the artifact. Default true. */
  prune?: boolean;
  /** Kustomizations of the same namespace that come first. Default none. */
  dependsOn?: readonly string[];
  /** Service account that Flux applies as. */
  serviceAccount?: string;
  /** Where Flux gets Kyverno from. Default: it is there already. */
  kyverno?: { chart?: string; git?: KyvernoGitArgs };
  /** Allow this program plain http to a registry that is not on loopback; Flux never may. Default false. */
  insecure?: boolean;
}

/** What does not depend on the artifact, with all defaults. */
export type PlainArgs = Omit<DeliveryArgs, "digest">;

export function plainArgs(args: FluxDeliveryArgs, secretRef = args.secretRef): PlainArgs {
  const { repository, follow, provider, certSecretRef, serviceAccount, kyverno } = args;
  return {
    name: args.name ?? "policies",
    namespace: args.namespace ?? "flux-system",
    createNamespace: args.createNamespace ?? false,
    interval: args.interval ?? "10m",
    retryInterval: args.retryInterval ?? "30s",
    timeout: args.timeout ?? "2m",
    path: args.path ?? "./",
    prune: args.prune ?? true,
    dependsOn: args.dependsOn ?? [],
    ...{ repository, follow, provider, certSecretRef, serviceAccount, kyverno, secretRef },
  };
}

/** Without the names, which are no part of any object. */
export function factsOf({ patches, healthCheckExprs }: DeliveryPolicies): DeliveryFacts {
  return { patches, healthCheckExprs };
}
