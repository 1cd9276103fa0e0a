// What the counting proxy says of a registry's traffic, and how a tool's layer is told from others.
import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { holdsOneOf } from "../../../bench/compare/weigh";
import { type CountedRequest, startCountingProxy, uploads } from "../../../bench/countingProxy";
import { startScriptedServer } from "../../support/scriptedServer";
import { tarball } from "../../support/tarball";

const request = (method: string, path: string, bytes = 0): CountedRequest => ({ method, path, bytes, received: 0 });

describe("uploads to a registry", () => {
  it("are blobs in one piece, in several, and at once, each with its digest and its bytes", () => {
    assert.deepEqual(
      uploads([
        request("POST", "/v2/a/b/blobs/uploads/"),
        request("PUT", "/v2/a/b/blobs/uploads/1?_state=x&digest=sha256%3Aaa", 100),
        request("POST", "/v2/a/b/blobs/uploads/"),
        request("PATCH", "/v2/a/b/blobs/uploads/2?_state=x", 30),
        request("PATCH", "/v2/a/b/blobs/uploads/2?_state=y", 20),
        request("PUT", "/v2/a/b/blobs/uploads/2?_state=z&digest=sha256%3Abb"),
        request("POST", "/v2/c/blobs/uploads/?digest=sha256%3Acc", 7),
      ]),
      [
        { repository: "a/b", digest: "sha256:aa", bytes: 100 },
        { repository: "a/b", digest: "sha256:bb", bytes: 50 },
        { repository: "c", digest: "sha256:cc", bytes: 7 },
      ],
    );
  });

  it("are not what was mounted, looked at, read, or put as a manifest, and not what never ended", () => {
    assert.deepEqual(
      uploads([
        request("POST", "/v2/a/blobs/uploads/?mount=sha256%3Aaa&from=b"),
        request("HEAD", "/v2/a/blobs/sha256:aa"),
        request("GET", "/v2/a/blobs/sha256:aa"),
        request("PUT", "/v2/a/manifests/latest", 500),
        request("PATCH", "/v2/a/blobs/uploads/3?_state=x", 30),
      ]),
      [],
    );
  });
});

describe("the counting proxy", () => {
  it("counts both ways and sends to the file server what is not the registry's", async () => {
    const registry = await startScriptedServer(() => ({ status: 201, body: "stored" }));
    const files = await startScriptedServer(() => ({ body: "x".repeat(1000) }));
    const proxy = await startCountingProxy(registry.host, files.host);
    try {
      await (await fetch(`http://${proxy.host}/v2/a/manifests/latest`, { method: "PUT", body: "12345" })).text();
      await (await fetch(`http://${proxy.host}/tool.tar.gz`)).text();
      const { requests, writes, uploaded, downloaded } = proxy.take();
      assert.deepEqual([requests.length, writes.length, uploaded, downloaded], [2, 1, 5, 1006]);
      assert.equal(proxy.take().requests.length, 0);
      assert.deepEqual([registry.lines(), files.lines()], [["PUT /v2/a/manifests/latest"], ["GET /tool.tar.gz"]]);
    } finally {
      await proxy.stop();
      await files.stop();
      await registry.stop();
    }
  });
});

describe("a blob with a tool", () => {
  const files = ["/usr/local/bin/helm", "/usr/local/bin/yq"];

  it("is told by the entry of that path, packed or not, behind other entries too", async () => {
    const tar = await tarball(
      { name: "usr/local/bin/", type: "directory" },
      { name: "a", content: "x".repeat(600) },
      { name: "usr/local/bin/yq", content: "y" },
    );
    assert.ok(holdsOneOf(tar, files));
    assert.ok(holdsOneOf(gzipSync(tar), files));
    assert.ok(holdsOneOf(await tarball({ name: "./usr/local/bin/helm", content: "h" }), files));
  });

  it("is not one with a longer or shorter path, a folder of policies, a configuration, or nothing", async () => {
    const other = await tarball({ name: "usr/local/bin/helm-docs", content: "h" }, { name: "helm", content: "h" });
    for (const blob of [other, Buffer.from('{"usr/local/bin/helm": 1}'), Buffer.alloc(0), Buffer.alloc(2048)])
      assert.ok(!holdsOneOf(blob, files));
  });
});
