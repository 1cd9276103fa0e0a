// Promotions cut in every way at each of their requests, and a thousand steps of promotions and rollbacks.
import assert from "node:assert/strict";
import { cutEverywhere, cuts } from "../support/cutPromotions";
import { type PromotionStand, startPromotionStand } from "../support/promotionStand";
import { walkPromotions } from "../support/promotionWalk";

describe("stand-in: the engine's part in process. A promotion, hundreds of times", function () {
  this.timeout(3_600_000);
  let stand: PromotionStand;
  beforeEach(async () => {
    stand = await startPromotionStand();
  });
  afterEach(() => stand?.stop());

  for (const cut of cuts)
    for (const within of [false, true])
      for (const over of [false, true])
        it(`${within ? "within a registry" : "between registries"}, ${over ? "over an earlier release" : "the first one"}, has no tag of half an image when it meets "${cut}" at each request in turn`, async () => {
          const { requests, runs, succeeded } = await cutEverywhere(stand, { cut, within, over });
          assert.equal(runs, requests);
          if (cut === "answer lost") assert.equal(succeeded, runs);
          else assert.ok(succeeded < runs, `${succeeded} of ${runs}: the cut never bit`);
        });

  it("back and forth leaves latest on what was asked for, and no version tag ever moves", async () => {
    const { steps, promoted, rolledBack, refused } = await walkPromotions(stand, 1_000);
    assert.equal(steps, 1_000);
    for (const count of [promoted, rolledBack, refused]) assert.ok(count > 50, `${promoted} ${rolledBack} ${refused}`);
  });
});
