// The sources of a Manifest through the real engine: what is known when, what is refused, and what never shows.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RegistryClient } from "../../lib/oci/client";
import { fileLayerImage, folderLayerImage, layerImage } from "../../lib/oci/layer";
import { pushFiles, textFile } from "../support/dockerEngine";
import { type EngineProject, engineProject, type ProgramResource } from "../support/engine";
import { startGitServer } from "../support/gitServer";
import { startRegistry, type TestRegistry } from "../support/registry";
import { type RegistryProxy, startProxy, tagged } from "./pluginRegistry";

const zeros = `sha256:${"0".repeat(64)}`;

describe("a Manifest through the engine", function () {
  this.timeout(60_000);
  let registry: TestRegistry;
  let proxy: RegistryProxy;
  let project: EngineProject;
  let web: Server;
  let dir: string;
  let downloads: string[];
  let layers: string;
  const tool = "#!/bin/sh\necho tool 1.0.0\n";
  const checksum = createHash("sha256").update(tool).digest("hex");
  const manifest = (args: ProgramResource["args"], name = "layer"): ProgramResource => ({
    type: "Manifest",
    name,
    args: { repository: layers, ...args },
  });
  const preview = async (...resources: ProgramResource[]) => {
    project.write(resources);
    return project.run("preview", "--diff", "--suppress-outputs");
  };
  const refused = async (expected: RegExp, ...resources: ProgramResource[]) => {
    proxy.clear();
    project.write(resources);
    const { code, output } = await project.run("up", "--yes", "--skip-preview");
    assert.notEqual(code, 0);
    assert.match(output, expected);
    assert.doesNotMatch(output, /\n +at /, "no stack");
    assert.deepEqual(proxy.writes(), []);
  };

  before(async () => {
    dir = mkdtempSync(join(tmpdir(), "policychain-sources-"));
    registry = await startRegistry();
    proxy = await startProxy(registry.host);
    project = await engineProject({ XDG_CACHE_HOME: join(dir, "cache") });
    layers = `${proxy.host}/layers/tools/tool`;
    downloads = [];
    web = createServer((request, response) => {
      downloads.push(request.url!);
      response.writeHead(200, { "content-type": "application/octet-stream", "content-length": tool.length }).end(tool);
    });
    await new Promise<void>((resolve) => web.listen(0, "127.0.0.1", resolve));
  });
  after(async () => {
    project?.dispose();
    await proxy?.stop();
    await registry?.stop();
    web?.close();
    rmSync(dir, { recursive: true, force: true });
  });

  const release = (more: object = {}) => ({
    release: {
      url: `http://127.0.0.1:${(web.address() as AddressInfo).port}/tool`,
      sha256: checksum,
      at: "/usr/local/bin/tool",
      ...more,
    },
  });

  it("from a release without a digest is honestly unknown at preview, with all that hangs on it, and downloads nothing", async () => {
    const copy: ProgramResource = {
      type: "Copy",
      name: "copy",
      args: { from: layers, to: `${layers}-copy`, digest: "${layer.digest}" },
    };
    const nested = manifest({ content: { at: "/x", text: "${layer.reference}" } }, "nested");
    const { code, output } = await preview(manifest(release()), copy, nested);
    assert.equal(code, 0, output);
    assert.match(output, /digest *: \[unknown\]/);
    assert.match(output, /text: \[unknown\]/);
    assert.deepEqual(downloads, []);
    await project.up();
    writeFileSync(join(dir, "tool"), tool);
    const { digest } = await fileLayerImage(join(dir, "tool"), { at: "/usr/local/bin/tool" });
    const outputs = await project.outputs();
    assert.equal(outputs.layer!.digest, digest);
    assert.equal(outputs.copy!.digest, digest);
    assert.equal(await tagged(`${layers}-copy`, digest), digest);
  });

  it("from a release with its digest is known at preview, and one that is there is not even downloaded", async () => {
    const { digest } = await fileLayerImage(join(dir, "tool"), { at: "/usr/local/bin/tool" });
    const args = { ...release(), digest };
    const { output } = await preview(manifest(args, "pinned"));
    assert.match(output, new RegExp(`digest *: "${digest}"`));
    downloads.length = 0;
    proxy.clear();
    await project.up();
    assert.deepEqual(downloads, []);
    assert.deepEqual(proxy.writes(), []);
  });

  it("from a release refuses another checksum, and another layer image than its pin names", async () => {
    await refused(/checksum|sha256/, manifest({ ...release({ sha256: "0".repeat(64) }) }));
    await refused(
      /release http:\S+ gives the layer image sha256:[0-9a-f]{64}, and its pin says sha256:0{64}; a layer image is pinned by the digest of its manifest; if its sha256 is right, correct the digest/,
      manifest({ ...release(), digest: zeros }),
    );
  });

  it("from a foreign image takes one file, and says so when it is not there", async () => {
    const image = await pushFiles(new RegistryClient(), `${proxy.host}/foreign/tools`, [
      textFile("/opt/tool", tool, true),
      textFile("/opt/other", "x"),
    ]);
    const source = { reference: image, path: "/opt/tool", at: "/usr/local/bin/tool" };
    project.write([manifest({ image: source })]);
    await project.up();
    const { digest } = await layerImage([textFile("/usr/local/bin/tool", tool, true)]);
    assert.equal((await project.outputs()).layer!.digest, digest);
    await refused(/has no file "\/opt\/gone"/, manifest({ image: { ...source, path: "/opt/gone" } }, "gone"));
    await refused(
      /names no digest/,
      manifest({ image: { ...source, reference: image.replace(/@.*/, ":v1") } }, "moving"),
    );
  });

  it("from git is pushed once, shows a new commit in one line, and has no credential in the state", async () => {
    const server = await startGitServer();
    try {
      const [first, second] = ["a: 1\n", "a: 2\n"].map((content) => server.commit("p", { "p/a.yaml": content }));
      const url = `${server.url}/p.git`;
      const source = (commit: string, more: object = {}) =>
        manifest({ git: { url, commit, path: "p", at: "/repos/team" }, ...more }, "team");
      const layerOf = async (content: string) => (await layerImage([textFile("/repos/team/a.yaml", content)])).digest;
      const digests = await Promise.all(["a: 1\n", "a: 2\n"].map(layerOf));
      const { code, output } = await preview(source(first!));
      assert.equal(code, 0, output);
      assert.doesNotMatch(output, /digest *:/);
      assert.deepEqual(server.requests, []);
      await project.up();
      assert.equal((await project.outputs()).team!.digest, digests[0]);
      const changed = await preview(source(second!, { digest: digests[1] }));
      assert.match(changed.output, new RegExp(`commit: "${first}" => "${second}"`));
      await project.up();
      server.requests.length = 0;
      const again = await project.run("up", "--yes", "--skip-preview", "--expect-no-changes");
      assert.equal(again.code, 0, again.output);
      assert.deepEqual(server.requests, []);
      await refused(
        /holds a user or a password/,
        manifest({ git: { url: "https://ci:hunter2@127.0.0.1/x.git", commit: first, at: "/repos/x" } }, "bad"),
      );
      await refused(
        /is not a commit of 40 or 64/,
        manifest({ git: { url, commit: "main", at: "/repos/x" } }, "moving"),
      );
      await refused(
        /gives the layer image .* and its pin says sha256:0{64}/,
        manifest({ git: { url, commit: first, path: "p", at: "/repos/x" }, digest: zeros }, "wrong"),
      );
      assert.equal(
        readFileSync(join(project.dir, ".pulumi/stacks/program/test.json"), "utf8").includes("hunter2"),
        false,
      );
    } finally {
      await server.close();
    }
  });

  it("from a folder of a foreign image is that folder, repacked", async () => {
    const files = [
      textFile("/repos/x/a.yaml", "a: 1\n"),
      textFile("/repos/x/tests/t.yaml", "t"),
      textFile("/etc/x", "x"),
    ];
    const reference = await pushFiles(new RegistryClient(), `${proxy.host}/foreign/whole`, files);
    project.write([manifest({ imageFolder: { reference, path: "/repos/x", at: "/repos/team" } }, "foreign")]);
    await project.up();
    const { digest } = await layerImage([textFile("/repos/team/a.yaml", "a: 1\n")]);
    assert.equal((await project.outputs()).foreign!.digest, digest);
  });

  it("from a folder refuses at preview what the program saw otherwise, a folder that is missing and one that is empty", async () => {
    const folder = join(dir, "policies");
    mkdirSync(folder);
    const source = (path: string) => ({ folder: { path, at: "/repos/p" } });
    for (const [path, expected] of [
      [folder, /holds nothing to ship/],
      [join(dir, "absent"), /absent/],
    ] as const) {
      const { code, output } = await preview(manifest(source(path), "folder"));
      assert.notEqual(code, 0);
      assert.match(output, expected);
      assert.doesNotMatch(output, /\n +at /, "no stack");
    }
    writeFileSync(join(folder, "a.yaml"), "a: 1\n");
    const { code, output } = await preview(manifest({ ...source(folder), digest: zeros }, "folder"));
    assert.notEqual(code, 0);
    assert.match(output, /its files changed while the program ran: run it again/);
    const { digest } = await folderLayerImage(folder, { at: "/repos/p" });
    project.write([manifest({ ...source(folder), digest }, "folder")]);
    await project.up();
  });

  it("shows no change when only paths, mirrors and permissions to use plain http differ", async () => {
    const args = { digest: "", ...release(), mirrors: { "example.com": "https://mirror.example.com" } };
    args.digest = (await fileLayerImage(join(dir, "tool"), { at: "/usr/local/bin/tool" })).digest;
    const folder = (path: string) => manifest({ folder: { path, at: "/repos/p" } }, "folder");
    project.write([manifest(args), folder(join(dir, "policies"))]);
    await project.up();
    project.write([manifest({ ...args, mirrors: {}, insecure: true }), folder(join(dir, "x", "..", "policies"))]);
    const { code, output } = await project.run("preview", "--expect-no-changes");
    assert.equal(code, 0, output);
  });

  it("from a secret text keeps it out of the screen and of the state", async () => {
    const text = "a-secret-of-this-test";
    project.write([manifest({ content: { at: "/etc/x", text: { secret: text } } })]);
    const previewed = await project.run("preview", "--diff");
    const made = await project.run("up", "--yes", "--skip-preview");
    assert.equal(made.code, 0, made.output);
    const state = readFileSync(join(project.dir, ".pulumi/stacks/program/test.json"), "utf8");
    for (const sink of [previewed.output, made.output, state]) assert.equal(sink.includes(text), false);
    assert.match(previewed.output, /\[secret\]/);
    const again = await project.run("up", "--yes", "--skip-preview", "--expect-no-changes");
    assert.equal(again.code, 0, again.output);
  });

  it("shows a malformed input with its name, before anything is asked", async () => {
    proxy.clear();
    const { code, output } = await preview(
      manifest({ content: { at: "/x", text: "x" }, digest: "sha256:short" }, "bad"),
    );
    assert.notEqual(code, 0);
    assert.match(output, /digest.*has a problem: is not sha256: and 64 hexadecimal characters in lower case/);
    assert.deepEqual(proxy.requests, []);
  });
});
