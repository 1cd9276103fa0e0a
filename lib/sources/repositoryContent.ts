// What a policy repository holds that is not a folder of this machine: a commit of a git repository, or a folder of an image
// that somebody else made. Whoever pins it, previews it and pushes it must come to the same digest, so all make it here.
import { PlatformError } from "../errors";
import { gitTree } from "../git/repository";
import type { RegistryClient } from "../oci/client";
import type { Digest } from "../oci/digest";
import { readImageFolder } from "../oci/imageFolder";
import { type LayerImage, layerImage } from "../oci/layer";
import { parsePinned } from "../oci/reference";
import { type Tree, treeEntries } from "../oci/tree";
import type { RemoteSource } from "./repositorySource";

/** What ships of it. */
export interface RepositoryContent {
  readonly image: LayerImage;
  /** Everything that is there, the tests too. */
  readonly tree: Tree;
  /** A file that ships, by its path in the repository. */
  read(path: string): Promise<Buffer>;
}

export interface ContentOptions {
  /** Where its files go in the image: `/repos/<name>`. */
  readonly at: string;
  /** Of the registry of a foreign image. */
  readonly client: RegistryClient;
  /** False: only a commit that is in the cache is read. Default true. */
  readonly mayFetch?: boolean;
  readonly signal?: AbortSignal;
  readonly log?: (text: string) => void;
}

/**
 * Reads a source; undefined where it may not be fetched. A pin's digest is held to what is found.
 * Errors: those of `gitTree`, `readImageFolder`, `treeEntries` and `layerImage`; `layer-digest-mismatch`.
 */
export async function repositoryContent(
  source: RemoteSource,
  { at, client, mayFetch = true, signal, log }: ContentOptions,
): Promise<RepositoryContent | undefined> {
  if (!("git" in source) && !mayFetch) return undefined;
  const tree =
    "git" in source
      ? await gitTree(source.git, { mayFetch, signal, log })
      : await readImageFolder(client, parsePinned(source.image), source.path);
  if (tree === undefined) return undefined;
  const entries = treeEntries(tree, at);
  const image = await layerImage(entries, { root: at });
  requireDigest(source, image.digest);
  const byPath = new Map(entries.map((entry) => [entry.path, entry]));
  const read = async (path: string) => byPath.get(`${at}/${path}`)!.open() as Buffer;
  return { image, tree, read };
}

/** How messages name a source. */
export function shownSource(source: RemoteSource): string {
  if (!("git" in source)) return `${source.path} of ${source.image}`;
  const { url, commit, path } = source.git;
  return `${url} at ${commit.slice(0, 12)}${path === undefined ? "" : `, ${path}`}`;
}

function requireDigest(source: RemoteSource, found: Digest): void {
  const wanted = "git" in source ? source.git.digest : source.digest;
  if (wanted === undefined || wanted === found) return;
  throw new PlatformError("layer-digest-mismatch", {
    what: `${shownSource(source)} gives the layer image ${found}, and its pin says ${wanted}`,
    rule: "a layer image is pinned by the digest of its manifest",
    fix: `if ${"git" in source ? "commit and path are" : "image and path are"} right, pin it again: policy-platform pin NAME, or correct the digest: ${found}`,
  });
}
