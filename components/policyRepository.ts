// PolicyRepository: one repository of policies as a layer image: from a folder, a git commit or a foreign image, or given by digest.
import * as pulumi from "@pulumi/pulumi";
import { folderLayerImage } from "../lib/oci/layer";
import { Manifest, type ManifestArgs } from "../provider/resources/manifest";

/** What a folder holds, for callers that have computed it already. */
export interface FolderLayer {
  /** The layer image's manifest digest. */
  digest: string;
  /** Path in the folder → short digest of the file's content. */
  files: { [path: string]: string };
}

/** A commit of a git repository. */
export interface GitRepositoryArgs {
  /** https or ssh, without a password: git finds credentials itself. */
  url: pulumi.Input<string>;
  /** The whole hash. */
  commit: pulumi.Input<string>;
  /** The folder that is taken, from the repository's root. Default: all of it. */
  path?: pulumi.Input<string>;
}

export interface PolicyRepositoryArgs {
  /** Where the layer image is pushed: `host/path`. Unused with a layer image. */
  repository: pulumi.Input<string>;
  /** Folder with the policies, relative to the project. Shipped without `.git`, `tests/` and what `.policyignore` names. */
  folder?: pulumi.Input<string>;
  /** What `folder` holds. Default: computed from the folder. */
  layer?: pulumi.Input<FolderLayer>;
  /** A commit of a git repository; its files are taken as they are in git. */
  git?: GitRepositoryArgs;
  /** An image that exists, `host/path@sha256:…`: a layer image, of which nothing is pushed, or any image together with `path`. */
  image?: pulumi.Input<string>;
  /** The folder of a foreign `image`, which is then repacked as a layer image. */
  path?: pulumi.Input<string>;
  /** Digest of the layer image that `git`, or `image` with `path`, becomes. Without it a preview cannot know what will be built. */
  digest?: pulumi.Input<string>;
  /** The folder's name under `/repos` in the image. Default: the component's name. */
  as?: string;
  /** Allow plain http to a registry that is not on loopback. Default false. */
  insecure?: boolean;
}

/**
 * A policy repository, to be found in the image under `/repos/<name>`. A changed file updates in place.
 *
 * @example new PolicyRepository("security-policy", { repository: names.policies("security-policy"), folder: "policies/security-policy" })
 */
export class PolicyRepository extends pulumi.ComponentResource {
  /** The layer image, `host/path@sha256:…`. */
  readonly reference: pulumi.Output<string>;

  constructor(name: string, args: PolicyRepositoryArgs, opts?: pulumi.ComponentResourceOptions) {
    super("policychain:index:PolicyRepository", name, { source: args.folder ?? args.git?.url ?? args.image }, opts);
    if ([args.folder, args.git, args.image].filter((source) => source !== undefined).length !== 1)
      throw new pulumi.InputPropertyError({
        propertyPath: "folder",
        reason: "give exactly one of folder, git and image",
      });
    const isLayer = args.image !== undefined && args.path === undefined;
    this.reference = isLayer ? pulumi.output(args.image!) : this.pushed(name, args, `/repos/${args.as ?? name}`);
    this.registerOutputs({ reference: this.reference });
  }

  private pushed(name: string, args: PolicyRepositoryArgs, at: string) {
    const { repository, insecure } = args;
    return new Manifest(`${name}-layer`, { repository, insecure, ...sourceOf(args, at) }, { parent: this }).reference;
  }
}

/** Of what is fetched, the files are not listed: who updates need not have it on their machine. */
function sourceOf(
  { folder, layer, git, image, path, digest }: PolicyRepositoryArgs,
  at: string,
): Omit<ManifestArgs, "repository"> {
  if (git) return { digest, git: { url: git.url, commit: git.commit, path: git.path, at } };
  if (image !== undefined) return { digest, imageFolder: { reference: image, path: path!, at } };
  const content = pulumi.output(layer ?? pulumi.output(folder!).apply((from) => contentOf(from, at)));
  return { digest: content.digest, files: content.files, folder: { path: folder!, at } };
}

/** Without the layer itself, which the SDK would walk byte by byte. */
async function contentOf(folder: string, at: string): Promise<FolderLayer> {
  const { digest, files } = await folderLayerImage(folder, { at });
  return { digest, files };
}
