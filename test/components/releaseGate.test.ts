import assert from "node:assert/strict";
import { ReleaseGate } from "../../components/releaseGate";
import { only, record } from "../support/mocks";
import { unwrap } from "../support/unwrap";

const digest = `sha256:${"a".repeat(64)}`;
const layer = `sha256:${"c".repeat(64)}`;

describe("a release gate", () => {
  it("looks for the files of each repository where its layer image is, whatever tag stands beside the digest", async () => {
    const recorded = await record(false);
    const gate = new ReleaseGate("gate", {
      candidates: "127.0.0.1:5000/candidates/policy-platform",
      releases: "127.0.0.1:5000/releases/policy-platform",
      digest,
      inputDigest: `sha256:${"b".repeat(64)}`,
      tools: {},
      repositories: {
        ours: `127.0.0.1:5000/layers/repositories/ours@${layer}`,
        theirs: `registry.example.com/policies:v2.1.0@${layer}`,
      },
    });
    assert.equal(await unwrap(gate.digest), digest);
    assert.deepEqual(only(recorded, "policychain:index:GateRun", "gate-run").inputs.repositories, {
      ours: { digest: layer, layers: "127.0.0.1:5000/layers/repositories/ours" },
      theirs: { digest: layer, layers: "registry.example.com/policies" },
    });
  });
});
