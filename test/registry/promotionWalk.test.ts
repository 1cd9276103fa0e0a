// Some steps of promotions and rollbacks; a thousand of them are in test/soak.
import assert from "node:assert/strict";
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
    const { steps, refused } = await walkPromotions(stand, 60);
    assert.equal(steps, 60);
    assert.ok(refused > 0);
  });
});
