// Reads from the registry what each layer of an image weighs, and tells whose it is. The length of what was packed stands in
// the last four bytes of a gzip stream (RFC 1952, 2.3.1). It is modulo 2^32 and, of a stream of several members, that of the
// last one alone; so it is believed only where nothing larger fits and it is no less than the compressed size. Everything else
// is read and counted, once: what a digest holds does not change.
import { readFile, writeFile } from "node:fs/promises";
import { addAbortSignal } from "node:stream";
import { createGunzip } from "node:zlib";
import { cacheFolder, writeByRename } from "../cache";
import { type Composed, layerNames } from "../dockerfile/layerNames";
import type { RegistryClient } from "../oci/client";
import type { Digest } from "../oci/digest";
import { imageDocument, imageManifest } from "../oci/imageConfig";
import { contentLimits } from "../oci/limits";
import type { Descriptor } from "../oci/manifest";
import { eachOf } from "../oci/parallel";
import type { Repository } from "../oci/reference";
import type { LayerSize } from "./size";

/** Deflate makes no more of a byte. */
const maxRatio = 1032;
/** What the length is modulo of. */
const lengthModulus = 2 ** 32;
/** Milliseconds in which one layer must be counted. */
const countingTime = 10 * 60_000;
/** Layers counted at a time. */
const atOnce = 4;

/** Bytes of layers' tars by the layers' digests, found out before. */
export type KnownSizes = Readonly<Record<Digest, number>>;

export interface MeasuredLayer extends LayerSize {
  readonly digest: Digest;
}

/** The layers of an image, lowest first. Errors: those of the registry. */
export async function layerSizes(
  client: RegistryClient,
  repository: Repository,
  digest: Digest,
  composed: Composed,
  { known = {}, signal }: { readonly known?: KnownSizes; readonly signal?: AbortSignal } = {},
): Promise<MeasuredLayer[]> {
  const manifest = await imageManifest(client, repository, digest);
  const { layers } = manifest;
  const document = await imageDocument(client, repository, manifest);
  const names = layerNames(document, layers.length, composed);
  const sizes = new Map<number, MeasuredLayer>();
  await eachOf([...layers.entries()], atOnce, async ([index, layer]) => {
    signal?.throwIfAborted();
    const before = known[layer.digest];
    const unpacked = isSize(before) ? before : await unpackedSize(client, repository, layer, signal);
    sizes.set(index, {
      name: names[index]!,
      digest: layer.digest,
      compressed: layer.size,
      ...(unpacked === undefined ? {} : { unpacked }),
    });
  });
  return layers.map((_, index) => sizes.get(index)!);
}

async function unpackedSize(
  client: RegistryClient,
  repository: Repository,
  layer: Descriptor,
  signal: AbortSignal | undefined,
): Promise<number | undefined> {
  if (/(\.tar|\.tar\.uncompressed)$/.test(layer.mediaType)) return layer.size;
  if (!/[+.]gzip$/.test(layer.mediaType)) return undefined;
  const isExact = layer.size > 4 && layer.size * maxRatio < lengthModulus;
  const end = isExact ? await client.blobEnd(repository, layer, 4) : undefined;
  const stated = end?.length === 4 ? end.readUInt32LE() : 0;
  if (stated >= layer.size) return stated;
  const memory = cacheFolder("layer-sizes", layer.digest.replace(":", "-"));
  const known = Number(await readFile(memory, "utf8").catch(() => ""));
  if (isSize(known)) return known;
  const bytes = await counted(client, repository, layer, signal);
  // Only ever saves work: a file that cannot be written is no error.
  if (bytes) await writeByRename(memory, (temporary) => writeFile(temporary, `${bytes}`)).catch(() => undefined);
  return bytes;
}

function isSize(bytes: unknown): bytes is number {
  return Number.isSafeInteger(bytes) && (bytes as number) > 0;
}

/** Reads all of it; undefined for what is larger than any layer may be, or takes too long. */
async function counted(
  client: RegistryClient,
  repository: Repository,
  layer: Descriptor,
  signal: AbortSignal | undefined,
): Promise<number | undefined> {
  const time = AbortSignal.timeout(countingTime);
  const { stream } = await client.blobStream(repository, layer.digest, layer.size);
  const unpacked = addAbortSignal(signal ? AbortSignal.any([signal, time]) : time, createGunzip());
  stream.on("error", (error) => unpacked.destroy(error));
  let bytes = 0;
  try {
    for await (const chunk of stream.pipe(unpacked)) {
      bytes += (chunk as Buffer).length;
      if (bytes > contentLimits.unpackedBytes) return undefined;
    }
    return bytes;
  } catch (error) {
    signal?.throwIfAborted();
    if (time.aborted) return undefined;
    throw error;
  } finally {
    stream.destroy();
  }
}
