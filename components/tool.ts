// Tool: one command-line tool as a layer image, from a published release or given by digest.
import * as pulumi from "@pulumi/pulumi";
import { Manifest } from "../provider/resources/manifest";

/** A published download and the digests that pin it. */
export interface ToolRelease {
  /** https address of an archive or of the binary itself. */
  url: pulumi.Input<string>;
  /** sha256 of the download, 64 hex digits. */
  sha256: pulumi.Input<string>;
  /** Digest of the layer image that it becomes. Without it a preview cannot know what will be built. */
  digest?: pulumi.Input<string>;
  /** Path of the binary in the archive. Default: the download is the binary. */
  member?: pulumi.Input<string>;
}

export interface ToolArgs {
  /** The tool's version as it prints it, without a leading v. Raising it is a major release. */
  version: pulumi.Input<string>;
  /** Where the layer image is pushed: `host/path`. */
  repository: pulumi.Input<string>;
  /** Absolute path of the binary in the image. Default `/usr/local/bin/<component name>`. */
  path?: pulumi.Input<string>;
  /** An image that exists, `host/path@sha256:…`: a layer image, or any image together with `member`. Excludes `release`. */
  image?: pulumi.Input<string>;
  /** Path of the binary in a foreign `image`, which is then repacked as a layer image. */
  member?: pulumi.Input<string>;
  /** Digest of the layer image that `image` with `member` becomes. */
  digest?: pulumi.Input<string>;
  /** A published download. Excludes `image`. */
  release?: ToolRelease;
  /** Download hosts and what to ask instead: `{"github.com": "https://mirror.example"}`. */
  mirrors?: pulumi.Input<{ [host: string]: pulumi.Input<string> }>;
  /** Allow plain http to a registry that is not on loopback. Default false. */
  insecure?: boolean;
}

/** @example new Tool("yq", { version: "4.54.1", repository: names.tool("yq"), image: "127.0.0.1:5000/layers/tools/yq@sha256:…" }) */
export class Tool extends pulumi.ComponentResource {
  /** The layer image, `host/path@sha256:…`. */
  readonly reference: pulumi.Output<string>;

  constructor(name: string, args: ToolArgs, opts?: pulumi.ComponentResourceOptions) {
    super("policychain:index:Tool", name, { version: args.version }, opts);
    if ((args.image === undefined) === (args.release === undefined))
      throw new pulumi.InputPropertyError({ propertyPath: "image", reason: "give exactly one of image and release" });
    this.reference =
      args.image !== undefined && args.member === undefined
        ? pulumi.output(args.image)
        : this.repacked(name, args, args.path ?? `/usr/local/bin/${name}`);
    this.registerOutputs({ reference: this.reference });
  }

  private repacked(name: string, args: ToolArgs, at: pulumi.Input<string>) {
    const { repository, mirrors, insecure } = args;
    const source = args.release
      ? {
          digest: args.release.digest,
          release: { url: args.release.url, sha256: args.release.sha256, member: args.release.member, at },
        }
      : { digest: args.digest, image: { reference: args.image!, path: args.member!, at } };
    return new Manifest(`${name}-layer`, { repository, mirrors, insecure, ...source }, { parent: this }).reference;
  }
}
