import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { dockerConfig, startRegistry, type TestRegistry } from "../../support/registry";
import { makeProject, pinned } from "../config/valid";
import { run } from "./run";

describe("policy-platform version", () => {
  let registry: TestRegistry;
  let closed: TestRegistry;
  let path: string | undefined;
  before(async () => {
    [registry, closed] = await Promise.all([startRegistry(), startRegistry({ basic: true })]);
    path = process.env.PATH;
    process.env.PATH = "/nowhere"; // no engine: the registry alone is believed
  });
  after(async () => {
    process.env.PATH = path;
    await Promise.all([registry.stop(), closed.stop()]);
  });

  function project(host: string, more = "") {
    const folder = makeProject();
    writeFileSync(join(folder, "Pulumi.yaml"), "name: policy-platform\n");
    writeFileSync(
      join(folder, "Pulumi.dev.yaml"),
      `config:
  policy-platform:registry: {address: "${host}"}
  policy-platform:base: {image: "${pinned("layers/base")}"}
  policy-platform:policies: {security-policy: {folder: policies/security-policy}}
${more}`,
    );
    return (...argv: string[]) => run("version", "--stack", "dev", "--cwd", folder, ...argv);
  }

  it("says that nothing was released yet, and which version comes first", async () => {
    const { code, stdout, stderr } = await project(registry.host)();
    assert.equal(code, 0, stderr);
    assert.equal(stdout, "last      no release yet\nrequired  first\nnext      v1.0.0\n");
    assert.match(stderr, /the stack's state was not read \(no command pulumi\)/);
  });

  it("answers programs", async () => {
    const { data } = await project(registry.host)("-o", "json");
    const { reason, ...rest } = data;
    assert.deepEqual(rest, { stack: "dev", next: "v1.0.0", required: "first", changes: [] });
    assert.equal(typeof reason, "string");
  });

  it("fails when the registry cannot be read, and never takes that for no release", async () => {
    const { code, data } = await project("127.0.0.1:1")("-o", "json");
    assert.equal(code, 1);
    assert.equal((data.error as { code: string }).code, "registry-unavailable");
  }).timeout(90_000);

  it("reads a closed registry with the credentials of the docker config", async () => {
    const { DOCKER_CONFIG } = process.env;
    try {
      process.env.DOCKER_CONFIG = "/nowhere";
      const refused = await project(closed.host)("-o", "json");
      assert.equal((refused.data.error as { code: string }).code, "registry-unauthorized");
      process.env.DOCKER_CONFIG = dockerConfig(closed.host);
      const { code, stderr } = await project(closed.host)();
      assert.equal(code, 0, stderr);
    } finally {
      if (DOCKER_CONFIG === undefined) delete process.env.DOCKER_CONFIG;
      else process.env.DOCKER_CONFIG = DOCKER_CONFIG;
    }
  });

  it("needs a valid configuration and every digest", async () => {
    const invalid = await project(registry.host, "  policy-platform:versoin: auto\n")("-o", "json");
    assert.equal(invalid.code, 2);
    assert.equal((invalid.data.error as { problems: unknown[] }).problems.length, 1);
    const release = `{version: "4.54.1", release: {url: "https://example.com/yq", sha256: "${"a".repeat(64)}"}}`;
    const unpinned = await project(registry.host, `  policy-platform:tools: {yq: ${release}}\n`)();
    assert.equal(unpinned.code, 2);
    assert.match(unpinned.stderr, /the layer image digest of yq is not pinned; .*; policy-platform pin yq --stack dev/);
  });
});
