// `policy-platform gate` on images that it cannot look at: the registry alone says so, no engine is asked.
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gateImage } from "../../lib/gate/image";
import { RegistryClient } from "../../lib/oci/client";
import { sha256 } from "../../lib/oci/digest";
import { folderLayerImage, pushLayerImage } from "../../lib/oci/layer";
import { formatReference, parseRepository } from "../../lib/oci/reference";
import { inputDigestLabel } from "../../lib/pins/model";
import { leftOutFiles } from "../../lib/policies/tests";
import { pushImage } from "../support/pushImage";
import { refused } from "../support/refused";
import { startRegistry, type TestRegistry } from "../support/registry";
import { run } from "../unit/cli/run";
import { makeProject } from "../unit/config/valid";

describe("the gate, without an engine", () => {
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
  it("refuses tests that were edited since the run began", async () => {
    const source = join(folder, "policies/security-policy");
    const layer = await folderLayerImage(source, { at: "/repos/security-policy" });
    const layers = parseRepository(`${registry.host}/layers/repositories/security-policy`);
    await pushLayerImage(new RegistryClient(), layers, layer);
    const place = parseRepository(`${registry.host}/candidates/policy-platform`);
    const inputDigest = sha256("inputs");
    const digest = await pushImage(place, { Labels: { [inputDigestLabel]: inputDigest } });
    const limits = { timeoutSeconds: 10, memoryBytes: 2 ** 26, outputBytes: 2 ** 16 };
    const planned = { folder: source, digest: leftOutFiles(source, layer.files).digest };
    mkdirSync(join(source, "tests"));
    writeFileSync(join(source, "tests/kyverno-test.yaml"), "edited: true\n");
    const inputs = {
      digest,
      inputDigest,
      tools: {},
      repositories: { "security-policy": { digest: layer.digest, layers: formatReference(layers), tests: planned } },
      policyTests: "optional",
      limits: { smoke: limits, checks: limits },
      environments: [],
      integration: {},
      size: {},
    } as const;
    const client = new RegistryClient();
    const around = { client, home: async () => place, projectDir: folder, stack: "dev", own: true };
    const { problem } = await refused("tests-changed", () => gateImage(inputs, around));
    assert.match(problem.fix, /run it again/);
  });

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
    assert.equal(error.fix, "nothing was released there yet");
  });

  it("says which versions there are in place of one that is not", async () => {
    for (const version of ["v1.0.0", "v1.10.0", "v1.9.0"])
      await pushImage(parseRepository(`${registry.host}/teams/released`), {}, version);
    const { error } = await gate(`${registry.host}/teams/released:v2.0.0`);
    assert.equal(error.fix, "name one that is there, such as v1.10.0, v1.9.0, v1.0.0");
  });

  it("refuses an image that names no pins", async () => {
    await pushImage(parseRepository(`${registry.host}/teams/app`), {}, "v1");
    const { exit, error } = await gate(`${registry.host}/teams/app:v1`);
    assert.deepEqual([exit, error.code], [1, "image-foreign"]);
  });
});
