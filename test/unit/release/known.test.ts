import assert from "node:assert/strict";
import { keptCommitTag, knownRelease } from "../../../lib/release/known";
import { digestOf } from "../pins/arbitraries";

const repository = "127.0.0.1:5000/releases/policy-platform";
const outputs = {
  repository,
  role: "version",
  tag: "v1.0.1",
  digest: digestOf("released"),
  released: digestOf("released"),
  inputDigest: digestOf("inputs"),
};
const tag = (changes: object) => ({ type: "policychain:index:Tag", outputs: { ...outputs, ...changes } });
const released = { version: "v1.0.1", digest: digestOf("released"), inputDigest: digestOf("inputs") };

describe("what the stack's state remembers of its last release", () => {
  it("is the version tag's, among all other resources", () => {
    const state = {
      stack: { type: "pulumi:pulumi:Stack", outputs: { version: "v9.9.9" } },
      provider: { type: "pulumi:providers:policychain" },
      commit: tag({ role: "commit", tag: "sha-0123456789ab" }),
      version: tag({}),
      latest: tag({ role: "latest", tag: "latest" }),
      other: { type: "other:index:Tag", outputs },
    };
    assert.deepEqual(knownRelease(state, repository), { ...released, tags: ["latest", "sha-0123456789ab"] });
  });

  it("names no tag that was left on an earlier release by a run that ended half-way", () => {
    const state = {
      version: tag({}),
      latest: tag({ role: "latest", tag: "latest", released: digestOf("earlier"), digest: digestOf("earlier") }),
      commit: tag({ role: "commit", tag: "sha-0123456789ab", digest: digestOf("moved") }),
    };
    assert.deepEqual(knownRelease(state, repository), { ...released, tags: ["sha-0123456789ab"] });
  });

  it("is the commit tag of one digest, whatever version was last, and of no other digest or repository", () => {
    const state = { commit: tag({ role: "commit", tag: "sha-0123456789ab", digest: digestOf("moved") }) };
    assert.equal(keptCommitTag(state, repository, digestOf("released")), "sha-0123456789ab");
    assert.equal(keptCommitTag(state, repository, digestOf("moved")), undefined);
    assert.equal(keptCommitTag(state, "127.0.0.1:5000/releases/other", digestOf("released")), undefined);
    for (const nothing of [undefined, null, {}, { version: tag({}) }])
      assert.equal(keptCommitTag(nothing, repository, digestOf("released")), undefined);
  });

  it("is what was released, also after a refresh has written down where the tag points now", () => {
    assert.deepEqual(knownRelease({ version: tag({ digest: digestOf("moved") }) }, repository), released);
  });

  it("is nothing for another repository, a new stack, or a state that holds something else", () => {
    assert.equal(knownRelease({ version: tag({}) }, "127.0.0.1:5000/releases/other"), undefined);
    for (const state of [undefined, null, {}]) assert.equal(knownRelease(state, repository), undefined);
    for (const changes of [
      { tag: "latest" },
      { tag: 1 },
      { released: "x" },
      { inputDigest: undefined },
      { inputDigest: { secret: 1 } },
    ])
      assert.equal(knownRelease({ version: tag(changes) }, repository), undefined);
  });
});
