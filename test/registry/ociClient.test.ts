// The client and the layer writer against the real registry, read back by readers that are not ours (skopeo, umoci, GNU tar).
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RegistryClient } from "../../lib/oci/client";
import { sha256 } from "../../lib/oci/digest";
import { imageLabels, imageManifest } from "../../lib/oci/imageConfig";
import {
  folderLayerImage,
  layerImage,
  pushLayerImage,
  readImageFiles,
  readLayerFiles,
  readLayerPaths,
} from "../../lib/oci/layer";
import { indexType, manifestType } from "../../lib/oci/mediaTypes";
import { formatReference, type Repository } from "../../lib/oci/reference";
import { pushLayers } from "../support/pushLayers";
import { refused } from "../support/refused";
import { startRegistry, type TestRegistry } from "../support/registry";
import { startScriptedServer } from "../support/scriptedServer";
import type { TarItem } from "../support/tarball";

const small = () => layerImage([{ path: "/repos/x/a.yaml", executable: false, size: 1, open: () => Buffer.from("a") }]);

describe("with a real registry", function () {
  this.timeout(20_000);
  let registry: TestRegistry;
  let dir: string;
  const client = new RegistryClient();
  const repository = (path: string): Repository => ({ registry: registry.host, path });
  before(async () => {
    registry = await startRegistry();
    dir = mkdtempSync(join(tmpdir(), "oci-"));
  });
  after(async () => {
    await registry.stop();
    rmSync(dir, { recursive: true });
  });

  it("a registry answers, and an empty one knows nothing", async () => {
    await client.ping(registry.host);
    assert.deepEqual(await client.tags(repository("nothing")), []);
    assert.equal(await client.resolve(repository("nothing"), "v1"), undefined);
    assert.equal(await client.manifest(repository("nothing"), sha256("")), undefined);
    assert.equal(await client.hasBlob(repository("nothing"), sha256("")), false);
  });

  it("a layer image is pushed once, and the second push writes nothing", async () => {
    const image = await small();
    const proxy = await startScriptedServer(() => "forward", { forwardTo: registry.host });
    const to = { registry: proxy.host, path: "layers/once" };
    assert.equal(await pushLayerImage(client, to, image), image.digest);
    const first = proxy.requests.length;
    assert.equal(await pushLayerImage(client, to, image), image.digest);
    assert.deepEqual(
      proxy.requests.slice(first).map(({ method }) => method),
      ["HEAD", "HEAD", "HEAD"],
    );
    await proxy.stop();
    assert.deepEqual(await client.resolve(repository("layers/once"), image.digest), {
      mediaType: manifestType,
      digest: image.digest,
      size: image.manifest.length,
    });
    assert.deepEqual(await client.blob(repository("layers/once"), sha256(image.config)), image.config);
    assert.deepEqual(await client.tags(repository("layers/once")), []);
  });

  it("tags are written, listed and moved", async () => {
    const to = repository("tagged");
    const [one, other] = [
      await small(),
      await layerImage([{ path: "/b", executable: true, size: 0, open: () => Buffer.alloc(0) }]),
    ];
    for (const image of [one, other]) await pushLayerImage(client, to, image);
    await client.putManifest(to, "v1.0.0", one.manifest, manifestType);
    await client.putManifest(to, "latest", one.manifest, manifestType);
    await client.putManifest(to, "latest", other.manifest, manifestType);
    assert.deepEqual(await client.tags(to), ["latest", "v1.0.0"]);
    assert.equal((await client.resolve(to, "latest"))?.digest, other.digest);
    assert.equal((await client.manifest(to, "v1.0.0"))?.digest, one.digest);
  });

  it("a manifest whose blobs are missing is refused", async () => {
    const { manifest } = await small();
    await refused("manifest-blob-unknown", () =>
      client.putManifest(repository("no-blobs"), "v1", manifest, manifestType),
    );
  });

  it("readers that are not ours see the same files, modes and times", async () => {
    const folder = join(dir, "policies");
    mkdirSync(join(folder, "ünïcode", "x".repeat(120)), { recursive: true });
    writeFileSync(join(folder, "ünïcode", "x".repeat(120), "a.yaml"), "deep");
    writeFileSync(join(folder, "run.sh"), "#!/bin/sh\n", { mode: 0o755 });
    writeFileSync(join(folder, "empty"), "");
    const image = await folderLayerImage(folder, { at: "/repos/x" });
    const to = repository("layers/readers");
    await pushLayerImage(client, to, image);
    await client.putManifest(to, "v1", image.manifest, manifestType);

    const inspected = JSON.parse(
      execFileSync("skopeo", [
        "inspect",
        "--tls-verify=false",
        `docker://${formatReference({ ...to, tag: "v1" })}`,
      ]).toString(),
    );
    assert.deepEqual(
      [inspected.Digest, inspected.Layers, inspected.Created],
      [image.digest, [image.layer.digest], "1970-01-01T00:00:00Z"],
    );

    execFileSync("skopeo", [
      "copy",
      "-q",
      "--src-tls-verify=false",
      `docker://${formatReference({ ...to, digest: image.digest })}`,
      `oci:${dir}/layout:v1`,
    ]);
    execFileSync("umoci", ["unpack", "--rootless", "--image", `${dir}/layout:v1`, `${dir}/bundle`], { stdio: "pipe" });
    const root = join(dir, "bundle", "rootfs", "repos", "x");
    assert.deepEqual(readdirSync(root).sort(), ["empty", "run.sh", "ünïcode"]);
    assert.equal(readFileSync(join(root, "ünïcode", "x".repeat(120), "a.yaml"), "utf8"), "deep");
    const found = statSync(join(root, "run.sh"));
    assert.deepEqual([found.mode & 0o777, found.mtimeMs], [0o755, 0]);

    const chunks: Buffer[] = [];
    for await (const chunk of image.open()) chunks.push(chunk);
    const env = { ...process.env, LC_ALL: "C.UTF-8", TZ: "UTC" };
    const listed = execFileSync("tar", ["--numeric-owner", "--full-time", "-tvf", "-"], {
      input: Buffer.concat(chunks),
      env,
    }).toString();
    for (const line of listed.trimEnd().split("\n"))
      assert.match(line, /^[-d]rw[-x]r-[-x]r-[-x] 0\/0 +[0-9]+ 1970-01-01 00:00:00 repos\//);
  });

  it("the files of a layer image come back as they were", async () => {
    const files = { "/repos/x/a.yaml": "a", "/repos/x/b/ü.yaml": "ü", "/usr/local/bin/tool": "#!" };
    const image = await layerImage(
      Object.entries(files).map(([path, text]) => ({
        path,
        executable: path.endsWith("tool"),
        size: Buffer.byteLength(text),
        open: () => Buffer.from(text),
      })),
    );
    await pushLayerImage(client, repository("layers/files"), image);
    const read = await readLayerFiles(client, repository("layers/files"), image.digest);
    assert.deepEqual(await readLayerPaths(client, repository("layers/files"), image.digest), [...read.keys()]);
    assert.deepEqual(Object.fromEntries([...read].map(([path, bytes]) => [`/${path}`, bytes.toString()])), files);
    assert.equal(
      (await readImageFiles(client, repository("layers/files"), image.digest)).get("usr/local/bin/tool")?.executable,
      true,
    );
  });

  const texts = async (to: Repository, layers: readonly (readonly TarItem[])[], options = {}) => {
    const { digest } = await pushLayers(client, to, layers);
    return Object.fromEntries(
      [...(await readLayerFiles(client, to, digest, options))].map(([path, bytes]) => [path, bytes.toString()]),
    );
  };

  describe("the files of a foreign image", () => {
    const to = () => repository("foreign");

    it("are those that its container would see, layer upon layer", async () => {
      const layers: TarItem[][] = [
        [
          { name: "./", type: "directory" },
          { name: "./a", content: "1" },
          { name: "./gone", content: "1" },
          { name: "./dir/kept", content: "1" },
          { name: "./dir/gone", content: "1" },
          { name: "./opaque/old", content: "1" },
          { name: "./becomes-folder", content: "1" },
          { name: "./becomes-file/x", content: "1" },
          { name: "./tree/a/b", content: "1" },
          { name: "./becomes-link", content: "1" },
        ],
        [
          { name: "a", content: "2" },
          { name: ".wh.gone" },
          { name: "dir/.wh.gone" },
          { name: "opaque/new", content: "2" },
          { name: "opaque/.wh..wh..opq" },
          { name: "becomes-folder/x", content: "2" },
          { name: "becomes-file", content: "2" },
          { name: ".wh.tree" },
          { name: "becomes-link", type: "symlink", linkname: "a" },
          { name: "hard", type: "link", linkname: "a" },
          { name: "hard-to-lower", type: "link", linkname: "./dir/kept" },
        ],
      ];
      assert.deepEqual(await texts(to(), layers), {
        a: "2",
        "dir/kept": "1",
        "opaque/new": "2",
        "becomes-folder/x": "2",
        "becomes-file": "2",
        hard: "2",
        "hard-to-lower": "1",
      });
    });

    it("may be asked for by name, and then only they count against the bound", async () => {
      const layers = [
        [
          { name: "big", content: "x".repeat(100_000) },
          { name: "usr/bin/yq", content: "yq", mode: 0o755 },
        ],
      ];
      assert.deepEqual(await texts(to(), layers, { only: (path: string) => path === "usr/bin/yq", maxBytes: 10 }), {
        "usr/bin/yq": "yq",
      });
      await refused("layer-too-large", () => texts(to(), layers, { maxBytes: 100_000 }));
    });

    for (const [what, items] of [
      ["climb out", [{ name: "../evil", content: "x" }]],
      ["climb out by a hard link", [{ name: "l", type: "link", linkname: "../../etc/passwd" }]],
      ["link to nothing", [{ name: "l", type: "link", linkname: "gone" }]],
    ] as [string, TarItem[]][]) {
      it(`are refused when they ${what}`, async () =>
        void (await refused("layer-malformed", () => texts(to(), [items]))));
    }

    it("are refused when a layer is packed in a way we do not read", async () => {
      const { digest } = await pushLayers(client, to(), [[{ name: "a" }]], {
        layerType: "application/vnd.oci.image.layer.v1.tar+zstd",
      });
      assert.match(
        (await refused("layer-unsupported", () => readLayerFiles(client, to(), digest))).message,
        /tar\+zstd/,
      );
    });

    it("are not read from an image that is not there", async () =>
      void (await refused("manifest-missing", () => readLayerFiles(client, to(), sha256("gone")))));
  });

  describe("an index", () => {
    const index = async (to: Repository, platforms: readonly string[]) => {
      const manifests = [];
      for (const platform of platforms) {
        const [os, architecture] = platform.split("/");
        const child = await pushLayers(client, to, [[{ name: platform }]], { labels: { platform } });
        manifests.push({ mediaType: manifestType, ...child, platform: { os, architecture } });
      }
      const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: indexType, manifests }));
      return client.putManifest(to, "index", bytes, indexType);
    };

    it("stands for its linux/amd64 image", async () => {
      const to = repository("index/several");
      const digest = await index(to, ["linux/arm64", "linux/amd64"]);
      assert.deepEqual(await imageLabels(client, to, digest), { platform: "linux/amd64" });
      assert.notEqual((await imageManifest(client, to, digest)).digest, digest);
      assert.deepEqual([...(await readLayerFiles(client, to, digest)).keys()], ["linux/amd64"]);
    });

    it("without one is refused", async () => {
      const to = repository("index/other");
      const digest = await index(to, ["linux/arm64", "windows/amd64"]);
      await refused("platform-missing", () => imageLabels(client, to, digest));
    });
  });

  describe("labels", () => {
    it("are read from the image's configuration", async () => {
      const to = repository("labels");
      assert.deepEqual(
        await imageLabels(
          client,
          to,
          (await pushLayers(client, to, [[{ name: "a" }]], { labels: { "dev.policychain.inputs": '{"a":"é"}' } }))
            .digest,
        ),
        { "dev.policychain.inputs": '{"a":"é"}' },
      );
      assert.deepEqual(
        await imageLabels(client, to, (await pushLayers(client, to, [[{ name: "a" }]], { labels: null })).digest),
        {},
      );
      await pushLayerImage(client, to, await small());
      assert.deepEqual(await imageLabels(client, to, (await small()).digest), {});
    });

    it("that are no map are refused", async () => {
      const to = repository("labels");
      const { digest } = await pushLayers(client, to, [[{ name: "a" }]], { labels: ["x"] });
      await refused("manifest-malformed", () => imageLabels(client, to, digest));
    });
  });
});

