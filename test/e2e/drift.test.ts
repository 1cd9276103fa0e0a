// What happened in the registry behind the program's back: shown from → to, told by the exit code, repaired by one command.
import assert from "node:assert/strict";
import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { RegistryClient } from "../../lib/oci/client";
import { parseRepository } from "../../lib/oci/reference";
import { createProject, expectSuccess, type Project } from "../support/project";
import { startRegistry, type TestRegistry } from "../support/registry";
import { type ScriptedServer, startScriptedServer } from "../support/scriptedServer";
import { smallConfiguration } from "../support/smallStack";

const client = new RegistryClient();

describe("drift in the registry", function () {
  this.timeout(120_000);
  let behind: TestRegistry;
  let registry: ScriptedServer;
  let project: Project;
  let first: string;
  let second: string;

  const releases = () => parseRepository(`${registry.host}/releases/policy-platform`);
  const digestAt = async (tag: string) => (await client.resolve(releases(), tag))?.digest;
  const tag = async (name: string, digest: string) => {
    const { bytes, mediaType } = (await client.manifest(releases(), digest))!;
    await client.putManifest(releases(), name, bytes, mediaType);
  };
  const look = () => project.pulumi("refresh", "--preview-only", "--diff", "--expect-no-changes");

  before(async () => {
    behind = await startRegistry();
    registry = await startScriptedServer(() => "forward", { forwardTo: behind.host, keepBodies: false });
    project = await createProject(await smallConfiguration(registry.host));
    await project.up();
    first = (await project.outputs()).image.digest;
    appendFileSync(join(project.dir, "policies/security-policy/policies/disallow-latest-tag.yaml"), "# edited\n");
    await project.up();
    second = (await project.outputs()).image.digest;
  });
  after(async () => {
    project?.remove();
    await registry?.stop();
    await behind?.stop();
  });

  it("is none after a release: the drift job ends with 0", async () => {
    assert.equal((await look()).code, 0);
  });

  it("of a version tag moved by hand is shown from → to, ends the drift job with 7 and is repaired", async () => {
    await tag("v1.0.1", first);
    const preview = await expectSuccess(project.pulumi("preview", "--refresh", "--diff"));
    assert.match(preview.stdout, new RegExp(`digest *: "${second}" => "${first}"`));
    assert.match(preview.stdout, new RegExp(`digest *: "${first}" => "${second}"`));
    assert.match(preview.stderr, /^tag v1\.0\.1 was moved in the registry/m);
    assert.equal(await digestAt("v1.0.1"), first, "a preview must not write");
    assert.equal((await look()).code, 7);
    await project.up("--refresh");
    assert.equal(await digestAt("v1.0.1"), second);
    assert.equal((await look()).code, 0);
  });

  it("of latest is repaired as well, without a new version", async () => {
    await tag("latest", first);
    assert.equal((await look()).code, 7);
    await project.up("--refresh");
    assert.equal(await digestAt("latest"), second);
    assert.equal((await project.outputs()).version, "v1.0.1");
  });

  it("of a manifest that was deleted, its tags with it, is repaired from the candidate under the same version", async () => {
    const gone = await fetch(`http://${registry.host}/v2/releases/policy-platform/manifests/${second}`, {
      method: "DELETE",
    });
    assert.equal(gone.status, 202);
    assert.equal((await look()).code, 7);
    await project.up("--refresh");
    assert.equal(await digestAt("v1.0.1"), second);
    assert.equal(await digestAt("latest"), second);
    assert.equal((await look()).code, 0);
  });

  it("of a blob that is gone is told apart and uploaded again", async () => {
    const { layers } = JSON.parse((await client.manifest(releases(), second))!.bytes.toString());
    const gone = await fetch(`http://${registry.host}/v2/releases/policy-platform/blobs/${layers.at(-1).digest}`, {
      method: "DELETE",
    });
    assert.equal(gone.status, 202);
    const found = await look();
    assert.equal(found.code, 7);
    assert.ok(found.stdout.includes(layers.at(-1).digest), found.stdout);
    await project.up("--refresh");
    assert.equal(await client.hasBlob(releases(), layers.at(-1).digest), true);
  });

  it("cannot be told while the registry refuses to be read: the job ends with 1 and the state stays", async () => {
    for (const status of [401, 403]) {
      registry.answer(() => ({ status }));
      const found = await look();
      assert.equal(found.code, 1, found.stdout);
      assert.match(found.stdout + found.stderr, new RegExp(`${status}`));
    }
    registry.answer(() => "forward");
    assert.equal((await look()).code, 0);
  });

  it("is not what cleaned candidates are: a healthy release needs them no more", async () => {
    const candidates = parseRepository(`${registry.host}/candidates/policy-platform`);
    for (const digest of [first, second])
      await fetch(`http://${registry.host}/v2/${candidates.path}/manifests/${digest}`, { method: "DELETE" });
    assert.equal(await client.resolve(candidates, second), undefined);
    assert.equal((await look()).code, 0);
    await project.up("--expect-no-changes");
  });
});
