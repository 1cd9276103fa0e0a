// What changed in the policies of two released images: read from the images themselves, as a promotion needs no registry of layers.
import { layerNames } from "../dockerfile/layerNames";
import type { RegistryClient } from "../oci/client";
import { isContentGone } from "../oci/failures";
import { imageManifest } from "../oci/imageConfig";
import { readOneLayer } from "../oci/layer";
import type { Repository } from "../oci/reference";
import { editedRepositories, type StructureChanges } from "../pins/diff";
import type { Inputs } from "../pins/model";
import type { Files } from "../pins/structure";
import { printable } from "../printable";
import type { ReleasedImage } from "../release/history";

/** A release of ours, and where it is. */
export interface PlacedImage extends ReleasedImage {
  readonly inputs: Inputs;
  readonly repository: Repository;
}

export interface PolicyDifference {
  readonly structures: StructureChanges;
  /** By repository: `~ policies/require-probes.yaml`, `+ …`, `- …`, sorted by path. */
  readonly files: Readonly<Record<string, readonly string[]>>;
}

/** Bytes of an image's configuration. */
const maxConfigBytes = 8 * 1024 * 1024;

/** Of the repositories that are in both images and differ. One whose layer cannot be told is `unknown`, without files. */
export async function policyDifference(
  client: RegistryClient,
  old: PlacedImage,
  next: PlacedImage,
): Promise<PolicyDifference> {
  const names = editedRepositories(old.inputs, next.inputs);
  if (names.length === 0) return { structures: {}, files: {} };
  const [read, { structureChange }] = await Promise.all([
    Promise.all([old, next].map((image) => repositoriesIn(client, image, names))),
    import("../pins/structure"), // with its YAML parser loaded here alone: mostly nothing differs
  ]);
  const found = names.map((name) => {
    const [before, after] = read.map((files) => files.get(name));
    if (!before || !after) return { name, structure: "unknown" as const, files: [] };
    return { name, structure: structureChange(before, after), files: changedFiles(before, after) };
  });
  return {
    structures: Object.fromEntries(found.map(({ name, structure }) => [name, structure])),
    files: Object.fromEntries(found.map(({ name, files }) => [name, files])),
  };
}

/** The files of some repositories, by path in the repository; without those whose layer the image's history does not name. */
async function repositoriesIn(
  client: RegistryClient,
  { repository, digest, inputs }: PlacedImage,
  names: readonly string[],
): Promise<ReadonlyMap<string, Files>> {
  try {
    const { config, layers } = await imageManifest(client, repository, digest);
    const document: unknown = JSON.parse(
      (await client.blob(repository, config.digest, maxConfigBytes)).toString("utf8"),
    );
    const composed = { tools: Object.keys(inputs.tools), repositories: Object.keys(inputs.repositories) };
    const owners = layerNames(document, layers.length, composed);
    const read = names.map(async (name) => {
      const layer = layers[owners.lastIndexOf(name)]; // a tool of that name lies below
      return layer ? [[name, belowRepository(name, await readOneLayer(client, repository, layer))] as const] : [];
    });
    return new Map((await Promise.all(read)).flat());
  } catch (error) {
    if (isContentGone(error)) return new Map();
    throw error;
  }
}

function belowRepository(name: string, files: ReadonlyMap<string, Buffer>): Files {
  const root = `repos/${name}/`;
  return new Map(
    [...files].flatMap(([path, bytes]) => (path.startsWith(root) ? [[path.slice(root.length), bytes]] : [])),
  );
}

function changedFiles(before: Files, after: Files): string[] {
  const paths = [...new Set([...before.keys(), ...after.keys()])].sort();
  return paths.flatMap((path) => {
    const [was, is] = [before.get(path), after.get(path)];
    if (was && is) return was.equals(is) ? [] : [`~ ${printable(path)}`];
    return [`${is ? "+" : "-"} ${printable(path)}`];
  });
}
