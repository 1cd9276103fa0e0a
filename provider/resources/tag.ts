// SDK class of policychain:index:Tag: one tag in a role on one digest.
import * as pulumi from "@pulumi/pulumi";

/** What a tag is for. Commit and version tags never move; only `latest` does. */
export const TagRole = { commit: "commit", version: "version", latest: "latest" } as const;
export type TagRole = (typeof TagRole)[keyof typeof TagRole];

/** The image that an artifact is released with. */
export interface TagImage {
  /** `host/path`. */
  repository: pulumi.Input<string>;
  digest: pulumi.Input<string>;
}

export interface TagArgs {
  /** `host/path`; the image or artifact must be there. */
  repository: pulumi.Input<string>;
  role: pulumi.Input<TagRole>;
  /** The tag's name. Another name is another tag: the old one stays as it is. */
  tag: pulumi.Input<string>;
  digest: pulumi.Input<string>;
  /** Of an image: compared with its label before every write, so that no tag lands on an image of other inputs. */
  inputDigest?: pulumi.Input<string>;
  /** Of an artifact, in place of `inputDigest`: digest of its layer, compared with what its manifest says before every write. */
  revision?: pulumi.Input<string>;
  /**
   * Of an artifact: the image that it is released with. Until that image has a tag of the same name, the artifact's may move: the
   * release never came to its end. Ignored by diff.
   */
  beside?: pulumi.Input<TagImage>;
  /** Repository of the release that is promoted: it stands in the advice of an error. Ignored by diff. */
  promotedFrom?: pulumi.Input<string>;
  /** Allows plain http to the host; loopback always may. Ignored by diff. Default false. */
  insecure?: pulumi.Input<boolean>;
}

export class Tag extends pulumi.CustomResource {
  readonly repository!: pulumi.Output<string>;
  readonly role!: pulumi.Output<TagRole>;
  readonly tag!: pulumi.Output<string>;
  readonly digest!: pulumi.Output<string>;
  readonly inputDigest!: pulumi.Output<string | undefined>;
  readonly revision!: pulumi.Output<string | undefined>;
  /** The digest this tag was written for; differs from `digest` after a refresh that found the tag moved. */
  readonly released!: pulumi.Output<string>;
  /** `host/path:tag`. */
  readonly reference!: pulumi.Output<string>;

  constructor(name: string, args: TagArgs, options?: pulumi.CustomResourceOptions) {
    super("policychain:index:Tag", name, { ...args, released: undefined, reference: undefined }, options);
  }
}
