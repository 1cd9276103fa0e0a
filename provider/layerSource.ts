// The sources of a layer image, and how each becomes one.
import type { Digest } from "../lib/oci/digest";
import { folderLayerImage, type LayerImage, layerImage } from "../lib/oci/layer";
import { parseRepository } from "../lib/oci/reference";
import type { ResourceContext } from "./host";
import { registryClient } from "./registry";

export const sources = ["folder", "git", "release", "image", "imageFolder", "content"] as const;

/** Inputs of a Manifest once nothing is unknown. */
export interface ManifestInputs {
  readonly repository: string;
  readonly digest?: Digest;
  readonly files?: Readonly<Record<string, string>>;
  readonly folder?: { readonly path: string; readonly at: string };
  readonly git?: { readonly url: string; readonly commit: string; readonly path?: string; readonly at: string };
  readonly release?: { readonly url: string; readonly sha256: string; readonly member?: string; readonly at: string };
  readonly mirrors?: Readonly<Record<string, string>>;
  readonly image?: { readonly reference: string; readonly path: string; readonly at: string };
  readonly imageFolder?: { readonly reference: string; readonly path: string; readonly at: string };
  readonly content?: { readonly at: string; readonly text: string; readonly executable?: boolean };
  readonly insecure?: boolean;
}

/** The property that holds the source; check has seen that there is exactly one. */
export function sourceOf(inputs: ManifestInputs): (typeof sources)[number] {
  return sources.find((source) => inputs[source] !== undefined)!;
}

/** True for sources that are on this machine, so that preview can compute the digest. */
export function isLocal(inputs: ManifestInputs): boolean {
  return inputs.folder !== undefined || inputs.content !== undefined;
}

export async function layerImageOf(context: ResourceContext, inputs: ManifestInputs): Promise<LayerImage> {
  const { folder, content, release, image, git, imageFolder } = inputs;
  if (folder) return folderLayerImage(folder.path, { at: folder.at });
  if (content) {
    const bytes = Buffer.from(content.text);
    return layerImage([
      { path: content.at, executable: content.executable ?? false, size: bytes.length, open: () => bytes },
    ]);
  }
  if (git || imageFolder) return remoteLayer(context, inputs);
  const { downloadRelease, foreignLayer, releaseLayer } = await import("../lib/sources/toolLayer");
  if (release) {
    const { mirrors } = inputs;
    const file = await downloadRelease(release, { mirrors, signal: context.signal, log: context.progress });
    return releaseLayer(file, release.member, release.at);
  }
  const { reference, path, at } = image!;
  // `insecure` is about the repository that is pushed to: a foreign image's registry gets its credentials over TLS.
  const client = registryClient(context, inputs.insecure, [parseRepository(inputs.repository)]);
  return foreignLayer(client, { reference, member: path }, at);
}

/** `insecure` is about the repository that is pushed to: any other registry gets its credentials over TLS. */
async function remoteLayer(context: ResourceContext, inputs: ManifestInputs): Promise<LayerImage> {
  const { git, imageFolder, insecure, repository } = inputs;
  const { repositoryContent } = await import("../lib/sources/repositoryContent");
  const client = registryClient(context, insecure, [parseRepository(repository)]);
  const options = { at: (git ?? imageFolder)!.at, client, signal: context.signal, log: context.progress };
  const source = git ? { git } : { image: imageFolder!.reference, path: imageFolder!.path };
  return (await repositoryContent(source, options))!.image;
}
