import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { Turns } from "../../../lib/gate/turns";

describe("programs in the gate's container", () => {
  it("run two at a time, one that must be alone while no other does, and all in the end, also when one fails", async () => {
    const turns = new Turns(2);
    let running = 0;
    let most = 0;
    const work = (alone: boolean) => async () => {
      running++;
      most = Math.max(most, running);
      if (alone) assert.equal(running, 1);
      await sleep(2);
      if (alone) assert.equal(running, 1);
      running--;
      if (alone) throw new Error("fails");
    };
    const ended = await Promise.allSettled(
      Array.from({ length: 30 }, (_, index) => turns.take(work(index % 7 === 3), index % 7 === 3)),
    );
    assert.equal(most, 2);
    assert.equal(ended.length, 30);
    assert.equal(running, 0);
  });
});
