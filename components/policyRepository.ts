// PolicyRepository: one repository of policies as a layer image, from a folder or given by digest.
import * as pulumi from "@pulumi/pulumi";
import { folderLayerImage } from "../lib/oci/layer";
import { Manifest } from "../provider/resources/manifest";

/** What a folder holds, for callers that have computed it already. */
export interface FolderLayer {
  /** The layer image's manifest digest. */
  digest: string;
  /** Path in the folder → short digest of the file's content. */
  files: { [path: string]: string };
}

export interface PolicyRepositoryArgs {
  /** Where the layer image is pushed: `host/path`. Unused with `image`. */
  repository: pulumi.Input<string>;
  /** Folder with the policies, relative to the project. Shipped without `.git`, `tests/` and what `.policyignore` names. */
  folder?: pulumi.Input<string>;
  /** What `folder` holds. Default: computed from the folder. */
  layer?: pulumi.Input<FolderLayer>;
  /** A layer image that exists, `host/path@sha256:…`; nothing is pushed. Excludes `folder`. */
  image?: pulumi.Input<string>;
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
    super("policychain:index:PolicyRepository", name, { source: args.folder ?? args.image }, opts);
    if ((args.folder === undefined) === (args.image === undefined))
      throw new pulumi.InputPropertyError({ propertyPath: "folder", reason: "give exactly one of folder and image" });
    this.reference =
      args.folder === undefined ? pulumi.output(args.image!) : this.pushed(name, args.folder, args.as ?? name, args);
    this.registerOutputs({ reference: this.reference });
  }

  private pushed(name: string, folder: pulumi.Input<string>, as: string, args: PolicyRepositoryArgs) {
    const at = `/repos/${as}`;
    const layer = pulumi.output(args.layer ?? pulumi.output(folder).apply((path) => contentOf(path, at)));
    return new Manifest(
      `${name}-layer`,
      {
        repository: args.repository,
        digest: layer.digest,
        files: layer.files,
        folder: { path: folder, at },
        insecure: args.insecure,
      },
      { parent: this },
    ).reference;
  }
}

/** Without the layer itself, which the SDK would walk byte by byte. */
async function contentOf(folder: string, at: string): Promise<FolderLayer> {
  const { digest, files } = await folderLayerImage(folder, { at });
  return { digest, files };
}
