// Looks at a registry from outside, by plain requests and none of this program's code: what every tag of a release
// repository names, and whether that is whole and says truly what it was made from.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";

export interface TaggedImage {
  readonly digest: string;
  /** Label `dev.policychain.input-digest`. */
  readonly inputDigest: string;
}

interface Manifest {
  readonly config: { readonly digest: string };
  readonly layers: readonly { readonly digest: string }[];
}

const manifestType = "application/vnd.oci.image.manifest.v1+json";

/** Tag → image, of a repository that may not be there yet. Fails for an image that is not whole or whose labels do not agree. */
export async function auditTags(host: string, path: string): Promise<Map<string, TaggedImage>> {
  const base = `http://${host}/v2/${path}`;
  const list = await fetch(`${base}/tags/list?n=10000`);
  const { tags } = (list.status === 404 ? { tags: [] } : await list.json()) as { tags: string[] | null };
  const seen = new Map<string, Promise<TaggedImage>>();
  const entries = (tags ?? []).map(async (tag) => {
    const answer = await fetch(`${base}/manifests/${tag}`, { method: "HEAD", headers: { accept: manifestType } });
    assert.equal(answer.status, 200, tag);
    const digest = answer.headers.get("docker-content-digest")!;
    if (!seen.has(digest)) seen.set(digest, auditImage(base, digest));
    return [tag, await seen.get(digest)!] as const;
  });
  return new Map(await Promise.all(entries));
}

async function auditImage(base: string, digest: string): Promise<TaggedImage> {
  const answer = await fetch(`${base}/manifests/${digest}`, { headers: { accept: manifestType } });
  const bytes = Buffer.from(await answer.arrayBuffer());
  assert.equal(sha256(bytes), digest);
  const { config, layers } = JSON.parse(bytes.toString()) as Manifest;
  for (const { digest: blob } of [config, ...layers]) {
    const found = await fetch(`${base}/blobs/${blob}`, { method: "HEAD" });
    assert.equal(found.status, 200, `${blob} of ${digest}`);
  }
  const image = (await (await fetch(`${base}/blobs/${config.digest}`)).json()) as {
    readonly config: { readonly Labels: Readonly<Record<string, string>> };
  };
  const inputDigest = image.config.Labels["dev.policychain.input-digest"]!;
  assert.equal(sha256(image.config.Labels["dev.policychain.inputs"]!), inputDigest, `labels of ${digest}`);
  return { digest, inputDigest };
}

function sha256(bytes: Buffer | string): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}
