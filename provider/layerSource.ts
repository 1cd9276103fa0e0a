// The four sources of a layer image, and how each becomes one.
import { cacheFolder } from "../lib/cache";
import { PlatformError } from "../lib/errors";
import type { Digest } from "../lib/oci/digest";
import { folderLayerImage, type LayerImage, layerImage, readLayerFiles } from "../lib/oci/layer";
import { parsePinned } from "../lib/oci/reference";
import type { ResourceContext } from "./host";
import { registryClient } from "./registry";

export const sources = ["folder", "release", "image", "content"] as const;

/** Inputs of a Manifest once nothing is unknown. */
export interface ManifestInputs {
  readonly repository: string;
  readonly digest?: Digest;
  readonly files?: Readonly<Record<string, string>>;
  readonly folder?: { readonly path: string; readonly at: string };
  readonly release?: { readonly url: string; readonly sha256: string; readonly member?: string; readonly at: string };
  readonly mirrors?: Readonly<Record<string, string>>;
  readonly image?: { readonly reference: string; readonly path: string; readonly at: string };
  readonly content?: { readonly at: string; readonly text: string; readonly executable?: boolean };
  readonly insecure?: boolean;
}

/** The largest file that is taken out of a foreign image. */
const maxImageFile = 1024 * 1024 * 1024;

/** The property that holds the source; check has seen that there is exactly one. */
export function sourceOf(inputs: ManifestInputs): (typeof sources)[number] {
  return sources.find((source) => inputs[source] !== undefined)!;
}

/** True for sources that are on this machine, so that preview can compute the digest. */
export function isLocal(inputs: ManifestInputs): boolean {
  return inputs.folder !== undefined || inputs.content !== undefined;
}

export async function layerImageOf(context: ResourceContext, inputs: ManifestInputs): Promise<LayerImage> {
  const { folder, content, release, image } = inputs;
  if (folder) return folderLayerImage(folder.path, { at: folder.at });
  if (content) {
    const bytes = Buffer.from(content.text);
    return layerImage([
      { path: content.at, executable: content.executable ?? false, size: bytes.length, open: () => bytes },
    ]);
  }
  if (release) {
    const { download, memberFromArchive } = await import("../lib/oci/archive");
    const file = await download(release.url, {
      sha256: release.sha256,
      to: cacheFolder("downloads"),
      mirrors: inputs.mirrors,
      signal: context.signal,
      log: context.progress,
    });
    return layerImage([{ ...(await memberFromArchive(file, release.member)), path: release.at, executable: true }]);
  }
  return foreignFile(context, inputs, image!);
}

async function foreignFile(
  context: ResourceContext,
  { insecure }: ManifestInputs,
  image: NonNullable<ManifestInputs["image"]>,
): Promise<LayerImage> {
  const reference = parsePinned(image.reference);
  const client = registryClient(context, insecure, [reference]);
  const path = image.path.replace(/^\/+/, "");
  const only = (found: string) => found === path;
  const bytes = (await readLayerFiles(client, reference, reference.digest, { maxBytes: maxImageFile, only })).get(path);
  if (!bytes) {
    throw new PlatformError("image-file-missing", {
      what: `image ${image.reference} has no file ${image.path}`,
      rule: "a file that is taken out of an image is named by its absolute path there",
      fix: "correct the path",
    });
  }
  return layerImage([{ path: image.at, executable: true, size: bytes.length, open: () => bytes }]);
}
