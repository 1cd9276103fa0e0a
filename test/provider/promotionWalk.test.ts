// Some steps of promotions and rollbacks; a thousand of them are in test/soak.
import assert from "node:assert/strict";
import { times } from "../support/counts";
import { type PromotionStand, startPromotionStand } from "../support/promotionStand";
import { walkPromotions } from "../support/promotionWalk";

describe("stand-in: the engine's part in process. Promotions and rollbacks in any order", function () {
  this.timeout(180_000);
  let stand: PromotionStand;
  before(async () => {
    stand = await startPromotionStand();
  });
  after(() => stand?.stop());

  it("leave latest on what was asked for, move no version tag, and a rollback moves latest alone", async () => {
    const wanted = times(60);
    const { steps } = await walkPromotions(stand, wanted);
    assert.ok(steps >= wanted);
  });
});
