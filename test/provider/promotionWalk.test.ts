// Some steps of promotions and rollbacks; a thousand of them are in test/soak.
import assert from "node:assert/strict";
import { times } from "../support/counts";
import { startPromotionStand } from "../support/promotionStand";
import { walkPromotions } from "../support/promotionWalk";
import { shared } from "../support/shared";

describe("stand-in: the engine's part in process. Promotions and rollbacks in any order", function () {
  this.timeout(180_000);
  const stand = shared(startPromotionStand);

  it("leave latest on what was asked for, move no version tag, and a rollback moves latest alone", async () => {
    const wanted = times(60);
    const { steps } = await walkPromotions(stand, wanted);
    assert.ok(steps >= wanted);
  });
});
