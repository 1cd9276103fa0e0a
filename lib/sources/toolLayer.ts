// A tool's layer image: its file out of a published release, or out of an image that somebody else made. Whoever pins a tool
// and whoever pushes it must come to the same digest, so both make it here.
import { cacheFolder } from "../cache";
import { PlatformError } from "../errors";
import { type DownloadOptions, download, memberFromArchive } from "../oci/archive";
import type { RegistryClient } from "../oci/client";
import { type LayerImage, layerImage, readLayerFiles } from "../oci/layer";
import { parsePinned } from "../oci/reference";
import { quoted } from "../printable";

/** The largest file that is taken out of an image, in bytes. */
const maxFileBytes = 1024 * 1024 * 1024;

/** A published download; without `sha256` whatever the address gives is taken. */
export interface PublishedRelease {
  readonly url: string;
  readonly sha256?: string;
  /** Path of the tool in the archive; absent where the download is the tool itself. */
  readonly member?: string;
}

/** The path of a download in the user's cache; its name there is its checksum. Errors: those of `download`. */
export function downloadRelease(
  { url, sha256 }: PublishedRelease,
  options: Pick<DownloadOptions, "mirrors" | "signal" | "log"> = {},
): Promise<string> {
  return download(url, { ...options, sha256, to: cacheFolder("downloads") });
}

/** The layer image of a download's member, at an absolute path of the image. Errors: those of `memberFromArchive`. */
export async function releaseLayer(file: string, member: string | undefined, at: string): Promise<LayerImage> {
  return layerImage([{ ...(await memberFromArchive(file, member)), path: at, executable: true }]);
}

/**
 * The layer image of one file of a pinned image (`host/path@sha256:…`), at an absolute path of the new one.
 * Error beside those of `readLayerFiles`: `image-file-missing`.
 */
export async function foreignLayer(
  client: RegistryClient,
  image: { readonly reference: string; readonly member: string },
  at: string,
): Promise<LayerImage> {
  const reference = parsePinned(image.reference);
  const path = image.member.replace(/^\/+/, "");
  const options = { maxBytes: maxFileBytes, only: (found: string) => found === path };
  const bytes = (await readLayerFiles(client, reference, reference.digest, options)).get(path);
  if (!bytes) {
    throw new PlatformError("image-file-missing", {
      what: `image ${image.reference} has no file ${quoted(image.member)}`,
      rule: "a file that is taken out of an image is named by its absolute path there",
      fix: "correct the path",
    });
  }
  return layerImage([{ path: at, executable: true, size: bytes.length, open: () => bytes }]);
}
