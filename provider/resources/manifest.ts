// SDK class of policychain:index:Manifest: a layer image in a registry.
import * as pulumi from "@pulumi/pulumi";

/** A folder on this machine. */
export interface FolderSource {
  /** Relative to the project's folder; ignored by diff, the digest decides. */
  path: pulumi.Input<string>;
  /** Where its files go in the image: `/repos/security-policy`. */
  at: pulumi.Input<string>;
}

/** A commit of a git repository; its files are taken as they are in git. */
export interface GitSource {
  /** https or ssh, without a password: git finds credentials itself, and they never reach the state. */
  url: pulumi.Input<string>;
  /** The whole hash. */
  commit: pulumi.Input<string>;
  /** The folder that is taken, from the repository's root; default all of it. */
  path?: pulumi.Input<string>;
  /** Where its files go in the image: `/repos/security-policy`. */
  at: pulumi.Input<string>;
}

/** One file of a released archive, or a released file. */
export interface ReleaseSource {
  url: pulumi.Input<string>;
  /** Of what the URL gives, 64 hex digits; the download is refused when it differs. */
  sha256: pulumi.Input<string>;
  /** The file's path inside the archive; absent when the URL gives the file itself. */
  member?: pulumi.Input<string>;
  /** Where the file goes in the image: `/usr/local/bin/kyverno`. */
  at: pulumi.Input<string>;
}

/** One file of any image. */
export interface ImageSource {
  /** Pinned: `host/path@sha256:…`. */
  reference: pulumi.Input<string>;
  /** The file's absolute path in that image. */
  path: pulumi.Input<string>;
  /** Where the file goes in the layer image. */
  at: pulumi.Input<string>;
}

/** A folder of any image, by the rules of a folder on this machine. */
export interface ImageFolderSource {
  /** Pinned: `host/path@sha256:…`. */
  reference: pulumi.Input<string>;
  /** The folder's absolute path in that image. */
  path: pulumi.Input<string>;
  /** Where its files go in the layer image. */
  at: pulumi.Input<string>;
}

/** One file with the given text. */
export interface ContentSource {
  /** Where the file goes in the image. */
  at: pulumi.Input<string>;
  text: pulumi.Input<string>;
  /** Default false. */
  executable?: pulumi.Input<boolean>;
}

/** Exactly one of `folder`, `git`, `release`, `image`, `imageFolder` and `content` is given. Nothing is ever replaced. */
export interface ManifestArgs {
  /** Where the layer image is pushed: `host/path`, no tag. */
  repository: pulumi.Input<string>;
  /** The layer image's manifest digest, `sha256:…`, when known; another one is refused. Default: found from the source. */
  digest?: pulumi.Input<string>;
  /** Path → short digest of its content: lets `--diff` name the file that changed. Above 500 files it is kept per folder. */
  files?: pulumi.Input<Record<string, pulumi.Input<string>>>;
  folder?: pulumi.Input<FolderSource>;
  git?: pulumi.Input<GitSource>;
  release?: pulumi.Input<ReleaseSource>;
  /** Host → base URL that downloads of that host go to; the checksum keeps it safe. Ignored by diff. */
  mirrors?: pulumi.Input<Record<string, pulumi.Input<string>>>;
  image?: pulumi.Input<ImageSource>;
  imageFolder?: pulumi.Input<ImageFolderSource>;
  content?: pulumi.Input<ContentSource>;
  /** Allows plain http to the repository's host; loopback always may. Ignored by diff. Default false. */
  insecure?: pulumi.Input<boolean>;
}

export class Manifest extends pulumi.CustomResource {
  readonly repository!: pulumi.Output<string>;
  /** The layer image's manifest digest. */
  readonly digest!: pulumi.Output<string>;
  /** `host/path@sha256:…`. */
  readonly reference!: pulumi.Output<string>;
  readonly files!: pulumi.Output<Record<string, string> | undefined>;

  constructor(name: string, args: ManifestArgs, options?: pulumi.CustomResourceOptions) {
    // What is not given is found by the plugin: it must stand here to become an output.
    const found = { digest: undefined, files: undefined, reference: undefined };
    super("policychain:index:Manifest", name, { ...found, ...args }, options);
  }
}
