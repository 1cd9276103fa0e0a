// The life of a release through the real engine and a real registry: folder → Manifest, candidate → Copy → three tags.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Digest } from "../../lib/oci/digest";
import { folderLayerImage } from "../../lib/oci/layer";
import { type EngineProject, engineProject, type ProgramResource } from "../support/engine";
import { startRegistry } from "../support/registry";
import {
  inputsOf,
  moveTag,
  pushImage,
  type RegistryProxy,
  remove,
  removeTag,
  startProxy,
  tagged,
} from "./pluginRegistry";

describe("a release through the engine", function () {
  this.timeout(60_000);
  let registry: Awaited<ReturnType<typeof startRegistry>>;
  let proxy: RegistryProxy;
  let project: EngineProject;
  let folder: string;
  let layers: string;
  let releases: string;
  let first: Digest;
  let second: Digest;

  const policy = (name: string, text: string) => writeFileSync(join(folder, "policies", name), text);
  const program = (digest: string, version: string, inputs: string, source = "sha-0123"): ProgramResource[] => [
    {
      type: "Manifest",
      name: "policies",
      args: { repository: layers, folder: { path: folder, at: "/repos/policies" } },
    },
    {
      type: "Copy",
      name: "copy",
      args: { from: `${proxy.host}/candidates/x`, to: releases, digest, rebuild: "urn:pulumi:test::program::x" },
    },
    ...(["commit", "version", "latest"] as const).map((role) => {
      const tag = { commit: source, version, latest: "latest" }[role];
      const args = { repository: releases, role, tag, digest: "${copy.digest}", inputDigest: inputsOf(inputs) };
      return { type: "Tag" as const, name: role, args };
    }),
  ];
  const all = (tags: Record<string, string>) =>
    Promise.all(
      Object.entries(tags).map(async ([tag, digest]) => assert.equal(await tagged(releases, tag), digest, tag)),
    );

  before(async () => {
    registry = await startRegistry();
    proxy = await startProxy(registry.host);
    project = await engineProject();
    layers = `${proxy.host}/layers/repositories/policies`;
    releases = `${proxy.host}/releases/x`;
    folder = mkdtempSync(join(tmpdir(), "policychain-folder-"));
    mkdirSync(join(folder, "policies"));
    policy("a.yaml", "a: 1\n");
    policy("b.yaml", "b: 1\n");
    [first, second] = await Promise.all([
      pushImage(`${proxy.host}/candidates/x`, "1"),
      pushImage(`${proxy.host}/candidates/x`, "2"),
    ]);
  });
  after(async () => {
    project?.dispose();
    await proxy?.stop();
    await registry?.stop();
    if (folder) rmSync(folder, { recursive: true, force: true });
  });
  beforeEach(() => proxy.clear());

  it("is known at preview down to its digests, and nothing is written", async () => {
    project.write(program(first, "v1.0.0", "1"));
    const { code, output } = await project.run("preview", "--diff");
    assert.equal(code, 0, output);
    const { digest } = await folderLayerImage(folder, { at: "/repos/policies" });
    assert.match(output, new RegExp(`digest *: "${digest}"`));
    assert.match(output, /b\.yaml/);
    assert.doesNotMatch(output, /\[unknown\]|output<string>/);
    assert.deepEqual(proxy.writes(), []);
  });

  it("is made by up, with the very digests of the preview, and echoes its inputs", async () => {
    await project.up();
    const { digest } = await folderLayerImage(folder, { at: "/repos/policies" });
    const outputs = await project.outputs();
    assert.equal(outputs.policies!.digest, digest);
    assert.equal(outputs.policies!.reference, `${layers}@${digest}`);
    assert.equal(outputs.copy!.reference, `${releases}@${first}`);
    assert.equal(outputs.version!.reference, `${releases}:v1.0.0`);
    assert.equal(outputs.version!.inputDigest, inputsOf("1"));
    assert.equal(await tagged(layers, digest), digest);
    await all({ "sha-0123": first, "v1.0.0": first, latest: first });
  });

  it("is a no-op when it is run again, without one request that writes", async () => {
    const { code, output } = await project.run("up", "--yes", "--skip-preview", "--expect-no-changes");
    assert.equal(code, 0, output);
    assert.deepEqual(proxy.writes(), []);
  });

  it("is adopted by a fresh state, without one request that writes", async () => {
    const other = await engineProject();
    try {
      other.write(program(first, "v1.0.0", "1"));
      assert.match(await other.up(), /6 created/);
      assert.deepEqual(proxy.writes(), []);
    } finally {
      other.dispose();
    }
  });

  it("shows an edited policy as the one file and digest that change", async () => {
    const { digest: before } = await folderLayerImage(folder, { at: "/repos/policies" });
    policy("b.yaml", "b: 2\n");
    const { digest: after } = await folderLayerImage(folder, { at: "/repos/policies" });
    const { output } = await project.run("preview", "--diff", "--suppress-outputs");
    const change = output.slice(output.indexOf("~ policychain:index:Manifest"), output.indexOf("Resources:"));
    const lines = change
      .split("\n")
      .slice(3)
      .filter((line) => line.trim() !== "");
    assert.deepEqual(
      lines.map((line) => line.replace(/"[0-9a-f]{12}"/g, '"…"').trim()),
      [`~ digest: "${before}" => "${after}"`, "~ files : {", '~ policies/b.yaml: "…" => "…"', "}"],
    );
    assert.match(output, /1 to update\n +5 unchanged/);
    assert.deepEqual(proxy.writes(), []);
    await project.up();
    assert.equal(await tagged(layers, after), after);
    assert.equal(await tagged(layers, before), before, "what was pushed is kept");
  });

  it("replaces a resource only when the program asks for it by replaceOnChanges", async () => {
    policy("b.yaml", "b: 3\n");
    const [manifest, ...rest] = program(first, "v1.0.0", "1");
    project.write([{ ...manifest!, replaceOnChanges: ["digest"] }, ...rest]);
    const { output } = await project.run("preview", "--diff", "--suppress-outputs");
    assert.match(output, /\+-policychain:index:Manifest: \(replace\)/);
    policy("b.yaml", "b: 2\n");
  });

  it("refuses a version that names another image at preview, with both inputs and the next free one, and writes nothing", async () => {
    project.write(program(second, "v1.0.0", "2", "sha-4567"));
    for (const command of [["preview"], ["up", "--yes"]]) {
      const { code, output } = await project.run(...command);
      assert.notEqual(code, 0);
      assert.match(
        output,
        new RegExp(
          `releases/x:v1.0.0 already names another image, ${first}: its inputs are ${inputsOf("1")}, and those of this release are ${inputsOf("2")}; a version never moves; take the next free one: pulumi config set policy-platform:version v1.0.1 --stack \\S+\n`,
        ),
      );
      assert.doesNotMatch(output, /\n +at /, "no stack");
      assert.deepEqual(proxy.writes(), []);
    }
  });

  it("refuses a version that is there while the image is not even known", async () => {
    const digest = "${unpinned.digest}";
    const unpinned: ProgramResource = {
      type: "Manifest",
      name: "unpinned",
      args: { repository: layers, image: { reference: `${layers}@${second}`, path: "/x", at: "/x" } },
    };
    project.write([unpinned, ...program(digest, "v1.0.0", "2", "sha-4567")]);
    const { code, output } = await project.run("preview");
    assert.notEqual(code, 0);
    assert.match(output, /v1\.0\.0 already names another image/);
  });

  it("refuses to put a new version on the image of the release before, as --target would", async () => {
    const commands = [["preview"], ["up", "--yes", "--skip-preview"]];
    project.write(program(second, "v1.0.1", "2", "sha-4567"));
    const target = ["--target", "urn:pulumi:test::program::policychain:index:Tag::version"];
    const exclude = ["--exclude", "urn:pulumi:test::program::policychain:index:Copy::copy"];
    for (const [command, limits] of [
      [commands[0]!, target],
      [commands[1]!, target],
      [commands[1]!, exclude],
    ] as const) {
      const { code, output } = await project.run(...command, ...limits);
      assert.notEqual(code, 0, output);
      assert.match(output, new RegExp(`releases/x@${first} was built from inputs ${inputsOf("1")}`));
      assert.deepEqual(proxy.writes(), []);
    }
    assert.equal(await tagged(releases, "v1.0.1"), undefined);
  });

  it("is raised by an update that leaves the old version alone", async () => {
    const { output } = await project.run("preview", "--diff", "--suppress-outputs");
    assert.match(output, /~ tag +: "v1\.0\.0" => "v1\.0\.1"/);
    assert.doesNotMatch(output, /released/);
    await project.up();
    await all({ "v1.0.0": first, "v1.0.1": second, "sha-0123": first, "sha-4567": second, latest: second });
  });

  it("keeps the name of the commit's tag while the image is the same", async () => {
    project.write(program(second, "v1.0.1", "2", "sha-89ab"));
    const { code, output } = await project.run("preview", "--expect-no-changes");
    assert.equal(code, 0, output);
    project.write(program(second, "v1.0.1", "2", "sha-4567"));
  });

  it("has no drift right after it was made: 0", async () => {
    proxy.clear();
    const { code, output } = await project.run("refresh", "--preview-only", "--diff", "--expect-no-changes");
    assert.equal(code, 0, output);
    assert.deepEqual(proxy.writes(), []);
  });

  it("shows a moved tag from → to: 7, and puts it back by up --refresh", async () => {
    await moveTag(releases, "v1.0.1", first);
    proxy.clear();
    const { code, output } = await project.run("refresh", "--preview-only", "--diff", "--expect-no-changes");
    assert.equal(code, 7, output);
    assert.match(output, new RegExp(`~ digest *: "${second}" => "${first}"`));
    assert.deepEqual(proxy.writes(), []);
    const preview = await project.run("preview", "--refresh", "--diff", "--suppress-outputs");
    assert.match(preview.output, new RegExp(`~ digest *: "${first}" => "${second}"`), "the repair");
    await project.up("--refresh");
    await all({ "v1.0.0": first, "v1.0.1": second });
  });

  it("shows a tag that is gone: 7, and writes it again by up --refresh", async () => {
    removeTag(registry.dir, "releases/x", "v1.0.1");
    const { code, output } = await project.run("refresh", "--preview-only", "--diff", "--expect-no-changes");
    assert.equal(code, 7, output);
    assert.match(output, /- policychain:index:Tag: \(delete\)\n.*#version/);
    await project.up("--refresh");
    await all({ "v1.0.1": second });
  });

  it("shows a lost blob by its digest: 7, and pushes it again by up --refresh", async () => {
    const { layer } = await folderLayerImage(folder, { at: "/repos/policies" });
    await remove(layers, "blobs", layer.digest);
    const { code, output } = await project.run("refresh", "--preview-only", "--diff", "--expect-no-changes");
    assert.equal(code, 7, output);
    assert.match(output, new RegExp(`\\+ missing *: \\[\\n +\\+? *\\[0\\]: "${layer.digest}"`));
    await project.up("--refresh");
    const clean = await project.run("refresh", "--preview-only", "--expect-no-changes");
    assert.equal(clean.code, 0, clean.output);
  });

  it("shows a manifest that is gone: 7, and pushes it again by up --refresh", async () => {
    const { digest } = await folderLayerImage(folder, { at: "/repos/policies" });
    await remove(layers, "manifests", digest);
    const { code, output } = await project.run("refresh", "--preview-only", "--diff", "--expect-no-changes");
    assert.equal(code, 7, output);
    assert.match(output, /- policychain:index:Manifest: \(delete\)/);
    await project.up("--refresh");
    assert.equal(await tagged(layers, digest), digest);
  });

  it("needs no candidate once it is released, and says how to build one that is gone and needed", async () => {
    await remove(`${proxy.host}/candidates/x`, "manifests", second);
    await project.up("--refresh");
    project.write(
      program(second, "v1.0.1", "2", "sha-4567").map((resource) =>
        resource.type === "Manifest"
          ? resource
          : {
              ...resource,
              args: JSON.parse(JSON.stringify(resource.args).replaceAll("releases/x", "releases/y")),
            },
      ),
    );
    const { code, output } = await project.run("up", "--yes", "--skip-preview");
    assert.notEqual(code, 0);
    assert.match(output, /is gone from its registry.*pulumi up --replace 'urn:pulumi:test::program::x' --stack test\n/);
    assert.equal(await tagged(`${proxy.host}/releases/y`, "v1.0.1"), undefined);
    project.write(program(second, "v1.0.1", "2", "sha-4567"));
    await project.up();
  });

  it("does not know a drift that it cannot look at: 1, and the state stays as it is", async () => {
    const state = () =>
      JSON.stringify(
        JSON.parse(
          readFileSync(join(project.dir, ".pulumi/stacks/program/test.json"), "utf8"),
        ).checkpoint.latest.resources.map((resource: Record<string, unknown>) => [
          resource.urn,
          resource.inputs,
          resource.outputs,
        ]),
      );
    const before = state();
    proxy.intercept = () => 403;
    try {
      for (const command of [
        ["refresh", "--preview-only", "--expect-no-changes"],
        ["refresh", "--yes"],
      ]) {
        const { code, output } = await project.run(...command);
        assert.equal(code, 1, output);
        assert.match(output, /registry answered 403/);
      }
    } finally {
      proxy.intercept = () => undefined;
    }
    assert.equal(state(), before);
  });

  it("is forgotten by destroy with one warning, and stays in the registry", async () => {
    const { code, output } = await project.run("destroy", "--yes", "--skip-preview");
    assert.equal(code, 0, output);
    const diagnostics = output.slice(output.indexOf("Diagnostics:"));
    assert.equal(diagnostics.match(/warning:/g)?.length, 1);
    assert.match(diagnostics, /releases\/x:v1\.0\.1 and everything released with it stay in the registry/);
    assert.deepEqual(proxy.writes(), []);
    await all({ "v1.0.0": first, "v1.0.1": second, latest: second });
  });
});
