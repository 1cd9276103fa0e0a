// `policy-platform gate` on images that it cannot look at: the registry alone says so, no engine is asked.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseRepository } from "../../lib/oci/reference";
import { pushImage } from "../support/pushImage";
import { startRegistry, type TestRegistry } from "../support/registry";
import { run } from "../unit/cli/run";
import { makeProject } from "../unit/config/valid";

describe("policy-platform gate, without an engine", () => {
  let registry: TestRegistry;
  let folder: string;
  before(async () => {
    registry = await startRegistry();
    folder = makeProject();
    const base = await pushImage(parseRepository(`${registry.host}/layers/base`), {});
    writeFileSync(join(folder, "Pulumi.yaml"), "name: policy-platform\n");
    writeFileSync(
      join(folder, "Pulumi.dev.yaml"),
      `config:
  policy-platform:registry: {address: "${registry.host}"}
  policy-platform:base: {image: "${registry.host}/layers/base@${base}"}
  policy-platform:policies: {security-policy: {folder: policies/security-policy}}
`,
    );
  });
  after(() => registry.stop());
  const gate = async (...argv: string[]) => {
    const { code, data } = await run("gate", ...argv, "--stack", "dev", "--cwd", folder, "-o", "json");
    return { exit: code, error: data.error as { code: string; what: string; fix: string } };
  };

  it("says that nothing was built of the present inputs, and how it is built", async () => {
    const { exit, error } = await gate();
    assert.deepEqual([exit, error.code], [1, "candidate-missing"]);
    assert.match(error.fix, /pulumi up --stack dev/);
  });

  it("says that there is no image of that name", async () => {
    const { exit, error } = await gate("v9.9.9");
    assert.deepEqual([exit, error.code], [1, "candidate-missing"]);
    assert.match(error.what, /releases\/policy-platform:v9\.9\.9$/);
  });

  it("refuses an image that names no pins", async () => {
    await pushImage(parseRepository(`${registry.host}/teams/app`), {}, "v1");
    const { exit, error } = await gate(`${registry.host}/teams/app:v1`);
    assert.deepEqual([exit, error.code], [1, "image-foreign"]);
  });
});
