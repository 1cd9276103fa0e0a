import assert from "node:assert/strict";
import { gateRun } from "../../../provider/gateRun";
import type { ResourceContext, Values } from "../../../provider/host";

const digest = `sha256:${"a".repeat(64)}`;
const bounds = { timeoutSeconds: 1, memoryBytes: 1, outputBytes: 1 };

async function failures(tests: Values): Promise<unknown> {
  const inputs: Values = {
    candidate: "localhost:5000/candidates/p",
    release: "localhost:5000/releases/p",
    digest,
    inputDigest: digest,
    tools: {},
    repositories: { p: { digest, layers: "localhost:5000/layers/p", tests: { digest, ...tests } } },
    environments: [],
    integration: {},
    policyTests: "optional",
    size: {},
    limits: { smoke: bounds, checks: bounds },
  };
  return (await gateRun.check!({} as ResourceContext, {}, inputs)).failures;
}

describe("the inputs of a gate", () => {
  const git = { url: "https://git.example/p", commit: "a".repeat(40) };

  it("take the tests of a repository from a folder or from a commit", async () => {
    assert.deepEqual(await failures({ folder: "/p" }), []);
    assert.deepEqual(await failures({ git }), []);
  });

  it("are refused with tests from nowhere, or from two places", async () => {
    const reason = "takes one of folder and git, and no other number of them";
    for (const tests of [{}, { folder: "/p", git }])
      assert.deepEqual(await failures(tests), [{ property: "repositories.p.tests", reason }]);
  });
});
