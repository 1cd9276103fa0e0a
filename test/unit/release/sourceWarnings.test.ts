import assert from "node:assert/strict";
import { sourceWarnings } from "../../../lib/promotion/source";
import { digestOf } from "../pins/arbitraries";

describe("the outputs of the stack that a promotion comes from", () => {
  const promoted = {
    name: "organization/policy-platform/dev",
    version: "v1.0.0",
    digest: digestOf("a"),
    stack: "prod",
  };

  it("say that it has moved on", () => {
    const [line] = sourceWarnings({ version: "v1.1.0", image: { digest: digestOf("b") } }, promoted);
    assert.match(line!, /has moved on to v1\.1\.0 \([0-9a-f]{12}\): policy-platform promote dev prod takes it$/);
    assert.deepEqual(sourceWarnings({ version: "v1.0.0", image: { digest: digestOf("a") } }, promoted), []);
  });

  it("are none of a release, and are not printed, where their digest is no digest", () => {
    for (const digest of ["x", "sha256:\u001b[31mred", 7, undefined]) {
      const lines = sourceWarnings({ version: "v1.1.0", image: { digest } }, promoted);
      assert.equal(lines.length, 1);
      assert.match(lines[0]!, /^stack organization\/policy-platform\/dev has no release in its outputs: /);
    }
  });
});
