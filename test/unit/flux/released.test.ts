// Which environment's artifact a cluster gets that names none.
import assert from "node:assert/strict";
import { onlyEnvironment } from "../../../lib/flux/released";

describe("a cluster that names no environment", () => {
  it("gets the artifact of the only one that the release has", () => {
    assert.equal(onlyEnvironment("europe", ["dev"]), "dev");
  });

  it("is refused where there are several or none, with the key that names one", () => {
    for (const [environments, shown] of [
      [["production", "dev"], "dev, production"],
      [[], "no environment"],
    ] as const)
      assert.throws(() => onlyEnvironment("europe", environments), {
        code: "cluster-environment",
        message: `cluster europe names no environment, and the release has artifacts for ${shown}; a cluster gets the policies of one environment; name it: policy-platform:clusters.europe.environment`,
      });
  });
});
