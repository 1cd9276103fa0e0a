import assert from "node:assert/strict";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "yaml";
import { RegistryClient } from "../../lib/oci/client";
import { dockerCredentials } from "../../lib/oci/credentials";
import type { Digest } from "../../lib/oci/digest";
import { manifestType } from "../../lib/oci/mediaTypes";
import { parseRepository } from "../../lib/oci/reference";
import { pushFiles, textFile } from "../support/dockerEngine";
import { keepVariables } from "../support/environment";
import { dockerConfig, startRegistry, type TestRegistry } from "../support/registry";
import { run } from "../unit/cli/run";
import { makeProject, pinned } from "../unit/config/valid";

describe("policy-platform render ci", () => {
  const checks = ["--chart", "charts/app", "--policies", "security-policy"];
  const client = new RegistryClient();
  let registry: TestRegistry;
  let releases: string;
  let project: string[];
  before(async () => {
    registry = await startRegistry();
    releases = `${registry.host}/releases/policy-platform`;
    const folder = makeProject();
    writeFileSync(join(folder, "Pulumi.yaml"), "name: policy-platform\n");
    writeFileSync(
      join(folder, "Pulumi.dev.yaml"),
      `config:
  policy-platform:registry: {address: "${registry.host}"}
  policy-platform:base: {image: "${pinned("layers/base")}"}
  policy-platform:policies: {security-policy: {folder: policies/security-policy}}
`,
    );
    project = ["--stack", "dev", "--cwd", folder];
  });
  after(() => registry.stop());

  async function release(content: string, ...tags: string[]): Promise<Digest> {
    const digest = (await pushFiles(client, releases, [textFile("/a", content)])).split("@")[1] as Digest;
    const { bytes } = (await client.manifest(parseRepository(releases), digest))!;
    for (const tag of tags) await client.putManifest(parseRepository(releases), tag, bytes, manifestType);
    return digest;
  }

  it("says so while nothing was released", async () => {
    const { code, stdout, stderr } = await run("render", "ci", "--consumer", "github", ...checks, ...project);
    assert.deepEqual([code, stdout], [1, ""]);
    assert.match(
      stderr,
      /✗ \S+\/releases\/policy-platform holds no version; .*; release first \(pulumi up --stack dev\)/,
    );
  });

  it("names the highest version's digest, whatever latest points at", async () => {
    await release("one", "v1.9.0", "latest");
    const digest = await release("two", "v1.10.0");
    const { code, stdout, stderr } = await run("render", "ci", "--consumer", "bitbucket", ...checks, ...project);
    assert.equal(code, 0, stderr);
    const { step } = parse(stdout).pipelines["pull-requests"]["**"][0];
    assert.deepEqual(step.image, { name: `${releases}@${digest}`, "run-as-user": 0 });
    assert.ok(stdout.includes(`@${digest} # v1.10.0\n`));
    assert.match(stderr, /is reached from this machine alone, not by a CI host\n/);
    const again = await run("render", "ci", "--consumer", "bitbucket", ...checks, ...project);
    assert.equal(again.stdout, stdout);
  });

  it("logs in to a private registry as docker does, with and without a project", async () => {
    const privately = await startRegistry({ basic: true });
    const restore = keepVariables();
    process.env.DOCKER_CONFIG = dockerConfig(privately.host);
    try {
      const repository = `${privately.host}/releases/policy-platform`;
      const owner = new RegistryClient({ credentials: dockerCredentials() });
      const digest = (await pushFiles(owner, repository, [textFile("/a", "private")])).split("@")[1] as Digest;
      const { bytes } = (await owner.manifest(parseRepository(repository), digest))!;
      await owner.putManifest(parseRepository(repository), "v1.0.0", bytes, manifestType);
      const folder = makeProject();
      writeFileSync(join(folder, "Pulumi.yaml"), "name: policy-platform\n");
      const lines = [`registry: {address: "${privately.host}"}`, `base: {image: "${pinned("layers/base")}"}`];
      const policies = "policies: {security-policy: {folder: policies/security-policy}}";
      const text = [...lines, policies].map((line) => `  policy-platform:${line}\n`).join("");
      writeFileSync(join(folder, "Pulumi.dev.yaml"), `config:\n${text}`);
      for (const where of [
        ["--stack", "dev", "--cwd", folder],
        ["--image", `${repository}:v1.0.0`],
      ]) {
        const { code, stdout, stderr } = await run("render", "ci", "--consumer", "github", ...checks, ...where);
        assert.equal(code, 0, stderr);
        assert.ok(stdout.includes(digest));
      }
    } finally {
      restore();
      await privately.stop();
    }
  });

  it("takes another image, outside of any project, and says which digest a tag is", async () => {
    const digest = await release("one");
    const elsewhere = ["--cwd", mkdtempSync(join(tmpdir(), "elsewhere-"))];
    const ask = (image: string) =>
      run("render", "ci", "--consumer", "github", ...checks, ...elsewhere, "--image", image);
    const tagged = await ask(`${releases}:v1.9.0`);
    assert.equal(tagged.code, 0, tagged.stderr);
    assert.match(tagged.stderr, new RegExp(`releases/policy-platform:v1.9.0 is ${digest}\n`));
    assert.equal(parse(tagged.stdout).jobs["policy-check"].env.IMAGE, `${releases}@${digest}`);
    const missing = await ask(`${releases}:v9.9.9`);
    assert.deepEqual([missing.code, missing.stdout], [1, ""]);
    assert.match(missing.stderr, /there is no image \S+:v9\.9\.9; /);
    const short = await ask("policy-platform:v1");
    assert.equal(short.code, 1);
  });

  it("needs neither project nor registry for an image by digest", async () => {
    const image = `registry.invalid/org/policy-platform:v1.4.2@sha256:${"0".repeat(64)}`;
    const { code, stdout, data } = await run(
      "render",
      "ci",
      "--consumer",
      "github",
      ...checks,
      "--image",
      image,
      "-C",
      "/",
    );
    assert.equal(code, 0);
    assert.deepEqual(data, {});
    assert.match(stdout, new RegExp(`IMAGE: registry.invalid/org/policy-platform@sha256:${"0".repeat(64)} # v1.4.2\n`));
    assert.match(stdout, /docker login --username "\$USERNAME" --password-stdin registry\.invalid\n/);
    const json = await run("render", "ci", "--consumer", "github", ...checks, "--image", image, "-o", "json");
    assert.deepEqual([json.data.version, `${json.data.content}`], ["v1.4.2", stdout]);
  });

  it("refuses a command line that is none, with exit code 2", async () => {
    for (const argv of [
      ["--consumer", "gitlab", ...checks],
      ["--consumer", "github", "--chart", "x"],
      ["--consumer", "github", "--policies", "x"],
      [...checks],
      ["--consumer", "github", ...checks, "--chart", "../x", "--image", pinned("x")],
    ]) {
      const { code, stdout } = await run("render", "ci", ...argv);
      assert.deepEqual([code, stdout], [2, ""], argv.join(" "));
    }
  });
});
