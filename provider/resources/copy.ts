// SDK class of policychain:index:Copy: a whole graph, by digest, from one repository to another.
import * as pulumi from "@pulumi/pulumi";

export interface CopyArgs {
  /** The repository to copy from, `host/path`; needed only while `to` lacks the digest. Ignored by diff. */
  from: pulumi.Input<string>;
  /** The repository to copy to, `host/path`. */
  to: pulumi.Input<string>;
  /** The manifest or index that is copied with all below it. */
  digest: pulumi.Input<string>;
  /** URN of the resource to replace when the source is gone: it stands in that error's command. Ignored by diff. */
  rebuild?: pulumi.Input<string>;
  /** The digest is another stack's release and not a build of this one: it stands in the advice of an error. Ignored by diff. Default false. */
  promoted?: pulumi.Input<boolean>;
  /** Allows plain http to the host of `to`; loopback always may. Ignored by diff. Default false. */
  insecure?: pulumi.Input<boolean>;
}

export class Copy extends pulumi.CustomResource {
  readonly from!: pulumi.Output<string>;
  readonly to!: pulumi.Output<string>;
  readonly digest!: pulumi.Output<string>;
  /** `<to>@<digest>`. */
  readonly reference!: pulumi.Output<string>;

  constructor(name: string, args: CopyArgs, options?: pulumi.CustomResourceOptions) {
    super("policychain:index:Copy", name, { ...args, reference: undefined }, options);
  }
}
