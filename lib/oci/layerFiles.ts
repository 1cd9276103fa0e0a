// The files of an image, its layers merged: for the structure of a released repository and for files of foreign images.
import { posix } from "node:path";
import { PlatformError } from "../errors";
import { quoted } from "../printable";
import type { RegistryClient } from "./client";
import type { Digest } from "./digest";
import { imageManifest } from "./imageConfig";
import { contentLimits } from "./limits";
import type { Descriptor } from "./manifest";
import { formatReference, type Repository } from "./reference";
import { readTar, type TarEntry } from "./tarReader";

export interface ReadOptions {
  /** Bytes of content kept in memory; default `contentLimits.keptBytes`. */
  readonly maxBytes?: number;
  /** Which files to keep, by path without leading slash; default all. */
  readonly only?: (path: string) => boolean;
}

export interface ImageFile {
  readonly bytes: Buffer;
  readonly executable: boolean;
  /** What it is where it is no regular file; only `readImageEntries` gives such. */
  readonly special?: "link" | "named pipe" | "device";
  /** Of a symbolic link. */
  readonly target?: string;
}

/**
 * The regular files of an image (the linux/amd64 one of an index) as its container would see them: layers in order, files
 * deleted by later layers gone, hard links as copies. Symbolic links and devices are left out. Keys are paths without leading
 * slash. Errors: `layer-unsupported` (media type), `layer-malformed`, `layer-too-large`, and those of `imageManifest`.
 */
export function readImageFiles(
  client: RegistryClient,
  repository: Repository,
  digest: Digest,
  options: ReadOptions = {},
): Promise<Map<string, ImageFile>> {
  return merged(client, repository, digest, { ...options, keep: true });
}

/** As readImageFiles, with symbolic links, pipes and devices as what they are: for those who must refuse them by name. */
export function readImageEntries(
  client: RegistryClient,
  repository: Repository,
  digest: Digest,
  options: ReadOptions = {},
): Promise<Map<string, ImageFile>> {
  return merged(client, repository, digest, { ...options, keep: true, special: true });
}

async function merged(
  client: RegistryClient,
  repository: Repository,
  digest: Digest,
  {
    maxBytes = contentLimits.keptBytes,
    only = () => true,
    keep,
    special = false,
  }: ReadOptions & Pick<Context, "keep"> & Partial<Pick<Context, "special">>,
): Promise<Map<string, ImageFile>> {
  const shown = formatReference({ ...repository, digest });
  const { layers } = await imageManifest(client, repository, digest);
  const files = new Map<string, ImageFile>();
  for (const layer of layers) await lay(files, client, { repository, layer, shown, maxBytes, only, keep, special });
  return files;
}

/** Reads one layer, and does to `files` what it says. */
async function lay(
  files: Map<string, ImageFile>,
  client: RegistryClient,
  { repository, layer, shown, maxBytes, maxEntries, ...asked }: LayRequest,
): Promise<void> {
  const gzip = isGzip(layer.mediaType, shown);
  const { stream } = await client.blobStream(repository, layer.digest, layer.size);
  const wrong = (why: string) =>
    problem(
      "layer-malformed",
      `layer ${layer.digest} of ${shown} cannot be read: ${why}`,
      "a layer is a tar of bounded size",
      "push the image again with a current tool",
    );
  const change: Change = { added: new Map(), removed: new Set(), emptied: new Set() };
  const room = maxBytes - keptBytes(files);
  const context: Context = { ...asked, files, wrong, tooLarge: () => tooLarge(shown, maxBytes), room };
  for await (const entry of readTar(stream, { packing: gzip ? "gzip" : "none", maxEntries, wrong }))
    await note(change, entry, context);
  apply(files, change);
}

interface LayRequest extends Pick<Context, "only" | "keep" | "special"> {
  readonly repository: Repository;
  readonly layer: Descriptor;
  /** The image, for messages. */
  readonly shown: string;
  readonly maxBytes: number;
  /** Default `contentLimits.entries`. */
  readonly maxEntries?: number;
}

/** The regular files that one layer of an image brings, of at most `maxEntries`. Errors: those of `readImageFiles`, about this layer alone. */
export async function readOneLayer(
  client: RegistryClient,
  repository: Repository,
  layer: Descriptor,
  { maxEntries }: { readonly maxEntries: number },
): Promise<Map<string, Buffer>> {
  const files = new Map<string, ImageFile>();
  const shown = formatReference({ ...repository, digest: layer.digest });
  const all = { only: () => true, keep: true, special: false, maxBytes: contentLimits.keptBytes };
  await lay(files, client, { repository, layer, shown, maxEntries, ...all });
  return new Map([...files].map(([path, { bytes }]) => [path, bytes]));
}

/** As readImageFiles, content only. */
export async function readLayerFiles(
  client: RegistryClient,
  repository: Repository,
  digest: Digest,
  options: ReadOptions = {},
): Promise<Map<string, Buffer>> {
  const files = await readImageFiles(client, repository, digest, options);
  return new Map([...files].map(([path, { bytes }]) => [path, bytes]));
}

