// Policies of repositories that are given as layer images, checked against those of folders: the registry is a real one.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RegistryClient } from "../../lib/oci/client";
import { folderLayerImage, pushLayerImage } from "../../lib/oci/layer";
import { parseRepository } from "../../lib/oci/reference";
import { requirePolicies } from "../../lib/policies/check";
import { shippedPolicies } from "../../lib/sources/shippedPolicies";
import { startRegistry, type TestRegistry } from "../support/registry";
import { run } from "../unit/cli/run";
import { pinned } from "../unit/config/valid";

const policy = (name: string) => `apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata:\n  name: ${name}\n`;

describe("the policies of a repository that is given as a layer image", () => {
  const client = new RegistryClient();
  let registry: TestRegistry;
  let projectDir: string;

  before(async () => {
    registry = await startRegistry();
  });
  after(() => registry.stop());
  beforeEach(() => {
    projectDir = mkdtempSync(join(tmpdir(), "shipped-"));
  });

  function folderOf(name: string, files: Readonly<Record<string, string>>): string {
    const folder = join(projectDir, "policies", name);
    mkdirSync(folder, { recursive: true });
    for (const [file, text] of Object.entries(files)) writeFileSync(join(folder, file), text);
    return folder;
  }

  /** Pushes a folder as its team does, to a place of its own. */
  async function published(name: string, files: Readonly<Record<string, string>>): Promise<string> {
    const layer = await folderLayerImage(folderOf(`${name}-team`, files), { at: `/repos/${name}` });
    await pushLayerImage(client, parseRepository(`${registry.host}/team/${name}`), layer);
    return `${registry.host}/team/${name}@${layer.digest}`;
  }

  async function check(folder: string, image: string, address = registry.host) {
    const layer = await folderLayerImage(folder, { at: "/repos/ours" });
    const settings = {
      policies: { ours: { folder }, theirs: { image } },
      registry: { address, separator: "/" as const, insecure: false },
    };
    const shipped = await shippedPolicies(client, settings, { projectDir, folders: { ours: layer }, contents: {} });
    return requirePolicies(shipped, { kyverno: "1.13.2" });
  }

  it("are held to the same rules: a policy that stands in both is named with both places", async () => {
    const image = await published("theirs", { "a.yaml": policy("only-theirs"), "b.yaml": policy("same") });
    const folder = folderOf("ours", { "c.yaml": policy("same") });
    await assert.rejects(check(folder, image), {
      code: "policy-duplicate",
      message: new RegExp(`^theirs/b\\.yaml:1: ClusterPolicy same is in ${folder}/c\\.yaml:1 already; `),
    });
  });

  it("are read once: then they are known by the digest, also where the registry is gone", async () => {
    const image = await published("theirs", { "b.yaml": policy("same") });
    assert.deepEqual(await check(folderOf("ours", { "c.yaml": policy("other") }), image), []);
    const moved = image.replace(registry.host, "127.0.0.1:1");
    const folder = folderOf("ours", { "c.yaml": policy("same") });
    await assert.rejects(check(folder, moved, "127.0.0.1:1"), { code: "policy-duplicate" });
  });

  it("do not stop anything where the layer image is gone before it was ever read: what needs it says so", async () => {
    const image = `${registry.host}/team/theirs@sha256:${"0".repeat(64)}`;
    assert.deepEqual(await check(folderOf("ours", { "c.yaml": policy("same") }), image), []);
  });

  it("are what the command knows too, offline, once a preview has read them", async () => {
    const image = await published("theirs", { "b.yaml": policy("same") });
    assert.deepEqual(await check(folderOf("ours", { "c.yaml": policy("other") }), image), []);
    folderOf("ours", { "c.yaml": policy("same") });
    writeFileSync(join(projectDir, "Pulumi.yaml"), "name: policy-platform\n");
    writeFileSync(
      join(projectDir, "Pulumi.dev.yaml"),
      `config:
  policy-platform:registry: {address: "127.0.0.1:1"}
  policy-platform:base: {image: "${pinned("layers/base")}"}
  policy-platform:policies: {ours: {folder: policies/ours}, theirs: {image: "${image}"}}
`,
    );
    const { code, stdout } = await run("check", "--stack", "dev", "--cwd", projectDir);
    assert.equal(code, 2);
    assert.match(
      stdout,
      /^1\. policy-platform:policies\.theirs: theirs\/b\.yaml:1: ClusterPolicy same is in policies\/ours\/c\.yaml:1 already; /,
    );
  });
});
