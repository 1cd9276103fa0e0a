// SDK class of policychain:index:ClusterFiles: clusters as files in folders of the project.
import * as pulumi from "@pulumi/pulumi";

export interface ClusterFilesArgs {
  /** Digest of its files by folder, relative to the project and in it; the texts lie in the user's cache. Files that somebody changed are written again. */
  folders: pulumi.Input<Record<string, pulumi.Input<string>>>;
}

export class ClusterFiles extends pulumi.CustomResource {
  readonly folders!: pulumi.Output<Record<string, string>>;

  constructor(name: string, args: ClusterFilesArgs, options?: pulumi.CustomResourceOptions) {
    super("policychain:index:ClusterFiles", name, { ...args }, options);
  }
}
