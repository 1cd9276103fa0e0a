// SDK class of policychain:index:Artifact: the policies of one environment as a Flux artifact in a registry.
import * as pulumi from "@pulumi/pulumi";

/** The layer image of a policy repository. */
export interface ArtifactRepository {
  /** Of its layer image. */
  digest: pulumi.Input<string>;
  /** `host/path` of its layer image. */
  layers: pulumi.Input<string>;
}

/** The image whose gate has passed. */
export interface ArtifactImage {
  /** `host/path`. */
  repository: pulumi.Input<string>;
  digest: pulumi.Input<string>;
}

export interface ArtifactArgs {
  /** Where the artifact is pushed: `host/path`, no tag. */
  repository: pulumi.Input<string>;
  /** Whose policies it holds. Ignored by diff: the digest decides. */
  environment: pulumi.Input<string>;
  /** The policy repositories by name. Ignored by diff. */
  repositories: pulumi.Input<Record<string, pulumi.Input<ArtifactRepository>>>;
  /** The manifest's digest, when it is known before the gate has run; another one than `gated` is refused. Default: `gated`. */
  digest?: pulumi.Input<string>;
  /** The digest that the gate found equal to what it has seen: nothing else is adopted or pushed. Ignored by diff while it is that of `digest`. */
  gated: pulumi.Input<string>;
  /** Digest of the layer, when known. Ignored by diff. */
  revision?: pulumi.Input<string>;
  /** Digest of what the files of charts are rendered from; absent where there are none. Ignored by diff. */
  render?: pulumi.Input<string>;
  /** The image that was tested with these very policies; its helm renders charts. Ignored by diff. */
  image: pulumi.Input<ArtifactImage>;
  /** Kinds that are delivered beside policies. Ignored by diff. Default: none. */
  allow?: pulumi.Input<pulumi.Input<string>[]>;
  /** Absolute path of helm in the image. Ignored by diff. Default `/usr/local/bin/helm`. */
  helm?: pulumi.Input<string>;
  /** Version of Kyverno that the policies are for. Ignored by diff. */
  kyverno?: pulumi.Input<string>;
  /** Allows plain http to the repository's host; loopback always may. Ignored by diff. Default false. */
  insecure?: pulumi.Input<boolean>;
}

export class Artifact extends pulumi.CustomResource {
  readonly repository!: pulumi.Output<string>;
  readonly digest!: pulumi.Output<string>;
  /** Digest of the layer. */
  readonly revision!: pulumi.Output<string>;
  /** `host/path@sha256:…`. */
  readonly reference!: pulumi.Output<string>;

  constructor(name: string, args: ArtifactArgs, options?: pulumi.CustomResourceOptions) {
    const found = { digest: undefined, revision: undefined, reference: undefined };
    super("policychain:index:Artifact", name, { ...found, ...args }, options);
  }
}
