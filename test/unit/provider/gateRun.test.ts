import assert from "node:assert/strict";
import { gateRun } from "../../../provider/gateRun";
import { type ResourceContext, UNKNOWN, type Values } from "../../../provider/host";

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

describe("a gate that passed", () => {
  const inputs = (announced?: Values): Values => ({ digest, environments: ["dev"], ...(announced && { announced }) });
  const changes = async (artifacts: Values | undefined, news: Values) => {
    const context = {} as ResourceContext;
    return Object.keys((await gateRun.diff!(context, "gate", inputs(), { artifacts }, news)).changes);
  };
  const dev = { dev: { digest, revision: digest } };

  it("stands while the artifact that it has seen is the one that is announced, or none is", async () => {
    for (const announced of [undefined, {}, { dev: digest }, { dev: UNKNOWN }] as (Values | undefined)[])
      assert.deepEqual(await changes(dev, inputs(announced)), []);
  });

  it("looks again where another artifact is announced than it has seen", async () => {
    assert.deepEqual(await changes(dev, inputs({ dev: `sha256:${"b".repeat(64)}` })), ["announced"]);
  });

  it("looks again where its record of before says nothing of an environment's artifact", async () => {
    for (const artifacts of [undefined, {}, { other: dev.dev }])
      assert.deepEqual(await changes(artifacts, inputs({ dev: digest })), ["environments"]);
  });
});
