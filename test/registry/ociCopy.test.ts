// Copies of graphs between repositories and registries, with the real registry behind a proxy that lies.
import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { RegistryClient } from "../../lib/oci/client";
import { copyGraph, missingFrom } from "../../lib/oci/copy";
import { type Digest, sha256 } from "../../lib/oci/digest";
import { layerImage, pushLayerImage } from "../../lib/oci/layer";
import { indexType, manifestType } from "../../lib/oci/mediaTypes";
import { refused } from "../support/refused";
import { startRegistry, type TestRegistry } from "../support/registry";
import { quickLimits } from "../support/scriptedRegistry";
import { type Script, type ScriptedServer, startScriptedServer } from "../support/scriptedServer";

const imageOf = (text: string) =>
  layerImage([{ path: "/a", executable: false, size: Buffer.byteLength(text), open: () => Buffer.from(text) }]);

describe("copying a graph", function () {
  this.timeout(20_000);
  let registry: TestRegistry;
  let other: TestRegistry;
  let proxy: ScriptedServer;
  const client = new RegistryClient({ limits: quickLimits });
  const from = () => ({ registry: registry.host, path: "candidates/image" });
  let count = 0;
  const fresh = (host = registry.host) => ({ registry: host, path: `releases/image-${count++}` });
  before(async () => {
    [registry, other] = await Promise.all([startRegistry(), startRegistry()]);
    proxy = await startScriptedServer(() => "forward", { forwardTo: registry.host });
  });
  after(async () => void (await Promise.all([registry.stop(), other.stop(), proxy.stop()])));
  afterEach(() => proxy.answer(() => "forward"));

  const index = async () => {
    const manifests = [];
    for (const architecture of ["amd64", "arm64"]) {
      const image = await imageOf(architecture);
      await pushLayerImage(client, from(), image);
      manifests.push({
        mediaType: manifestType,
        digest: image.digest,
        size: image.manifest.length,
        platform: { os: "linux", architecture },
      });
    }
    return client.putManifest(
      from(),
      "index",
      Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: indexType, manifests })),
      indexType,
    );
  };

  it("within a registry mounts the blobs, sends no byte of them and makes no tag", async () => {
    const image = await imageOf("within");
    await pushLayerImage(client, from(), image);
    const to = fresh();
    assert.deepEqual(await copyGraph(client, { from: from(), to, digest: image.digest }), {
      copied: 0,
      mounted: 2,
      present: 0,
      bytes: 0,
    });
    assert.deepEqual(await missingFrom(client, to, image.digest), []);
    assert.deepEqual(await client.tags(to), []);
    assert.deepEqual(await copyGraph(client, { from: from(), to, digest: image.digest }), {
      copied: 0,
      mounted: 0,
      present: 2,
      bytes: 0,
    });
  });

  it("between registries streams what is missing, and tells so", async () => {
    const image = await imageOf("between");
    await pushLayerImage(client, from(), image);
    const to = fresh(other.host);
    const lines: string[] = [];
    const result = await copyGraph(client, { from: from(), to, digest: image.digest, log: (line) => lines.push(line) });
    assert.deepEqual(result, { copied: 2, mounted: 0, present: 0, bytes: image.layer.size + image.config.length });
    assert.match(lines[0]!, /^copying sha256:/);
    assert.equal(lines.filter((line) => line.startsWith("copied")).length, 2);
    assert.deepEqual((await client.manifest(to, image.digest))?.bytes, image.manifest);
    assert.deepEqual(await missingFrom(client, to, image.digest), []);
  });

  it("takes an index with all its images, children before parents", async () => {
    const digest = await index();
    const to = { ...fresh(), registry: proxy.host };
    const before = proxy.requests.length;
    assert.deepEqual(await copyGraph(client, { from: { ...from(), registry: proxy.host }, to, digest }), {
      copied: 0,
      mounted: 4,
      present: 0,
      bytes: 0,
    });
    const puts = proxy.requests.slice(before).filter(({ method }) => method === "PUT");
    assert.deepEqual(
      puts.map(({ path }) => path.split("/").at(-1)),
      [(await imageOf("amd64")).digest, (await imageOf("arm64")).digest, digest],
    );
    assert.deepEqual(await missingFrom(client, to, digest), []);
  });

  it("that is whole needs no source", async () => {
    const image = await imageOf("no source");
    const to = fresh();
    await pushLayerImage(client, to, image);
    const gone = { registry: registry.host, path: "candidates/gone" };
    assert.deepEqual(await copyGraph(client, { from: gone, to, digest: image.digest }), {
      copied: 0,
      mounted: 0,
      present: 2,
      bytes: 0,
    });
  });

  it("names both repositories when neither has the image", async () => {
    const error = await refused("manifest-missing", () =>
      copyGraph(client, { from: from(), to: fresh(), digest: sha256("gone") }),
    );
    assert.match(error.message, /neither in .*releases.* nor in .*candidates\/image/);
  });

  /** Deletes what makes a blob part of a repository, as a registry's garbage collection does. */
  const lose = (repository: string, digest: Digest) =>
    rmSync(
      join(registry.dir, "storage/docker/registry/v2/repositories", repository, "_layers/sha256", digest.slice(7)),
      { recursive: true },
    );

  it("puts back a blob that is gone under a manifest that is still there", async () => {
    const image = await imageOf("blob gone");
    await pushLayerImage(client, from(), image);
    const to = fresh();
    await copyGraph(client, { from: from(), to, digest: image.digest });
    lose(to.path, image.layer.digest);
    assert.deepEqual(await missingFrom(client, to, image.digest), [image.layer.digest]);
    assert.deepEqual(await copyGraph(client, { from: from(), to, digest: image.digest }), {
      copied: 0,
      mounted: 1,
      present: 1,
      bytes: 0,
    });
    assert.deepEqual(await missingFrom(client, to, image.digest), []);
  });

  it("says which blob is gone when the source is gone too", async () => {
    const image = await imageOf("both gone");
    const to = fresh();
    await pushLayerImage(client, to, image);
    lose(to.path, image.layer.digest);
    const error = await refused("blob-missing", () =>
      copyGraph(client, { from: { registry: other.host, path: "gone" }, to, digest: image.digest }),
    );
    assert.match(error.message, new RegExp(image.layer.digest));
  });

  it("names what a graph lacks: its own manifest, a child's, a blob", async () => {
    assert.deepEqual(await missingFrom(client, fresh(), sha256("gone")), [sha256("gone")]);
    const digest = await index();
    const to = fresh();
    await copyGraph(client, { from: from(), to, digest });
    const child = await imageOf("arm64");
    rmSync(
      join(
        registry.dir,
        "storage/docker/registry/v2/repositories",
        to.path,
        "_manifests/revisions/sha256",
        child.digest.slice(7),
      ),
      { recursive: true },
    );
    lose(to.path, (await imageOf("amd64")).layer.digest);
    assert.deepEqual(
      await missingFrom(client, to, digest),
      [child.digest, (await imageOf("amd64")).layer.digest].sort(),
    );
  });

  it("uploads a blob again that the registry calls present but does not accept in a manifest", async () => {
    const image = await imageOf("called present");
    await pushLayerImage(client, from(), image);
    const lying: Script = ({ method, path }) =>
      method === "HEAD" && path.includes("/blobs/") ? { status: 200 } : "forward";
    proxy.answer(lying);
    const to = { ...fresh(), registry: proxy.host };
    const result = await copyGraph(client, { from: from(), to, digest: image.digest });
    assert.deepEqual(result, { copied: 2, mounted: 0, present: 2, bytes: image.layer.size + image.config.length });
    const pushed = { ...fresh(), registry: proxy.host };
    assert.equal(await pushLayerImage(client, pushed, image), image.digest);
    proxy.answer(() => "forward");
    assert.deepEqual(await missingFrom(client, to, image.digest), []);
    assert.deepEqual(await missingFrom(client, pushed, image.digest), []);
  });

  it("uploads where the registry answers every mount with an upload of its own", async () => {
    const image = await imageOf("no mount");
    await pushLayerImage(client, from(), image);
    proxy.answer(({ method, path }) => (method === "POST" && path.includes("mount=") ? { status: 405 } : "forward"));
    const to = { ...fresh(), registry: proxy.host };
    assert.equal(
      (await copyGraph(client, { from: { ...from(), registry: proxy.host }, to, digest: image.digest })).copied,
      2,
    );
  });

  it("writes nothing more after it is aborted", async () => {
    const image = await imageOf("aborted");
    await pushLayerImage(client, from(), image);
    const controller = new AbortController();
    const before = proxy.requests.length;
    proxy.answer(({ method }) => {
      if (method === "POST") controller.abort(new Error("cancelled"));
      return "forward";
    });
    const aborted = new RegistryClient({ signal: controller.signal });
    const to = { ...fresh(), registry: proxy.host };
    await assert.rejects(
      copyGraph(aborted, { from: { ...from(), registry: proxy.host }, to, digest: image.digest }),
      /cancelled/,
    );
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.equal(
      proxy.requests.slice(before).some(({ method }) => method === "PUT"),
      false,
    );
    assert.equal(await client.resolve({ ...to, registry: registry.host }, image.digest), undefined);
  });

  it("refuses an index that has no end", async () => {
    const repository = fresh();
    const image = await imageOf("deep");
    await pushLayerImage(client, repository, image);
    let child = { mediaType: manifestType, digest: image.digest, size: image.manifest.length };
    for (let depth = 0; depth < 6; depth++) {
      const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: indexType, manifests: [child] }));
      child = {
        mediaType: indexType,
        digest: await client.putManifest(repository, sha256(bytes), bytes, indexType),
        size: bytes.length,
      };
    }
    await refused("graph-too-large", () => missingFrom(client, repository, child.digest));
  });
});
