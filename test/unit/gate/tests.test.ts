// What becomes of policy tests in an image that cannot run them.
import assert from "node:assert/strict";
import { untested } from "../../../lib/gate/tests";

describe("policy tests in an image without kyverno", () => {
  const why = "the image has no tool kyverno";
  const files = new Map<string, Buffer>();
  const said = (source: Parameters<typeof untested>[1]) => {
    const { name, status, detail } = untested("p", source, why);
    return `${name} ${status}: ${detail}`;
  };

  it("fail where they are required, and are shown as skipped where they are not", () => {
    assert.equal(said({ files, required: true }), `tests: p failed: ${why}; gate.policyTests is required`);
    assert.equal(said({ files, required: false }), `tests: p skipped: ${why}`);
  });

  it("are their publisher's where the repository is given as an image", () => {
    const published = "tests: p skipped: given as an image: its tests are run by its publisher";
    assert.equal(said({ required: true }), published);
  });
});