/** The paths that readLayerFiles would have; no content is kept, so the size of the image does not matter. */
export async function readLayerPaths(
  client: RegistryClient,
  repository: Repository,
  digest: Digest,
): Promise<string[]> {
  return [...(await merged(client, repository, digest, { keep: false })).keys()];
}

/** What one layer does to those below it (image specification, "Representing Changes"). */
interface Change {
  readonly added: Map<string, ImageFile | undefined>;
  readonly removed: Set<string>;
  /** Opaque folders: what lower layers hold in them is gone. */
  readonly emptied: Set<string>;
}

interface Context {
  readonly files: ReadonlyMap<string, ImageFile>;
  readonly only: (path: string) => boolean;
  /** Whether content is kept. */
  readonly keep: boolean;
  /** Whether what is no regular file is kept, as what it is. */
  readonly special: boolean;
  readonly wrong: (why: string) => Error;
  readonly tooLarge: () => Error;
  /** Bytes that may still be kept. */
  room: number;
}

async function note(change: Change, entry: TarEntry, context: Context): Promise<void> {
  const { files, only, wrong } = context;
  const path = innerPath(entry.path, wrong);
  const folder = posix.dirname(path) === "." ? "" : posix.dirname(path);
  const name = posix.basename(path);
  if (path === "" || entry.type === "directory") return;
  if (name === ".wh..wh..opq") change.emptied.add(folder);
  else if (name.startsWith(".wh.")) change.removed.add(posix.join(folder, name.slice(4)));
  else if (!only(path)) change.added.set(path, undefined);
  else if (entry.type === "file" || entry.type === "contiguous-file") {
    const bytes = context.keep ? await contentOf(entry, context) : Buffer.alloc(0);
    change.added.set(path, { bytes, executable: entry.executable });
  } else if (entry.type === "link") {
    const target = innerPath(entry.linkname ?? "", wrong);
    const linked = change.added.get(target) ?? files.get(target);
    if (linked === undefined) throw wrong(`${quoted(path)} is a hard link to ${quoted(target)}, which was not read`);
    change.added.set(path, linked);
  } else change.added.set(path, context.special ? specialEntry(entry) : undefined);
}

function specialEntry({ type, linkname }: TarEntry): ImageFile {
  const none = { bytes: Buffer.alloc(0), executable: false };
  if (type === "symlink") return { ...none, special: "link", target: linkname ?? "" };
  return { ...none, special: type === "fifo" ? "named pipe" : "device" };
}

async function contentOf(entry: TarEntry, context: Context): Promise<Buffer> {
  context.room -= entry.size;
  if (context.room < 0) throw context.tooLarge();
  // Once in memory, not twice: a tool may have 250 MB. The parser gives as many bytes as the entry says, or fails.
  const bytes = Buffer.allocUnsafe(entry.size);
  let end = 0;
  for await (const chunk of entry.content) end += chunk.copy(bytes, end);
  return bytes;
}

/** Removals first: they are about lower layers. An entry without content takes the place of a file that is not kept. */
function apply(files: Map<string, ImageFile>, { added, removed, emptied }: Change): void {
  const gone = (path: string) =>
    removed.has(path) ||
    emptied.has("") ||
    parents(path).some((above) => removed.has(above) || emptied.has(above) || added.has(above));
  for (const path of [...files.keys()]) if (gone(path)) files.delete(path);
  for (const [path, file] of added) {
    for (let end = path.lastIndexOf("/"); end > 0; end = path.lastIndexOf("/", end - 1))
      files.delete(path.slice(0, end));
    if (file === undefined) files.delete(path);
    else files.set(path, file);
  }
}

/** `a/b` and `a` for `a/b/c`. */
function parents(path: string): string[] {
  const above: string[] = [];
  for (let end = path.lastIndexOf("/"); end > 0; end = path.lastIndexOf("/", end - 1)) above.push(path.slice(0, end));
  return above;
}

function keptBytes(files: ReadonlyMap<string, ImageFile>): number {
  let bytes = 0;
  for (const file of files.values()) bytes += file.bytes.length;
  return bytes;
}

/** Names are taken from the root of the image; one that climbs out of it is refused. */
function innerPath(name: string, wrong: (why: string) => Error): string {
  const path = name.replace(/^(?:\.?\/+)+/, "").replace(/\/+$/, "");
  if (path.split("/").includes("..") || path.includes("\0"))
    throw wrong(`entry ${quoted(name)} leads out of the image`);
  return path === "." ? "" : path;
}

function isGzip(mediaType: string, shown: string): boolean {
  if (/\.tar$/.test(mediaType)) return false;
  if (/\.tar[.+]gzip$/.test(mediaType)) return true;
  throw problem(
    "layer-unsupported",
    `image ${shown} has a layer of type ${JSON.stringify(mediaType)}`,
    "layers are tar archives, packed by gzip or not at all",
    "push the image with gzip layers",
  );
}

function tooLarge(shown: string, maxBytes: number): PlatformError {
  return problem(
    "layer-too-large",
    `the files of ${shown} have more than ${maxBytes} bytes`,
    "files of an image are read into memory within a bound",
    "name fewer files, or check that this is the image you mean",
  );
}

function problem(code: string, what: string, rule: string, fix: string): PlatformError {
  return new PlatformError(code, { what, rule, fix });
}
