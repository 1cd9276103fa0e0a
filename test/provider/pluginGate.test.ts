// GateRun through the real engine, on real images in a real Docker engine.
import assert from "node:assert/strict";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { RegistryClient } from "../../lib/oci/client";
import type { Digest } from "../../lib/oci/digest";
import { shortDigest } from "../../lib/oci/digest";
import { pushFiles, shellFiles, startDockerEngine, type TestEngine, textFile } from "../support/dockerEngine";
import { type EngineProject, engineProject, type ProgramResource } from "../support/engine";
import { startRegistry, type TestRegistry } from "../support/registry";
import { inputsOf, moveTag, pushImage, remove } from "./pluginRegistry";

const bounds = (timeoutSeconds: number, outputBytes: number) => {
  const both = { timeoutSeconds, memoryBytes: 64 * 1024 * 1024, outputBytes };
  return { smoke: both, checks: both };
};

describe("a GateRun through the engine", function () {
  this.timeout(120_000);
  let registry: TestRegistry;
  let docker: TestEngine;
  let project: EngineProject;
  let candidate: string;
  let good: Digest;
  let bad: Digest;
  let layer: string;
  const tool = (version: string) => textFile("/usr/local/bin/tool", `#!/bin/bash\necho tool ${version}\n`, true);
  const policies = [textFile("/repos/p/a.yaml", "a: 1\n")];

  const gate = (digest: string, inputs: string, more: object = {}): ProgramResource => ({
    type: "GateRun",
    name: "gate",
    args: {
      candidate,
      release: `${registry.host}/releases/x`,
      digest,
      inputDigest: inputsOf(inputs),
      tools: { tool: { version: "1.0.0", command: ["tool"], expect: "tool (\\S+)" } },
      repositories: { p: { digest: layer.split("@")[1], layers: layer.split("@")[0] } },
      policyTests: "optional",
      environments: [],
      integration: {},
      size: {},
      limits: bounds(10, 64 * 1024),
      rebuild: "urn:pulumi:test::program::image",
      ...more,
    },
  });
  const stateFile = () => join(project.dir, ".pulumi/stacks/program/test.json");
  const gateInState = () => {
    const { checkpoint } = JSON.parse(readFileSync(stateFile(), "utf8"));
    const resources: { type: string; outputs: Record<string, unknown>; inputs: Record<string, unknown> }[] =
      checkpoint.latest.resources;
    return resources.find(({ type }) => type === "policychain:index:GateRun");
  };
  const refused = async (expected: RegExp) => {
    const { code, output } = await project.run("up", "--yes", "--skip-preview");
    assert.notEqual(code, 0, output);
    assert.match(output, expected);
    assert.doesNotMatch(output, /\n +at /, "no stack");
  };

  before(async () => {
    [registry, docker] = await Promise.all([startRegistry(), startDockerEngine()]);
    project = await engineProject({ DOCKER_HOST: docker.host });
    candidate = `${registry.host}/candidates/x`;
    layer = await pushFiles(new RegistryClient(), `${registry.host}/layers/repositories/p`, policies);
    const base = shellFiles();
    good = await pushImage(candidate, "good", [...base, ...policies, tool("1.0.0")]);
    bad = await pushImage(candidate, "bad", [...base, ...policies, tool("2.0.0")]);
  });
  after(async () => {
    project?.dispose();
    await registry?.stop();
    await docker?.stop();
  });

  it("that fails leaves nothing in the state, so the next run tries again, a refresh in between or not", async () => {
    project.write([gate(bad, "bad")]);
    const expected =
      /the gate refuses \S+\/candidates\/x@sha256:[0-9a-f]{64}: smoke: tool: `tool` prints version 2\.0\.0; 1\.0\.0 is pinned; whole output in \.policy-platform\/gate\/[0-9a-f]{12}\/: smoke-tool\.txt; only an image that has passed every check is tagged/;
    await refused(expected);
    assert.equal(gateInState(), undefined);
    await project.run("refresh", "--yes");
    await refused(expected);
  });

  it("is unknown at preview, and known with every check when it has passed", async () => {
    project.write([gate(good, "good")]);
    const { output } = await project.run("preview", "--diff");
    assert.match(output, /\+ gate: \[unknown\]/);
    await project.up();
    const { passed, checks } = (await project.outputs()).gate!;
    assert.equal(passed, true);
    assert.deepEqual(
      (checks as { name: string; status: string }[]).map(({ name, status }) => [name, status]),
      [
        ["smoke: shell", "passed"],
        ["smoke: tool", "passed"],
        ["smoke: /repos/p", "passed"],
        ["policies: p", "skipped"],
        ["tests: p", "skipped"],
        ["size", "passed"],
      ],
    );
  });

  it("leaves in the state what a next run on an empty machine need not find out again", () => {
    const { memory } = gateInState()!.outputs as { memory: { layers: Record<string, number> } };
    const [layer, ...others] = Object.entries(memory.layers);
    assert.deepEqual(others, []);
    assert.match(layer![0], /^sha256:[0-9a-f]{64}$/);
    assert.ok(layer![1] > 0);
  });

  it("is not run again while its inputs are the same, and reads no drift though the candidate is gone", async () => {
    await moveTag(candidate, shortDigest(inputsOf("good")), good);
    await remove(candidate, "manifests", good);
    const refreshed = await project.run("refresh", "--preview-only", "--expect-no-changes");
    assert.equal(refreshed.code, 0, refreshed.output);
    project.write([gate(good, "good", { rebuild: "other", built: bad, insecure: true })]);
    const again = await project.run("up", "--yes", "--skip-preview", "--expect-no-changes");
    assert.equal(again.code, 0, again.output);
  });

  it("that fails on an update keeps the inputs that passed, so the next run tries again", async () => {
    project.write([gate(bad, "bad")]);
    await refused(/prints version 2\.0\.0/);
    assert.equal(gateInState()!.inputs.digest, good);
    await project.run("refresh", "--yes");
    assert.equal(gateInState()!.inputs.digest, good);
    await refused(/prints version 2\.0\.0/);
  });

  it("ends a tool that prints 100 MB, soon and in one sentence, and keeps none of it", async () => {
    const before = gateInState()?.inputs.digest;
    const flood = '#!/bin/bash\nx=$(printf %100000s); for i in {1..1000}; do echo "${x// /x}"; done\n';
    const files = [...shellFiles(), ...policies, textFile("/usr/local/bin/tool", flood, true)];
    project.write([gate(await pushImage(candidate, "flood", files), "flood")]);
    const { code, output } = await project.run("up", "--yes", "--skip-preview");
    assert.notEqual(code, 0);
    assert.match(
      output,
      /smoke: tool: `tool` printed more than 65536 bytes; it printed: x{100,300}…; whole output in \S+ smoke-tool\.txt; only an image/,
    );
    assert.ok(output.length < 20_000, `${output.length} characters`);
    assert.equal(gateInState()?.inputs.digest, before);
    assert.ok(statSync(stateFile()).size < 100_000);
  });

  it("looks at no image of other inputs, and at none that is gone", async () => {
    project.write([gate(bad, "good")]);
    await refused(
      new RegExp(`was built from inputs ${inputsOf("bad")}, and the gate was asked about ${inputsOf("good")}`),
    );
    project.write([gate(good, "good", { limits: bounds(9, 1024) })]);
    await refused(/is gone from its registry.*pulumi up --replace 'urn:pulumi:test::program::image' --stack test/);
  });

  it("looks at the released image where there is one, and says that a rebuild gave other bytes", async () => {
    const base = shellFiles();
    const released = await pushImage(`${registry.host}/releases/x`, "good", [...base, ...policies, tool("1.0.0")]);
    assert.equal(released, good);
    project.write([
      gate(good, "good", {
        built: bad,
        limits: bounds(8, 1024),
      }),
    ]);
    assert.match(
      await project.up(),
      new RegExp(`warning: a build of the released inputs gave ${bad} instead of ${good}`),
    );
  });

  it("says in one sentence that there is no engine", async () => {
    const without = await engineProject({ DOCKER_HOST: "unix:///nonexistent/docker.sock" });
    try {
      without.write([gate(good, "good")]);
      const { code, output } = await without.run("up", "--yes", "--skip-preview");
      assert.notEqual(code, 0);
      assert.match(output, /\/nonexistent\/docker\.sock/);
      assert.doesNotMatch(output, /\n +at /, "no stack");
    } finally {
      without.dispose();
    }
  });
});