describe("with a registry that asks for a password", function () {
  this.timeout(20_000);
  let registry: TestRegistry;
  before(async () => {
    registry = await startRegistry({ basic: true });
  });
  after(() => registry.stop());

  it("nothing is read or written without it, everything with it", async () => {
    const to = { registry: registry.host, path: "layers/a" };
    const image = await small();
    await refused("registry-unauthorized", () => new RegistryClient().ping(registry.host));
    await refused("registry-unauthorized", async () =>
      pushLayerImage(
        new RegistryClient({ credentials: { find: async () => ({ username: "tester", password: "wrong" }) } }),
        to,
        image,
      ),
    );
    const client = new RegistryClient({
      credentials: { find: async () => ({ username: "tester", password: "secret" }) },
    });
    await client.ping(registry.host);
    assert.equal(await pushLayerImage(client, to, image), image.digest);
  });
});

describe("with a registry that is read-only", function () {
  this.timeout(20_000);

  it("reading works, and writing says what is wrong", async () => {
    const storage = mkdtempSync(join(tmpdir(), "storage-"));
    const image = await small();
    const open = await startRegistry({ storage });
    await pushLayerImage(new RegistryClient(), { registry: open.host, path: "a" }, image);
    await open.stop();
    const registry = await startRegistry({ storage, readOnly: true });
    const client = new RegistryClient();
    assert.equal((await client.resolve({ registry: registry.host, path: "a" }, image.digest))?.digest, image.digest);
    assert.equal(await pushLayerImage(client, { registry: registry.host, path: "a" }, image), image.digest);
    const error = await refused("registry-read-only", () =>
      pushLayerImage(client, { registry: registry.host, path: "b" }, image),
    );
    assert.match(error.message, new RegExp(`405 to POST ${registry.host}`));
    await refused("registry-read-only", () =>
      client.putManifest({ registry: registry.host, path: "a" }, "v1", image.manifest, manifestType),
    );
    await registry.stop();
    rmSync(storage, { recursive: true });
  });
});

describe("with a registry whose disk is full", function () {
  this.timeout(20_000);

  it("writing says so", async function () {
    const storage = mkdtempSync(join(tmpdir(), "storage-"));
    try {
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=256k", "tmpfs", storage], { stdio: "pipe" });
    } catch {
      rmSync(storage, { recursive: true });
      return this.skip(); // mounting needs root
    }
    const registry = await startRegistry({ storage });
    try {
      const big = await layerImage([
        { path: "/a", executable: false, size: 2_000_000, open: () => Buffer.alloc(2_000_000, 1) },
      ]);
      await refused("registry-full", () =>
        pushLayerImage(new RegistryClient(), { registry: registry.host, path: "a" }, big),
      );
    } finally {
      await registry.stop();
      execFileSync("umount", [storage]);
      rmSync(storage, { recursive: true });
    }
  });
});
