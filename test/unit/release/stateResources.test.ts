import assert from "node:assert/strict";
import { isUncreated, leftLayers } from "../../../lib/registry/created";
import { builtImage } from "../../../lib/release/built";
import { keptCommitTag, knownRelease } from "../../../lib/release/known";
import { resourcesOfType } from "../../../lib/stateResources";
import { digestOf } from "../pins/arbitraries";

describe("the resources in a stack's state", () => {
  it("are found by their type, whatever else is there, with outputs or without", () => {
    const state = {
      a: { type: "t", outputs: { x: 1 } },
      b: { type: "t" },
      c: { type: "u", outputs: { x: 2 } },
      d: null,
    };
    assert.deepEqual(resourcesOfType(state, "t"), [
      { urn: "a", outputs: { x: 1 } },
      { urn: "b", outputs: {} },
    ]);
    assert.deepEqual(resourcesOfType(undefined, "t"), []);
  });

  it("that hold nothing, or no outputs, say nothing of releases, builds and repositories", () => {
    const types = ["policychain:index:Tag", "docker:index/image:Image", "gcp:artifactregistry/repository:Repository"];
    const state = Object.fromEntries([...types.map((type) => [type, { type }]), ["nothing", null]]);
    assert.equal(knownRelease(state, "h/r"), undefined);
    assert.equal(keptCommitTag(state, "h/r", digestOf("a")), undefined);
    assert.equal(builtImage(state, "h/r"), undefined);
    assert.equal(isUncreated({ kind: "artifactRegistry" }, state), true);
    assert.deepEqual(leftLayers({ kind: "artifactRegistry" }, state, "prod"), []);
  });
});
