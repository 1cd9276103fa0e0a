// Copies of whole graphs by digest, and the check that a graph is whole.
import { PlatformError } from "../errors";
import type { RegistryClient } from "./client";
import type { Digest } from "./digest";
import { type GraphNode, walkGraph } from "./graph";
import { isSameRegistry } from "./hosts";
import type { Descriptor } from "./manifest";
import { eachOf } from "./parallel";
import { formatReference, type Repository } from "./reference";

export interface CopyRequest {
  readonly from: Repository;
  readonly to: Repository;
  readonly digest: Digest;
  readonly log?: (text: string) => void;
}

/** What a copy did, in blobs; `bytes` are those uploaded. */
export interface CopyResult {
  readonly copied: number;
  readonly mounted: number;
  readonly present: number;
  readonly bytes: number;
}

/**
 * Makes `to` hold the graph of a digest: blobs found, mounted or streamed, then manifests by digest, children first, no tag.
 * `from` is asked only for what `to` lacks, so a copy that is whole needs no source. A blob that `to` calls present but does
 * not accept in a manifest is uploaded again. Errors: `manifest-missing`, `blob-missing`.
 */
export async function copyGraph(client: RegistryClient, { from, to, digest, log }: CopyRequest): Promise<CopyResult> {
  const held = new Set<Digest>();
  const read = async (wanted: Digest) => {
    const here = await client.manifest(to, wanted);
    if (here !== undefined) held.add(wanted);
    return here ?? (await client.manifest(from, wanted));
  };
  const nodes = await walkGraph(digest, read, (missing) => fail(missing, from, to), client.limits);

  if (!held.has(digest)) log?.(`copying ${digest} to ${formatReference(to)}`);
  const total = { copied: 0, mounted: 0, present: 0, bytes: 0 };
  const mountFrom = isSameRegistry(from.registry, to.registry) ? from : "any";
  const expected = new Set(nodes.filter((node) => held.has(node.digest)).flatMap(blobDigests));
  const push = async (blob: Descriptor, force: boolean) => {
    const result = await client.pushBlob(
      to,
      blob,
      { stream: () => client.blobStream(from, blob.digest, blob.size) },
      { mountFrom, force, likelyAbsent: !expected.has(blob.digest) },
    );
    total[result === "uploaded" ? "copied" : result]++;
    if (result !== "uploaded") return;
    total.bytes += blob.size;
    log?.(`copied ${blob.digest} (${blob.size} bytes) to ${formatReference(to)}`);
  };
  const blobs = [...new Map(nodes.flatMap((node) => node.blobs).map((blob) => [blob.digest, blob])).values()];
  await eachOf(blobs, client.limits.parallelBlobs, (blob) => push(blob, false));
  for (const node of nodes) {
    if (!held.has(node.digest))
      await putNode(client, to, node, () =>
        eachOf(node.blobs, client.limits.parallelBlobs, (blob) => push(blob, true)),
      );
  }
  return total;
}

/** Puts a manifest; where the registry does not know a blob that it called present, `uploadAgain` first, then once more. */
export async function putNode(
  client: RegistryClient,
  to: Repository,
  node: Pick<GraphNode, "digest" | "bytes" | "mediaType">,
  uploadAgain: () => Promise<void>,
): Promise<void> {
  try {
    await client.putManifest(to, node.digest, node.bytes, node.mediaType);
  } catch (error) {
    if (!(error instanceof PlatformError) || error.code !== "manifest-blob-unknown") throw error;
    await uploadAgain();
    await client.putManifest(to, node.digest, node.bytes, node.mediaType);
  }
}

/** What a repository lacks of a graph: digests of manifests and blobs, `[]` when it is whole, the digest itself when that is gone. */
export async function missingFrom(client: RegistryClient, repository: Repository, digest: Digest): Promise<Digest[]> {
  const missing: Digest[] = [];
  const nodes = await walkGraph(
    digest,
    (wanted) => client.manifest(repository, wanted),
    (wanted) => void missing.push(wanted),
    client.limits,
  );
  const blobs = [...new Set(nodes.flatMap(blobDigests))];
  await eachOf(blobs, client.limits.parallelBlobs, async (blob) => {
    if (!(await client.hasBlob(repository, blob))) missing.push(blob);
  });
  return missing.sort();
}

function blobDigests({ blobs }: GraphNode): Digest[] {
  return blobs.map(({ digest }) => digest);
}

function fail(digest: Digest, from: Repository, to: Repository): never {
  throw new PlatformError("manifest-missing", {
    what: `image ${digest} is neither in ${formatReference(to)} nor in ${formatReference(from)}`,
    rule: "an image is copied from a repository that holds it",
    fix: `build or push it to ${formatReference(from)} again`,
  });
}
