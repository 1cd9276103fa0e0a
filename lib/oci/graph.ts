// The graph below one digest: an image, or an index with its images, children before parents.
import { PlatformError } from "../errors";
import type { Digest } from "./digest";
import type { Limits } from "./limits";
import { type Descriptor, readManifest } from "./manifest";
import { isForeignLayerType } from "./mediaTypes";

/** One manifest of a graph with the blobs that it needs beside it. */
export interface GraphNode {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly bytes: Uint8Array;
  /** Config and layers; none for an index. */
  readonly blobs: readonly Descriptor[];
}

/** What a walk reads of one manifest; undefined when it is nowhere to be found. */
export type ReadManifest = (
  digest: Digest,
) => Promise<{ readonly bytes: Uint8Array; readonly mediaType: string } | undefined>;

/**
 * All manifests below `root`, each once, children before parents. `missing` decides what happens to one that cannot be
 * read: it throws, or returns and the walk goes on without it. Error: `graph-too-large`.
 */
export async function walkGraph(
  root: Digest,
  read: ReadManifest,
  missing: (digest: Digest) => void,
  limits: Limits,
): Promise<GraphNode[]> {
  const nodes = new Map<Digest, GraphNode>();
  const visit = async (digest: Digest, depth: number): Promise<void> => {
    if (nodes.has(digest)) return;
    if (depth > limits.indexDepth || nodes.size >= limits.graphManifests) throw tooLarge(root, limits);
    const found = await read(digest);
    if (found === undefined) return missing(digest);
    const content = readManifest(found.bytes, found.mediaType);
    if (content.kind === "index") for (const child of content.manifests) await visit(child.digest, depth + 1);
    const all =
      content.kind === "index"
        ? []
        : [content.config, ...content.layers.filter((layer) => !isForeignLayerType(layer.mediaType))];
    const blobs = [...new Map(all.map((blob) => [blob.digest, blob])).values()];
    nodes.set(digest, { digest, mediaType: found.mediaType, bytes: found.bytes, blobs });
  };
  await visit(root, 0);
  return [...nodes.values()];
}

function tooLarge(root: Digest, { indexDepth, graphManifests }: Limits): PlatformError {
  return new PlatformError("graph-too-large", {
    what: `image ${root} is an index of too many images`,
    rule: `an image has at most ${graphManifests} manifests, indexes nested at most ${indexDepth} deep`,
    fix: "choose the image of one platform",
  });
}
