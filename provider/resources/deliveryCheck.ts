// SDK class of policychain:index:DeliveryCheck: whether a cluster can take an artifact, before anything is written to it.
import * as pulumi from "@pulumi/pulumi";

export interface DeliveryCheckArgs {
  /** Path of the kubeconfig, relative to the project's folder. Ignored by diff. Default: KUBECONFIG, then `~/.kube/config`. */
  kubeconfig?: pulumi.Input<string>;
  /** Default: the kubeconfig's current context. */
  context?: pulumi.Input<string>;
  /** Changes when another cluster is meant, as the id of its provider does: how the cluster is reached may change without that. */
  cluster?: pulumi.Input<string>;
  /** Of the Kustomization. */
  namespace: pulumi.Input<string>;
  /** Name of the Kustomization: it is no other owner of its policies. */
  kustomization: pulumi.Input<string>;
  /** What the annotation `policychain.dev/delivery` of the Kustomization says: one of the same delivery under an older name is no other owner. Ignored by diff. */
  owner?: pulumi.Input<string>;
  /** Of the artifact, `host/path`. */
  repository: pulumi.Input<string>;
  /** Of the artifact; absent where the cluster follows a range: then its kinds and owners are not known. */
  digest?: pulumi.Input<string>;
  /** Folder of the artifact that is applied. Default `./`, all of it. */
  path?: pulumi.Input<string>;
  /** `asAuthored`, `audit` or `enforce`. */
  enforcement: pulumi.Input<string>;
  /** Names of policies that keep auditing in a cluster that enforces. Default: none. */
  exceptions?: pulumi.Input<pulumi.Input<string>[]>;
  /** Allows plain http to the registry's host; loopback always may. Ignored by diff. Default false. */
  insecure?: pulumi.Input<boolean>;
}

export class DeliveryCheck extends pulumi.CustomResource {
  readonly repository!: pulumi.Output<string>;
  readonly digest!: pulumi.Output<string | undefined>;

  constructor(name: string, args: DeliveryCheckArgs, options?: pulumi.CustomResourceOptions) {
    super("policychain:index:DeliveryCheck", name, { digest: undefined, ...args }, options);
  }
}
