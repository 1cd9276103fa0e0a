// Random faults between the client and a real registry; thousands of them are in test/soak.
import assert from "node:assert/strict";
import { runFaultPrograms } from "../support/faultPrograms";

describe("a registry in trouble", function () {
  this.timeout(60_000);

  it("costs nothing but time when its faults pass", async () => {
    const { programs, succeeded } = await runFaultPrograms("passing", 6);
    assert.equal(succeeded, programs);
  });

  it("never makes a false success, a half release or a leaked credential when it lies", async () => {
    assert.equal((await runFaultPrograms("lying", 10)).programs, 10);
  });
});
