// The stem of a release: what its image has below the policies, as an image of its own beside it. A later build of the same base
// and tools starts from there, with the very same bytes as without it, and neither reads nor packs a tool again.
import { canonicalJson, type Json } from "../canonicalJson";
import { copiesIn } from "../dockerfile/layerNames";
import { PlatformError } from "../errors";
import type { RegistryClient } from "../oci/client";
import { type Digest, sha256 } from "../oci/digest";
import { isContentGone } from "../oci/failures";
import { type ImageManifest, imageDocument, imageManifest } from "../oci/imageConfig";
import { formatReference, type Repository } from "../oci/reference";
import { type Inputs, inputDigest, inputDigestLabel, inputsLabel, parseInputs } from "../pins/model";

/** An image that is made of a released one. */
export interface Stem {
  readonly digest: Digest;
  readonly manifest: Buffer;
  readonly mediaType: string;
  readonly config: Buffer;
}

type HistoryEntry = Readonly<Record<string, Json>>;

/** What this reads of an image's configuration. */
interface ImageDocument {
  readonly config?: Readonly<Record<string, Json>> | null;
  readonly history?: readonly HistoryEntry[];
  readonly rootfs?: { readonly diff_ids?: readonly string[] };
  readonly architecture?: string;
  readonly os?: string;
  readonly variant?: string;
}

/**
 * The stem of an image, by its manifest and its configuration, with its pins; undefined for a foreign image, and for one whose history
 * does not say whose its layers are. Images of equal base and tools have equal stems: what the Dockerfile sets anyway is left out.
 */
export function stemOf(
  { mediaType, config, layers }: ImageManifest,
  document: ImageDocument,
): { readonly inputs: Inputs; readonly stem: Stem } | undefined {
  const { architecture, os, variant, history = [], rootfs } = document;
  const inputs = inputsOf(document);
  const diffIds = rootfs?.diff_ids ?? [];
  if (inputs === undefined || diffIds.length !== layers.length) return undefined;
  const tools = Object.keys(inputs.tools);
  const copies = copiesIn(document, layers.length, { tools, repositories: Object.keys(inputs.repositories) });
  const lastTool = copies[tools.length - 1];
  if (lastTool === undefined) return undefined;
  const count = lastTool + 1;
  const stemConfig = Buffer.from(
    canonicalJson({
      architecture,
      config: settingsOf(document),
      created: "1970-01-01T00:00:00Z",
      history: history.slice(0, entriesOf(history, count)),
      os,
      rootfs: { diff_ids: diffIds.slice(0, count), type: "layers" },
      variant,
    }),
  );
  const manifest = Buffer.from(
    canonicalJson({
      config: { digest: sha256(stemConfig), mediaType: config.mediaType, size: stemConfig.length },
      layers: layers.slice(0, count).map((layer) => ({
        digest: layer.digest,
        mediaType: layer.mediaType,
        size: layer.size,
      })),
      mediaType,
      schemaVersion: 2,
    }),
  );
  return { inputs, stem: { digest: sha256(manifest), manifest, mediaType, config: stemConfig } };
}

/** Puts the stem of a released image beside it, unless it is there. Its layers are: only a configuration and a manifest are sent. */
export async function leaveStem(client: RegistryClient, repository: Repository, digest: Digest): Promise<void> {
  const stem = (await readStem(client, repository, digest))?.stem;
  if (stem === undefined || (await client.resolve(repository, stem.digest)) !== undefined) return;
  const config = { digest: sha256(stem.config), size: stem.config.length };
  await client.pushBlob(repository, config, { bytes: stem.config });
  await client.putManifest(repository, stem.digest, stem.manifest, stem.mediaType);
}

/** An image, and where it is. */
interface PlacedImage {
  readonly repository: Repository;
  readonly digest: Digest;
}

export interface StemSearch {
  /** Where releases are, and their stems. */
  readonly repository: Repository;
  /** What this stack built last: no other's stem is started from, as only what a stack built itself is known to be made of its pins. */
  readonly last: PlacedImage | undefined;
  /** What is to be built. */
  readonly inputs: Inputs;
  /** True where `last` is what is to be built: then the stem only tells how it was, and need not be there any more. */
  readonly isBuilt: boolean;
}

/**
 * The stem to build from, `host/path@sha256:…`: that of the stack's last build, while it has the same base and tools. Undefined where
 * there is none; then everything is composed anew.
 */
export async function findStem(
  client: RegistryClient,
  { repository, last, inputs, isBuilt }: StemSearch,
): Promise<string | undefined> {
  const found = last && (await readStem(client, last.repository, last.digest));
  if (!found || !hasSameStem(found.inputs, inputs)) return undefined;
  const { digest } = found.stem;
  const isThere = isBuilt || (await client.resolve(repository, digest)) !== undefined;
  return isThere ? formatReference({ ...repository, digest }) : undefined;
}

/** Undefined for an image that is gone, or has no stem. */
async function readStem(client: RegistryClient, repository: Repository, digest: Digest) {
  try {
    const manifest = await imageManifest(client, repository, digest);
    return stemOf(manifest, (await imageDocument(client, repository, manifest)) as ImageDocument);
  } catch (error) {
    const isUnreadable = error instanceof PlatformError && error.code === "manifest-malformed";
    if (isUnreadable || isContentGone(error)) return undefined;
    throw error;
  }
}

/** The layers below the policies, and the template that they were made by. */
function hasSameStem(one: Inputs, other: Inputs): boolean {
  const below = ({ base, format, tools }: Inputs) => inputDigest({ ...one, base, format, tools });
  return below(one) === below(other);
}

/** Undefined where the label is absent, or not what this program writes. */
function inputsOf({ config }: ImageDocument): Inputs | undefined {
  const labels = (config?.Labels ?? {}) as Readonly<Record<string, unknown>>;
  const text = labels[inputsLabel];
  try {
    const inputs = typeof text === "string" ? parseInputs(text) : undefined;
    return inputs && labels[inputDigestLabel] === inputDigest(inputs) ? inputs : undefined;
  } catch {
    return undefined;
  }
}

/** Of the base: without what every Dockerfile of this format sets, as releases may differ in it. */
function settingsOf({ config }: ImageDocument): Json {
  const { User: _user, WorkingDir: _folder, Cmd: _command, Entrypoint: _entrypoint, Labels, ...rest } = config ?? {};
  const { [inputsLabel]: _inputs, [inputDigestLabel]: _digest, ...labels } = Labels as Record<string, Json>;
  return { ...rest, ...(Object.keys(labels).length > 0 ? { Labels: labels } : {}) };
}

/** How many entries of a history it takes to have so many layers. */
function entriesOf(history: readonly HistoryEntry[], layers: number): number {
  let left = layers;
  return history.findIndex(({ empty_layer }) => empty_layer !== true && --left === 0) + 1;
}
