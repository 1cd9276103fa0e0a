// Two thousand programs of faults between the client and a real registry.
import assert from "node:assert/strict";
import { runFaultPrograms } from "../support/faultPrograms";

describe("a registry in trouble, thousands of times", function () {
  this.timeout(3_600_000);

  it("costs nothing but time when its faults pass", async () => {
    const { programs, succeeded } = await runFaultPrograms("passing", 500);
    assert.equal(succeeded, programs);
  });

  it("never makes a false success, a half release or a leaked credential when it lies", async () => {
    assert.equal((await runFaultPrograms("lying", 1500)).programs, 1500);
  });
});
