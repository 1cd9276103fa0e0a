// What layers of an image weigh, asked of a real registry, and of one that sends no parts of blobs.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { gzipSync } from "node:zlib";
import { layerSizes } from "../../lib/gate/layerSizes";
import { RegistryClient } from "../../lib/oci/client";
import { type Digest, sha256 } from "../../lib/oci/digest";
import { configType, manifestType, tarLayerType } from "../../lib/oci/mediaTypes";
import type { Repository } from "../../lib/oci/reference";
import { useOwnCache } from "../support/ownCache";
import { startRegistry, type TestRegistry } from "../support/registry";
import { startScriptedServer } from "../support/scriptedServer";

const text = Buffer.alloc(200_000, "policy\n");
const noise = randomBytes(5000);
const large = [randomBytes(5 * 2 ** 20), Buffer.alloc(8 * 2 ** 20)] as const;

describe("layers in a registry", function () {
  this.timeout(20_000);
  useOwnCache();
  let registry: TestRegistry;
  let digest: Digest;
  const client = new RegistryClient();
  const repository = (): Repository => ({ registry: registry.host, path: "releases/sized" });
  const composed = { tools: ["tool"], repositories: ["repository"] };
  const layers: [mediaType: string, bytes: Buffer][] = [
    [`${tarLayerType}+gzip`, gzipSync(text)],
    // Several members, as some builders write them: the last one alone says less than there is.
    [`${tarLayerType}+gzip`, Buffer.concat([gzipSync(text), gzipSync(noise), gzipSync(Buffer.from("end"))])],
    [tarLayerType, noise],
    // So large that its length modulo 2^32 may be any, and here is that of its last member alone.
    [`${tarLayerType}+gzip`, Buffer.concat(large.map((part) => gzipSync(part)))],
    [`${tarLayerType}+zstd`, Buffer.from("not read")],
  ];
  const copy = { created_by: "COPY / / # buildkit" };

  before(async () => {
    registry = await startRegistry();
    const config = Buffer.from(
      JSON.stringify({
        history: [{ created_by: "base" }, copy, copy, { created_by: "WORKDIR" }, { created_by: "RUN" }],
      }),
    );
    const blobs = [[configType, config] as const, ...layers];
    const described = blobs.map(([mediaType, bytes]) => ({ mediaType, digest: sha256(bytes), size: bytes.length }));
    for (const [index, [, bytes]] of blobs.entries()) await client.pushBlob(repository(), described[index]!, { bytes });
    const [first, ...rest] = described;
    const manifest = Buffer.from(
      JSON.stringify({ schemaVersion: 2, mediaType: manifestType, config: first, layers: rest }),
    );
    digest = sha256(manifest);
    await client.putManifest(repository(), digest, manifest, manifestType);
  });
  after(() => registry.stop());

  const expected = () =>
    [
      { name: "base", compressed: layers[0]![1].length, unpacked: text.length },
      { name: "tool", compressed: layers[1]![1].length, unpacked: text.length + noise.length + 3 },
      { name: "repository", compressed: noise.length, unpacked: noise.length },
      { name: "other", compressed: layers[3]![1].length, unpacked: 13 * 2 ** 20 },
      { name: "other", compressed: 8 },
    ].map((layer, index) => ({ ...layer, digest: sha256(layers[index]![1]) }));

  it("weigh what their tars weigh, and are known by the names of what they hold", async () => {
    assert.deepEqual(await layerSizes(client, repository(), digest, composed), expected());
  });

  it("weigh the same where the registry sends whole blobs only", async () => {
    const proxy = await startScriptedServer(
      (request) => {
        delete (request.headers as Record<string, string | undefined>).range;
        return "forward";
      },
      { forwardTo: registry.host },
    );
    const behind = { registry: proxy.host, path: "releases/sized" };
    assert.deepEqual(await layerSizes(new RegistryClient(), behind, digest, composed), expected());
    await proxy.stop();
  });

  it("are not downloaded where a few bytes tell, and never twice", async () => {
    const proxy = await startScriptedServer(() => "forward", { forwardTo: registry.host });
    await layerSizes(new RegistryClient(), { registry: proxy.host, path: "releases/sized" }, digest, composed);
    const whole = proxy.requests.filter(
      ({ method, path, headers }) => method === "GET" && path.includes("/blobs/") && headers.range === undefined,
    );
    assert.equal(whole.length, 3, "the configuration and the layers that their ends say too little of");
    const before = proxy.requests.length;
    const again = { registry: proxy.host, path: "releases/sized" };
    assert.deepEqual(await layerSizes(new RegistryClient(), again, digest, composed), expected());
    const blobs = proxy.requests
      .slice(before)
      .filter(({ path, headers }) => path.includes("/blobs/") && !headers.range);
    assert.equal(blobs.length, 1, "the configuration: what a layer weighs was found out before");
    await proxy.stop();
  });

  it("are not downloaded where an earlier run of the stack brought along what they weigh", async () => {
    const proxy = await startScriptedServer(() => "forward", { forwardTo: registry.host });
    const known = { [sha256(layers[1]![1])]: 1, [sha256(layers[3]![1])]: 2, [sha256("another")]: 3 };
    const place = { registry: proxy.host, path: "releases/sized" };
    const sizes = await layerSizes(new RegistryClient(), place, digest, composed, { known });
    assert.deepEqual(
      sizes.map(({ unpacked }) => unpacked),
      [text.length, 1, noise.length, 2, undefined],
    );
    const whole = proxy.requests.filter(({ path, headers }) => path.includes("/blobs/") && !headers.range);
    assert.equal(whole.length, 1, "the configuration");
    await proxy.stop();
  });

  it("are counted where what was brought along is no size", async () => {
    const known = { [sha256(layers[1]![1])]: 0, [sha256(layers[3]![1])]: "13" as unknown as number };
    assert.deepEqual(await layerSizes(client, repository(), digest, composed, { known }), expected());
  });

  it("are not weighed any further after an abort", async () => {
    const signal = AbortSignal.abort(new Error("enough"));
    await assert.rejects(layerSizes(client, repository(), digest, composed, { signal }), /enough/);
  });
});
