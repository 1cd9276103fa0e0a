// Layer images, format 1: one uncompressed tar layer, a config, a manifest; their bytes are a function of the content alone.
// The digest of the manifest is what pins, FROM lines and labels name. Frozen: golden digests stand in the tests.
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { realpath, stat } from "node:fs/promises";
import { Readable } from "node:stream";
import { canonicalJson } from "../canonicalJson";
import { PlatformError } from "../errors";
import { quoted } from "../printable";
import type { RegistryClient } from "./client";
import { putNode } from "./copy";
import { type Digest, sha256, shortDigest } from "./digest";
import { folderEntries } from "./folder";
import type { LayerEntry } from "./layerEntry";
import { checkPath, parentFolders } from "./layerPath";
import { configType, manifestType, tarLayerType } from "./mediaTypes";
import type { Repository } from "./reference";
import { tarEnd, tarHeader, tarPadding } from "./tar";

export { readImageFiles, readLayerFiles, readLayerPaths, readOneLayer } from "./layerFiles";

/** A layer image, ready to be pushed; the tar is made from its source each time it is opened. */
export interface LayerImage {
  /** Of the manifest. */
  readonly digest: Digest;
  readonly manifest: Buffer;
  readonly config: Buffer;
  readonly layer: { readonly digest: Digest; readonly size: number };
  /** Path (below the folder, for one made of a folder) → first 12 hexadecimal characters of its content's sha256. Sorted. */
  readonly files: Readonly<Record<string, string>>;
  open(): Readable;
}

/**
 * Makes the layer image of some files; their order does not matter. Paths are checked and parent folders added.
 * `root` is left out of the names in `files`. Errors: `layer-path`, `layer-collision`, `layer-empty`, `source-changed`.
 */
export async function layerImage(
  entries: readonly LayerEntry[],
  { root = "" }: { readonly root?: string } = {},
): Promise<LayerImage> {
  if (entries.length === 0) throw emptyLayer();
  for (const { path } of entries) checkPath(path);
  const folders = parentFolders(entries.map(({ path }) => path));
  const parts: readonly Part[] = [
    ...folders.map((path) => ({
      header: tarHeader({ name: `${path.slice(1)}/`, type: "folder", executable: true, size: 0 }),
      name: Buffer.from(`${path}/`),
    })),
    ...entries.map((entry) => ({
      header: tarHeader({ name: entry.path.slice(1), type: "file", executable: entry.executable, size: entry.size }),
      name: Buffer.from(entry.path),
      entry,
    })),
  ].sort((a, b) => Buffer.compare(a.name, b.name));

  const hash = createHash("sha256");
  let size = 0;
  const found = new Map<string, Digest>();
  for await (const chunk of tarChunks(parts, (entry, digest) => found.set(entry.path, digest))) {
    hash.update(chunk);
    size += chunk.length;
  }
  const layer = { digest: `sha256:${hash.digest("hex")}` as Digest, size };
  const config = Buffer.from(
    canonicalJson({
      architecture: "amd64",
      config: {},
      created: "1970-01-01T00:00:00Z",
      os: "linux",
      rootfs: { diff_ids: [layer.digest], type: "layers" },
    }),
  );
  const manifest = Buffer.from(
    canonicalJson({
      config: { digest: sha256(config), mediaType: configType, size: config.length },
      layers: [{ digest: layer.digest, mediaType: tarLayerType, size: layer.size }],
      mediaType: manifestType,
      schemaVersion: 2,
    }),
  );
  const shown = (path: string) => (root !== "" && path.startsWith(`${root}/`) ? path.slice(root.length + 1) : path);
  const names = parts.flatMap(({ entry }) => (entry === undefined ? [] : [entry.path]));
  const files = Object.fromEntries(names.map((path) => [shown(path), shortDigest(found.get(path)!)]));
  return {
    digest: sha256(manifest),
    manifest,
    config,
    layer,
    files,
    open: () => Readable.from(tarChunks(parts), { objectMode: false }),
  };
}

interface Part {
  readonly header: Buffer;
  /** What the order of the tar is taken from: the absolute path in UTF-8, a folder's with a slash at its end. */
  readonly name: Buffer;
  readonly entry?: LayerEntry;
}

