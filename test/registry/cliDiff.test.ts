// `policy-platform diff image artifact` on releases as they lie in a registry: what it finds without Docker, helm and kyverno.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fluxArtifact } from "../../lib/flux/artifact";
import { chartRepositories, renderDigest } from "../../lib/flux/charts";
import { artifactFiles } from "../../lib/flux/content";
import { pushArtifact } from "../../lib/flux/push";
import { RegistryClient } from "../../lib/oci/client";
import { formatReference, parseRepository } from "../../lib/oci/reference";
import { artifactsBeside } from "../../lib/promotion/artifacts";
import { golden } from "../support/golden";
import { startRegistry, type TestRegistry } from "../support/registry";
import { pushWholeRelease, tagAs, type WholeRelease } from "../support/releasedImage";
import { run } from "../unit/cli/run";

const policy = (name: string, rule = "named") =>
  `apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {name: ${name}}\nspec:\n  rules:\n    - name: ${rule}\n      match: {any: [{resources: {kinds: [Service]}}]}\n      validate: {message: needs a name, pattern: {metadata: {name: "?*"}}}\n`;
const policies = {
  security: { "a.yaml": policy("a"), "b.yaml": policy("b"), "README.md": "Ours." },
  charts: {
    "cd/production/values.yaml": "",
    "charts/rules/Chart.yaml": "apiVersion: v2\nname: rules\nversion: 1.0.0\n",
    "charts/rules/templates/c.yaml": policy("{{ .Values.name }}"),
  },
};

describe("diff image artifact", function () {
  this.timeout(60_000);
  let registry: TestRegistry;
  let folder: string;
  let released: WholeRelease;
  const client = new RegistryClient();
  const releases = () => parseRepository(`${registry.host}/releases/policy-platform`);
  const home = (environment: string) => parseRepository(artifactsBeside(formatReference(releases()), environment));
  const files = (own: Readonly<Record<string, Readonly<Record<string, string>>>> = policies) =>
    Object.fromEntries(
      Object.entries(own).map(([name, content]) => [
        name,
        new Map(Object.entries(content).map(([path, text]) => [path, Buffer.from(text)])),
      ]),
    );
  const rendered = new Map([["charts/charts/rules/templates/c.yaml", Buffer.from(policy("c"))]]);

  /** Publishes under the image's version what `own` has in place of the image's policies. */
  const publish = async (
    environment: string,
    { own, render, tag = "v1.0.0" }: { own?: typeof policies; render?: `sha256:${string}`; tag?: string } = {},
  ) => {
    const content = artifactFiles({
      repositories: files(own),
      ...(chartRepositories(files(own), environment).length > 0 && { rendered }),
    });
    const artifact = fluxArtifact(content.files, { render });
    await pushArtifact(client, home(environment), artifact);
    await tagAs(client, home(environment), artifact.digest, tag);
    return artifact.digest;
  };
  const renderOfImage = () =>
    renderDigest({
      environment: "production",
      repositories: { charts: released.inputs.repositories.charts!.digest },
      helm: released.inputs.tools.helm!.digest,
    });
  const diff = async (...argv: string[]) => {
    const { code, data, stdout, stderr } = await run(
      "diff",
      "image",
      "artifact",
      ...argv,
      "--stack",
      "dev",
      "--cwd",
      folder,
    );
    const screen = (stderr + stdout)
      .replaceAll(registry.host, "REGISTRY")
      .replaceAll(/sha256:\w{64}/g, "sha256:…")
      .replace(/state was not read \(.*\)/, "state was not read (…)"); // no engine, or no such stack
    return { code, data, screen };
  };

  before(async () => {
    registry = await startRegistry();
    folder = mkdtempSync(join(tmpdir(), "diff-"));
    writeFileSync(join(folder, "Pulumi.yaml"), "name: policy-platform\nruntime: nodejs\n");
    writeFileSync(
      join(folder, "Pulumi.dev.yaml"),
      `config:\n  policy-platform:registry: {address: "${registry.host}"}\n  policy-platform:promotion: {from: "${registry.host}/other/policy-platform", version: v1.0.0, digest: "sha256:${"0".repeat(64)}", commit: "${"0".repeat(12)}"}\n`,
    );
    released = await pushWholeRelease(
      client,
      releases(),
      { tools: { helm: "3.19.0" }, policies, environments: ["dev", "production"] },
      "v1.0.0",
      "latest",
    );
  });
  after(async () => {
    rmSync(folder, { recursive: true, force: true });
    await registry.stop();
  });
  beforeEach(async () => {
    await publish("dev");
    await publish("production", { render: renderOfImage() });
  });

  it("finds the same policies in each environment, and says who vouches for what charts rendered", async () => {
    const { code, screen } = await diff();
    golden("screens/diff-equal.golden", screen);
    assert.equal(code, 0, screen);
    for (const name of ["v1.0.0", "latest", released.digest, formatReference({ ...releases(), tag: "v1.0.0" })])
      assert.equal((await diff(name)).code, 0, name);
  });

  it("names every policy that is only in one of both, or another one, and ends with 1", async () => {
    const own = {
      ...policies,
      security: { ...policies.security, "a.yaml": policy("a", "other"), "b.yaml": policy("d") },
    };
    await publish("dev", { own });
    await publish("production");
    const { code, screen } = await diff();
    golden("screens/diff-different.golden", screen);
    assert.equal(code, 1, screen);
    const json = await diff("-o", "json");
    assert.equal(json.code, 1);
    const { dev, production } = json.data.environments as any;
    assert.deepEqual(
      dev.differences.map(({ policy, kind, rules }: any) => [policy, kind, rules]),
      [
        ["ClusterPolicy a", "differs", ["named", "other"]],
        ["ClusterPolicy b", "onlyImage", ["named"]],
        ["ClusterPolicy d", "onlyArtifact", ["named"]],
      ],
    );
    assert.deepEqual(production.charts, { policies: 1, rules: 1, sameInputs: false });
  });

  it("says what is not there", async () => {
    const error = async (...argv: string[]) => {
      const { code, data } = await diff(...argv, "-o", "json");
      return [code, (data.error as { code: string }).code];
    };
    assert.deepEqual(await error("v9.9.9"), [1, "candidate-missing"]);
    await pushWholeRelease(client, releases(), { policies }, "v0.9.0");
    assert.deepEqual(await error("v0.9.0"), [1, "artifact-none"]);
    await pushWholeRelease(client, releases(), { policies, environments: ["dev"] }, "v0.9.1");
    assert.deepEqual(await error("v0.9.1"), [1, "artifact-missing"]);
    await tagAs(client, releases(), released.digest, "sha-0123456789ab");
    assert.equal((await diff("sha-0123456789ab")).code, 0, "the version of the same image is looked for");
  });
});
