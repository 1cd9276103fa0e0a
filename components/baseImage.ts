// BaseImage: the image that everything is composed onto, named by digest.
import * as pulumi from "@pulumi/pulumi";

export interface BaseImageArgs {
  /**
   * The base, `host/path@sha256:…`. Push it gzipped: its layers are kept as they are.
   * Another digest is another input digest, so the image is built again.
   */
  image: pulumi.Input<string>;
}

/** @example new BaseImage("base", { image: "127.0.0.1:5000/layers/base@sha256:…" }) */
export class BaseImage extends pulumi.ComponentResource {
  /** `host/path@sha256:…`. */
  readonly reference: pulumi.Output<string>;

  constructor(name: string, args: BaseImageArgs, opts?: pulumi.ComponentResourceOptions) {
    super("policychain:index:BaseImage", name, {}, opts);
    this.reference = pulumi.output(args.image);
    this.registerOutputs({ reference: this.reference });
  }
}
