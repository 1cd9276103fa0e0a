// What an image is to be composed of, resolved to digests before the first resource is declared.
// Nothing is pushed here, and nothing is downloaded unless the caller allows it.

import { type BaseSource, installed } from "../base/packages";
import type { RegistryClient } from "../oci/client";
import type { Digest } from "../oci/digest";
import { folderLayerImage, type LayerImage } from "../oci/layer";
import { parsePinned } from "../oci/reference";
import type { Inputs } from "../pins/model";
import { filterRecord, mapRecord, mapRecordAsync } from "../record";
import type { RepositoryContent } from "../sources/repositoryContent";
import { pinnedLayer, type RepositorySource, remoteSource } from "../sources/repositorySource";
import { downloadRelease, releaseLayer } from "../sources/toolLayer";

/** An image, by digest. */
export interface ToolImage {
  readonly reference: string;
  /** The tool's file in a foreign image; absent for a layer image. */
  readonly member?: string;
  /** The layer image that a foreign image is repacked to. */
  readonly digest?: string;
}

/** A published download. */
export interface ToolRelease {
  readonly url: string;
  /** Of the download, 64 hex characters. */
  readonly sha256: string;
  /** The layer image that it becomes; a preview cannot know it without. */
  readonly digest?: string;
  /** The tool's file in an archive; absent where the download is the tool itself. */
  readonly member?: string;
}

/** Where one tool comes from; exactly one of `image` and `release`. */
export interface ToolSource {
  readonly version: string;
  /** Absolute path of the binary in the image. */
  readonly path: string;
  readonly image?: ToolImage;
  readonly release?: ToolRelease;
}

export interface Composition {
  /** Complete, or undefined while a digest is not known: that of a base with packages, or one of `unknown`. */
  readonly inputs: Inputs | undefined;
  /** Entries whose layer image digest stands in no pin and was not computed, as `pin` names them. */
  readonly unknown: readonly string[];
  /** Layer images of the folders, by repository name. */
  readonly folders: Readonly<Record<string, LayerImage>>;
  /** What was read of the repositories whose pin has no digest, by name. */
  readonly contents: Readonly<Record<string, RepositoryContent>>;
  /** Digests of releases that were downloaded because their pin has none, by tool name. */
  readonly downloaded: Readonly<Record<string, Digest>>;
}

/** What an image is made of, as a stack's settings have it. */
export interface CompositionSettings {
  readonly base: BaseSource;
  readonly image: { readonly user: string };
  readonly tools: Readonly<Record<string, ToolSource>>;
  readonly policies: Readonly<Record<string, RepositorySource>>;
  readonly mirrors: Readonly<Record<string, string>>;
  /** Environments that policies are delivered to. */
  readonly artifacts: { readonly environments: readonly string[]; readonly allow?: readonly string[] };
  /** OPA bundles by name. */
  readonly bundles: Readonly<Record<string, { readonly repositories: readonly string[] }>>;
}

export interface ComposeOptions {
  /**
   * Compute missing digests of releases and of repositories by downloading them, as an update does and a preview does not; a commit
   * that is in the cache is read by both.
   */
  readonly mayDownload: boolean;
  /** Digest of a base with packages; undefined while it is not known. */
  readonly base?: Digest;
  /** Reads the images that repositories are fetched from. */
  readonly client: RegistryClient;
}

/** Reads the folders, takes the other digests from their pins. */
export async function compose(
  { base, image: { user }, tools, policies, mirrors, artifacts, bundles }: CompositionSettings,
  { mayDownload, base: built, client }: ComposeOptions,
): Promise<Composition> {
  const folders = await mapRecordAsync(
    filterRecord(policies, ({ folder }) => folder !== undefined),
    ({ folder }, name) => folderLayerImage(folder!, { at: `/repos/${name}` }),
  );
  const contents = await unpinnedContents(client, policies, mayDownload);
  const layerOf = (source: RepositorySource, name: string) =>
    pinnedLayer(source) ?? (folders[name] ?? contents[name]?.image)?.digest;
  const unpinned = filterRecord(tools, (tool) => digestInPin(tool) === undefined);
  const downloaded = mayDownload
    ? await mapRecordAsync(filterRecord(unpinned, isRelease), (tool) => releaseDigest(tool, mirrors))
    : {};
  const digestOf = (tool: ToolSource, name: string) => digestInPin(tool) ?? downloaded[name];
  const unknown = [
    ...Object.keys(filterRecord(tools, (tool, name) => digestOf(tool, name) === undefined)),
    ...Object.keys(filterRecord(policies, (source, name) => layerOf(source, name) === undefined)).map((name) =>
      Object.hasOwn(tools, name) ? `policies.${name}` : name,
    ),
  ];
  const baseDigest = installed(base.packages) ? built : parsePinned(base.image).digest;
  const inputs = (baseDigest: Digest): Inputs => ({
    format: 1,
    artifacts,
    bundles,
    base: baseDigest,
    image: { user },
    repositories: mapRecord(policies, (source, name) => ({ digest: layerOf(source, name)! })),
    tools: mapRecord(tools, (tool, name) => ({ version: tool.version, digest: digestOf(tool, name)! })),
  });
  const isKnown = unknown.length === 0 && baseDigest !== undefined;
  return { inputs: isKnown ? inputs(baseDigest) : undefined, unknown, folders, contents, downloaded };
}

/** Of the repositories that are fetched, those whose pin is not complete. */
async function unpinnedContents(
  client: RegistryClient,
  policies: CompositionSettings["policies"],
  mayFetch: boolean,
): Promise<Record<string, RepositoryContent>> {
  const unpinned = Object.entries(policies).flatMap(([name, one]) => {
    const source = pinnedLayer(one) === undefined ? remoteSource(one) : undefined;
    return source ? [{ name, source }] : [];
  });
  if (unpinned.length === 0) return {};
  const { repositoryContent } = await import("../sources/repositoryContent"); // with git loaded here alone: mostly all is pinned
  const read = unpinned.map(async ({ name, source }) => {
    const content = await repositoryContent(source, { at: `/repos/${name}`, client, mayFetch });
    return content ? [[name, content] as const] : [];
  });
  return Object.fromEntries((await Promise.all(read)).flat());
}

function isRelease({ release }: ToolSource): boolean {
  return release !== undefined;
}

/** A layer image's own reference, or the digest that stands beside a source which is yet to be repacked. */
function digestInPin({ image, release }: ToolSource): Digest | undefined {
  if (image && image.member === undefined) return parsePinned(image.reference).digest;
  return (image?.digest ?? release?.digest) as Digest | undefined;
}

async function releaseDigest(
  { release, path }: ToolSource,
  mirrors: Readonly<Record<string, string>>,
): Promise<Digest> {
  return (await releaseLayer(await downloadRelease(release!, { mirrors }), release!.member, path)).digest;
}