async function* tarChunks(
  parts: readonly Part[],
  onFile?: (entry: LayerEntry, digest: Digest) => void,
): AsyncGenerator<Buffer, void, undefined> {
  for (const { header, entry } of parts) {
    yield header;
    if (entry === undefined) continue;
    const hash = createHash("sha256");
    let seen = 0;
    for await (const chunk of contentOf(entry)) {
      seen += chunk.length;
      if (seen > entry.size) throw sourceChanged(entry, `it has more than its ${entry.size} bytes`);
      hash.update(chunk);
      yield chunk;
    }
    if (seen !== entry.size) throw sourceChanged(entry, `it has ${seen} bytes instead of ${entry.size}`);
    const digest = `sha256:${hash.digest("hex")}` as Digest;
    if (entry.sha256 !== undefined && entry.sha256 !== digest)
      throw sourceChanged(entry, `its digest is ${digest}, not ${entry.sha256}`);
    onFile?.(entry, digest);
    yield tarPadding(entry.size);
  }
  yield tarEnd;
}

async function* contentOf(entry: LayerEntry): AsyncGenerator<Buffer, void, undefined> {
  try {
    const content = entry.open();
    if (Buffer.isBuffer(content)) yield content;
    else yield* content as AsyncIterable<Buffer>;
  } catch (error) {
    const { code, syscall } = error as NodeJS.ErrnoException;
    throw syscall === undefined ? error : sourceChanged(entry, `it cannot be read (${code})`);
  }
}

/**
 * The layer image of a policy folder, below `at` in the image. `.git`, `tests/`, `.kyverno-test/`, `.chainsaw-test/` and what
 * `.policyignore` names are left out; see folder.ts for links and refusals. Errors beside those of layerImage:
 * `folder-missing`, `folder-empty`, `folder-too-large`, `folder-entry`.
 */
export async function folderLayerImage(folder: string, { at }: { readonly at: string }): Promise<LayerImage> {
  checkPath(at);
  return layerImage(folderEntries(folder, at), { root: at });
}

/** The layer image of one file, executable unless said otherwise. Error beside those of layerImage: `file-missing`. */
export async function fileLayerImage(
  file: string,
  { at, executable = true }: { readonly at: string; readonly executable?: boolean },
): Promise<LayerImage> {
  const found = await stat(file).catch(() => undefined);
  if (found === undefined || !found.isFile()) {
    throw new PlatformError("file-missing", {
      what: `file ${quoted(file)} ${found === undefined ? "does not exist" : "is no regular file"}`,
      rule: "a layer image is made of a file that is there",
      fix: "check the path",
    });
  }
  const path = await realpath(file);
  return layerImage([
    { path: at, executable, size: found.size, open: () => createReadStream(path, { highWaterMark: 256 * 1024 }) },
  ]);
}

/** Pushes a layer image, what is there already left alone, and gives its digest. */
export async function pushLayerImage(
  client: RegistryClient,
  repository: Repository,
  image: LayerImage,
): Promise<Digest> {
  const push = async (force: boolean) => {
    await client.pushBlob(
      repository,
      image.layer,
      { stream: async () => ({ size: image.layer.size, stream: image.open() }) },
      { force },
    );
    await client.pushBlob(
      repository,
      { digest: sha256(image.config), size: image.config.length },
      { bytes: image.config },
      { force },
    );
  };
  await push(false);
  if ((await client.resolve(repository, image.digest)) !== undefined) return image.digest;
  await putNode(client, repository, { digest: image.digest, bytes: image.manifest, mediaType: manifestType }, () =>
    push(true),
  );
  return image.digest;
}

function emptyLayer(): PlatformError {
  return new PlatformError("layer-empty", {
    what: "a layer image without a single file",
    rule: "a layer image holds at least one file",
    fix: "check what it is made of",
  });
}

function sourceChanged({ path }: LayerEntry, why: string): PlatformError {
  return new PlatformError("source-changed", {
    what: `content of ${quoted(path)} is not what it was: ${why}`,
    rule: "content must stay as it is from when its digest was taken until it is pushed",
    fix: "run again when nothing writes there",
  });
}
