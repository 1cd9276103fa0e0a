import assert from "node:assert/strict";
import { outputsOf, stateOf } from "../../components/program";
import { record } from "../support/mocks";

/** An engine whose first `torn` answers are those of a state file that is being written. */
async function engineWith(torn: number) {
  const asked: string[] = [];
  await record(false, {}, (token) => {
    asked.push(token);
    if (asked.length <= torn) throw Object.assign(new Error(), { details: "failed to load checkpoint: EOF" }); // as gRPC has it
    return { outputs: { "urn:one": { type: "t" } } };
  });
  return asked;
}

describe("the stack's own state", () => {
  it("is read again while the engine is writing it", async () => {
    const asked = await engineWith(3);
    assert.deepEqual(await stateOf(), { "urn:one": { type: "t" } });
    assert.deepEqual(asked, Array(4).fill("pulumi:pulumi:readStackResourceOutputs"));
  });

  it("that stays unreadable fails with the engine's own message, within two seconds", async () => {
    const asked = await engineWith(Number.POSITIVE_INFINITY);
    await assert.rejects(stateOf(), /failed to load checkpoint: EOF/);
    assert.equal(asked.length, 7);
  });
});

describe("the outputs of another stack", () => {
  it("are read again while its own update is writing them", async () => {
    const asked = await engineWith(3);
    assert.deepEqual(await outputsOf("organization/policy-platform/dev"), { "urn:one": { type: "t" } });
    assert.deepEqual(asked, Array(4).fill("pulumi:pulumi:readStackOutputs"));
  });

  it("that stay unreadable fail with the engine's own message, within two seconds", async () => {
    const asked = await engineWith(Number.POSITIVE_INFINITY);
    await assert.rejects(outputsOf("organization/policy-platform/dev"), /failed to load checkpoint: EOF/);
    assert.equal(asked.length, 7);
  });
});
