// What changed in the policies of two released images: read from the images themselves, as a promotion needs no registry of layers.
import { repositoryLayer } from "../dockerfile/layerNames";
import { PlatformError } from "../errors";
import type { RegistryClient } from "../oci/client";
import { shortDigest } from "../oci/digest";
import { isContentGone } from "../oci/failures";
import { imageDocument, imageManifest } from "../oci/imageConfig";
import { readOneLayer } from "../oci/layer";
import { contentLimits } from "../oci/limits";
import type { Descriptor } from "../oci/manifest";
import { eachOf } from "../oci/parallel";
import type { Repository } from "../oci/reference";
import { editedRepositories, type StructureChanges } from "../pins/diff";
import type { Inputs } from "../pins/model";
import type { Files, StructureChange } from "../pins/structure";
import { printable } from "../printable";
import type { ReleasedImage } from "../release/history";

/** A release of ours, and where it is. */
export interface PlacedImage extends ReleasedImage {
  readonly inputs: Inputs;
  readonly repository: Repository;
}

export interface PolicyDifference {
  readonly structures: StructureChanges;
  /** By pin, `policies.security-policy`: `~ policies/require-probes.yaml`, `+ …`, `- …`, sorted by path, or `? …`: why that cannot be told. */
  readonly lines: ReadonlyMap<string, readonly string[]>;
}

/** Files of the largest folder that is packed, each in some folders of its own: reading what is no layer of ours ends soon. */
const maxEntries = 5 * contentLimits.folderFiles;
/** Repositories in memory at the same time, each twice: a hostile layer may have as much as the largest one of ours. */
const parallel = 2;
/** Errors about what a layer holds: notes cannot be written of it, and that is no reason to stay with the release that has it. */
const unreadableCodes: readonly string[] = [
  "layer-malformed",
  "layer-too-large",
  "layer-unsupported",
  "manifest-malformed",
];

/** Of the repositories that are in both images and differ. One that cannot be read, in either image, is `unknown`. */
export async function policyDifference(
  client: RegistryClient,
  old: PlacedImage,
  next: PlacedImage,
): Promise<PolicyDifference> {
  const names = editedRepositories(old.inputs, next.inputs);
  const lines = new Map<string, readonly string[]>();
  if (names.length === 0) return { structures: {}, lines };
  const [before, after, { structureChange }] = await Promise.all([
    policyReader(client, old),
    policyReader(client, next),
    import("../pins/structure"), // with its YAML parser loaded here alone: mostly nothing differs
  ]);
  const structures = new Map<string, StructureChange | "unknown">();
  await eachOf(names, parallel, async (name) => {
    const [was, is] = await Promise.all([before(name), after(name)]);
    const isRead = typeof was !== "string" && typeof is !== "string";
    structures.set(name, isRead ? structureChange(was, is) : "unknown");
    const unread = [was, is].filter((content) => typeof content === "string");
    lines.set(`policies.${name}`, isRead ? changedFiles(was, is) : unread.map((why) => `? ${why}`));
  });
  return { structures: Object.fromEntries(structures), lines };
}

/** Reads one repository after the other out of an image: its files by path in the repository, or why they cannot be read. */
export async function policyReader(
  client: RegistryClient,
  image: PlacedImage,
): Promise<(name: string) => Promise<Files | string>> {
  const { repository, digest, inputs } = image;
  const found = await orWhy(async () => {
    const manifest = await imageManifest(client, repository, digest);
    const { layers } = manifest;
    const document = await imageDocument(client, repository, manifest);
    const composed = { tools: Object.keys(inputs.tools), repositories: Object.keys(inputs.repositories) };
    return { layers, at: (name: string) => repositoryLayer(document, layers.length, composed, name) };
  });
  return async (name) => {
    if (typeof found === "string") return found;
    const layer = found.layers[found.at(name) ?? -1];
    if (!layer) return `the history of ${shortDigest(digest)} does not tell which layer has it`;
    return orWhy(() => filesIn(client, image, layer, name));
  };
}

async function filesIn(
  client: RegistryClient,
  { repository }: PlacedImage,
  layer: Descriptor,
  name: string,
): Promise<Files> {
  const root = `repos/${name}/`;
  const files = [...(await readOneLayer(client, repository, layer, { maxEntries }))];
  return new Map(files.flatMap(([path, bytes]) => (path.startsWith(root) ? [[path.slice(root.length), bytes]] : [])));
}

/** What `read` gives, or the sentence about content that is gone or cannot be read; what a registry fails at is thrown. */
async function orWhy<T>(read: () => Promise<T>): Promise<T | string> {
  try {
    return await read();
  } catch (error) {
    const isUnreadable = error instanceof PlatformError && unreadableCodes.includes(error.code);
    if (isUnreadable || isContentGone(error)) return error.problem.what;
    throw error;
  }
}

function changedFiles(before: Files, after: Files): string[] {
  const paths = [...new Set([...before.keys(), ...after.keys()])].sort();
  return paths.flatMap((path) => {
    const [was, is] = [before.get(path), after.get(path)];
    if (was && is) return was.equals(is) ? [] : [`~ ${printable(path)}`];
    return [`${is ? "+" : "-"} ${printable(path)}`];
  });
}
