// What was moved and what came of it, read from the registry itself, past the proxy that counts.
import { gunzipSync } from "node:zlib";
import { layerSizes } from "../../lib/gate/layerSizes";
import type { RegistryClient } from "../../lib/oci/client";
import type { Digest } from "../../lib/oci/digest";
import { imageManifest } from "../../lib/oci/imageConfig";
import type { Repository } from "../../lib/oci/reference";
import type { Upload } from "../countingProxy";
import type { Run } from "./results";

/** Bytes of the largest blob, with room. */
const maxBlob = 512 * 1024 * 1024;

/** Bytes of a released image: as it is stored, and its layers unpacked. */
export async function weigh(
  client: RegistryClient,
  repository: Repository,
  tag: string,
): Promise<Pick<Run, "compressed" | "unpacked">> {
  const { digest } = (await client.resolve(repository, tag))!;
  const { config } = await imageManifest(client, repository, digest);
  const layers = await layerSizes(client, repository, digest, { tools: [], repositories: [] });
  return {
    compressed: config.size + layers.reduce((sum, { compressed }) => sum + compressed, 0),
    unpacked: layers.reduce((sum, { unpacked = Number.NaN }) => sum + unpacked, 0),
  };
}

/** Counts what was uploaded; a blob counts as a tool's where one of `files` (paths in the image) is in it. */
export async function countBlobs(
  client: RegistryClient,
  registry: string,
  uploaded: readonly Upload[],
  files: readonly string[],
): Promise<Run["blobs"]> {
  const tools: Upload[] = [];
  for (const upload of uploaded) {
    const blob = await client.blob({ registry, path: upload.repository }, upload.digest as Digest, maxBlob);
    if (holdsOneOf(blob, files)) tools.push(upload);
  }
  return {
    uploaded: uploaded.length,
    tools: tools.length,
    toolBytes: tools.reduce((sum, { bytes }) => sum + bytes, 0),
  };
}

/** True for a tar, packed by gzip or not, with an entry of that name. What is no tar has none. */
export function holdsOneOf(blob: Buffer, files: readonly string[]): boolean {
  const tar = blob[0] === 0x1f && blob[1] === 0x8b ? gunzipSync(blob) : blob;
  const wanted = new Set(files.map((file) => file.replace(/^\//, "")));
  for (let at = 0; at + 512 <= tar.length; ) {
    const header = tar.subarray(at, at + 512);
    if (header.toString("latin1", 257, 262) !== "ustar") break;
    const name = header.toString("latin1", 0, 100).replace(/\0.*$/s, "");
    if (wanted.has(name.replace(/^\.?\//, ""))) return true;
    const size = Number.parseInt(header.toString("latin1", 124, 136), 8) || 0;
    at += 512 + Math.ceil(size / 512) * 512;
  }
  return false;
}
