// SDK class of policychain:index:DeliveredPolicies: what one cluster has taken of an artifact. It writes nothing but a request to Flux.
import * as pulumi from "@pulumi/pulumi";

export interface DeliveredPoliciesArgs {
  /** Path of the kubeconfig, relative to the project's folder. Ignored by diff. Default: KUBECONFIG, then `~/.kube/config`. */
  kubeconfig?: pulumi.Input<string>;
  /** Default: the kubeconfig's current context. Ignored by diff. */
  context?: pulumi.Input<string>;
  /** Changes when another cluster is meant, as the id of its provider does: how the cluster is reached may change without that. */
  cluster?: pulumi.Input<string>;
  /** Of the OCIRepository and the Kustomization. */
  namespace: pulumi.Input<string>;
  /** Name of the OCIRepository. */
  source: pulumi.Input<string>;
  /** Name of the Kustomization. */
  kustomization: pulumi.Input<string>;
  /** What the annotation `policychain.dev/delivery` of the Kustomization says: one of the same delivery under an older name is no other owner. Ignored by diff. */
  owner?: pulumi.Input<string>;
  /** Of the artifact, `host/path`. */
  repository: pulumi.Input<string>;
  /** Of the artifact; absent where the cluster follows a range, and Flux chooses. */
  digest?: pulumi.Input<string>;
  /** Folder of the artifact that is applied. Default `./`, all of it. */
  path?: pulumi.Input<string>;
  /** `asAuthored`, `audit` or `enforce`. */
  enforcement: pulumi.Input<string>;
  /** Names of policies that keep auditing in a cluster that enforces. Default: none. */
  exceptions?: pulumi.Input<pulumi.Input<string>[]>;
  /** What is delivered, by `Kind/name` or `Kind/namespace/name`, each with the text `as delivered`: a refresh puts there what it found instead. */
  policies?: pulumi.Input<Record<string, pulumi.Input<string>>>;
  /** The objects that bring the policies, by kind, each with its uid and generation, or what changes whenever it does: a change is waited for like another digest. */
  objects?: pulumi.Input<Record<string, pulumi.Input<string>>>;
  /** Until a cluster that does not come is an error. Ignored by diff. Default 300. */
  timeoutSeconds?: pulumi.Input<number>;
  /** Allows plain http to the registry's host; loopback always may. Ignored by diff. Default false. */
  insecure?: pulumi.Input<boolean>;
}

/** One policy in a cluster. */
export interface DeliveredPolicy {
  readonly kind: string;
  /** `namespace/name` for one that lives in a namespace. */
  readonly name: string;
  /** `enforce`, `audit`, or both with a comma; empty for what neither refuses nor reports. */
  readonly action: string;
  readonly ready: boolean;
}

export class DeliveredPolicies extends pulumi.CustomResource {
  /** True once all is in place, else the run fails; a refresh that finds a difference makes it false. Unknown in every preview. */
  readonly ready!: pulumi.Output<boolean>;
  /** What Flux applied: `sha256:…`, `v1.2.0@sha256:…` where the cluster follows a range. */
  readonly revision!: pulumi.Output<string>;
  readonly policies!: pulumi.Output<Record<string, string> | undefined>;
  /** The policies as the cluster has them. Unknown in every preview. */
  readonly delivered!: pulumi.Output<DeliveredPolicy[]>;
  /** `OCIRepository/…` and `Kustomization/…` with the text `running`: a refresh puts there what it found instead. */
  readonly flux!: pulumi.Output<Record<string, string>>;
  /** Policies of the same kinds that others brought, by `Kind/name`; never drift. Unknown in every preview. */
  readonly others!: pulumi.Output<string[]>;

  constructor(name: string, args: DeliveredPoliciesArgs, options?: pulumi.CustomResourceOptions) {
    const found = { ready: undefined, revision: undefined, delivered: undefined, flux: undefined, others: undefined };
    super("policychain:index:DeliveredPolicies", name, { policies: undefined, ...args, ...found }, options);
  }
}
