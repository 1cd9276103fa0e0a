// Compares the structure of policy repositories between two releases: old content from its layer image, new from the program.
import type { Readable } from "node:stream";
import type { RegistryClient } from "../oci/client";
import type { Digest } from "../oci/digest";
import { isContentGone } from "../oci/failures";
import { readLayerFiles } from "../oci/layer";
import type { Repository } from "../oci/reference";
import { readTar } from "../oci/tarReader";
import { editedRepositories, type StructureChanges } from "../pins/diff";
import type { Inputs } from "../pins/model";
import type { Files, StructureChange } from "../pins/structure";
import { recallStructure, rememberStructure } from "./structureMemory";

/** Where the content of policy repositories is. */
export interface Contents {
  /** Where layer images of a policy repository are, the likeliest place first. */
  readonly layers: (name: string) => readonly Repository[];
  /** Layer images that the program made itself, by repository name: read from there, as they may not be pushed yet. */
  readonly folders: Readonly<Record<string, { readonly digest: Digest; open(): Readable }>>;
  /** File that remembers the comparisons of one repository; default: nothing is remembered. */
  readonly memory?: (name: string) => string;
}

/** One entry for each repository that is in both and differs; nothing is read for the others, nor for what is remembered. */
export async function structureChanges(
  client: RegistryClient,
  contents: Contents,
  old: Inputs,
  next: Inputs,
): Promise<StructureChanges> {
  const changes = editedRepositories(old, next).map(async (name) => {
    const [from, to] = [old.repositories[name]!.digest, next.repositories[name]!.digest];
    const memory = contents.memory?.(name);
    const known = memory && (await recallStructure(memory, from, to));
    if (known) return [name, known] as const;
    const change = await compareContents(client, contents, name, from, to);
    if (memory && change !== "unknown") await rememberStructure(memory, from, to, change);
    return [name, change] as const;
  });
  return Object.fromEntries(await Promise.all(changes));
}

async function compareContents(
  client: RegistryClient,
  contents: Contents,
  name: string,
  from: Digest,
  to: Digest,
): Promise<StructureChange | "unknown"> {
  const [before, after] = await Promise.all([from, to].map((digest) => filesOf(client, contents, name, digest)));
  if (!before || !after) return "unknown";
  const { structureChange } = await import("../pins/structure"); // with its YAML parser loaded here alone: mostly nothing differs
  return structureChange(before, after);
}

/** Undefined when the registry has the layer image no more. */
async function filesOf(
  client: RegistryClient,
  { layers, folders }: Contents,
  name: string,
  digest: Digest,
): Promise<Files | undefined> {
  const own = Object.hasOwn(folders, name) && folders[name]!.digest === digest ? folders[name] : undefined;
  return own ? belowRepository(name, await untar(own.open())) : contentIn(client, layers(name), name, digest);
}

/**
 * What a policy repository's layer image holds, by path in the repository, from the first place that has it; undefined where none
 * has. What lies elsewhere in the image keeps its absolute path.
 */
export async function contentIn(
  client: RegistryClient,
  [first, ...others]: readonly Repository[],
  name: string,
  digest: Digest,
): Promise<Files | undefined> {
  if (first === undefined) return undefined;
  try {
    return belowRepository(name, await readLayerFiles(client, first, digest));
  } catch (error) {
    if (isContentGone(error)) return contentIn(client, others, name, digest);
    throw error;
  }
}

function belowRepository(name: string, files: ReadonlyMap<string, Buffer>): Files {
  const root = `repos/${name}/`;
  return new Map(
    [...files].map(([path, content]) => [path.startsWith(root) ? path.slice(root.length) : `/${path}`, content]),
  );
}

/** Files of a layer that this program made: it holds nothing but folders and files. */
async function untar(tar: Readable): Promise<Map<string, Buffer>> {
  const files = new Map<string, Buffer>();
  const wrong = (why: string) => new Error(`a layer of our own cannot be read: ${why}`);
  for await (const { path, type, content } of readTar(tar, { packing: "none", wrong })) {
    if (type !== "file") continue;
    const chunks: Buffer[] = [];
    for await (const chunk of content) chunks.push(chunk);
    files.set(path, Buffer.concat(chunks));
  }
  return files;
}
