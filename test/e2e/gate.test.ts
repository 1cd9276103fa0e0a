// The gate of a real stack with the real kyverno: a test that fails keeps every tag, and what passed is not run again.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { exec } from "../../lib/exec";
import { RegistryClient } from "../../lib/oci/client";
import { copyGraph } from "../../lib/oci/copy";
import { formatReference, parsePinned, parseRepository } from "../../lib/oci/reference";
import { createProject, type Project, preparedPins } from "../support/project";
import { startRegistry, type TestRegistry } from "../support/registry";
import { smallConfiguration } from "../support/smallStack";

const client = new RegistryClient();
const testFile = "policies/security-policy/tests/disallow-latest-tag/kyverno-test.yaml";

describe("the gate of a stack with policies", function () {
  this.timeout(180_000);
  let registry: TestRegistry;
  let project: Project;
  const releases = () => parseRepository(`${registry.host}/releases/policy-platform`);
  const tags = async () => {
    const names = (await client.tags(releases())).sort();
    return Promise.all(names.map(async (name) => [name, (await client.resolve(releases(), name))?.digest]));
  };
  const up = () => project.pulumi("up", "--yes", "--skip-preview");
  const gate = (args: readonly string[] = [], env: Record<string, string> = {}) =>
    exec(process.execPath, ["dist/cli/policy-platform.js", "gate", ...args, "--cwd", project.dir, "--stack", "local"], {
      env: { ...project.env, ...env },
      timeout: 120_000,
    });
  const edit = (from: string, to: string) => {
    const path = join(project.dir, testFile);
    writeFileSync(path, readFileSync(path, "utf8").replace(from, to));
  };

  before(async () => {
    registry = await startRegistry();
    const small = await smallConfiguration(registry.host);
    const pin = preparedPins()["policy-platform:tools"].kyverno;
    const from = parsePinned(pin.image);
    const to = parseRepository(`${registry.host}/layers/tools/kyverno`);
    await copyGraph(client, { from, to, digest: from.digest });
    const image = formatReference({ ...to, digest: from.digest });
    const tools = { ...(small["policy-platform:tools"] as object), kyverno: { version: pin.version, image } };
    project = await createProject({ ...small, "policy-platform:tools": tools });
    await project.up();
  });
  after(async () => {
    project?.remove();
    await registry?.stop();
  });

  it("names policies and tests in the stack's outputs", async () => {
    const { gate: found } = (await project.outputs()) as { gate: { checks: { name: string; status: string }[] } };
    const lines = found.checks.map(({ name, status }) => `${status} ${name}`);
    assert.ok(lines.includes("passed policies: security-policy"), lines.join("\n"));
    assert.ok(lines.includes("passed tests: security-policy"), lines.join("\n"));
  });

  it("is known to policy-platform gate, which then needs no engine", async () => {
    const nowhere = { DOCKER_HOST: "unix:///nonexistent/docker.sock" };
    const { code, stdout, stderr } = await gate(["-o", "json"], nowhere);
    assert.equal(code, 0, stderr);
    const { passed, known } = JSON.parse(stdout) as { passed: boolean; known: boolean };
    assert.deepEqual({ passed, known }, { passed: true, known: true });
    assert.equal((await gate(["latest"], nowhere)).code, 0);
    const again = await gate(["--again"], nowhere);
    assert.equal(again.code, 1);
    assert.match(again.stderr, /nonexistent/);
  });

  it("keeps every tag when a test fails, also after a refresh, names it, and passes once it is mended", async () => {
    const before = await tags();
    edit("result: pass", "result: fail");
    const refusal =
      /the gate refuses \S+: tests: security-policy: tests\/disallow-latest-tag\/kyverno-test\.yaml: disallow-latest-tag\/image-tag on Pod\/version-tags: Want fail, got pass.*whole output in \S+ tests-security-policy\.txt/;
    for (const refresh of [false, true]) {
      if (refresh) await project.pulumi("refresh", "--yes", "--skip-preview");
      const { code, stdout, stderr } = await up();
      assert.notEqual(code, 0);
      assert.match(stdout + stderr, refusal);
      assert.deepEqual(await tags(), before);
    }
    const { code, stdout } = await gate();
    assert.equal(code, 1);
    assert.match(stdout, /^✗ tests: security-policy: /m);
    edit("result: fail", "result: pass");
    await project.up();
    assert.deepEqual(await tags(), before);
  });
});
