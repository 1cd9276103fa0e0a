// What a stack's state says of its gate.
import assert from "node:assert/strict";
import { sha256 } from "../../../lib/oci/digest";
import { gatedArtifacts, recordedArtifacts } from "../../../lib/release/gateRecord";

describe("the gate's record in a stack's state", () => {
  const image = sha256("image");
  const state = (outputs: object, type = "policychain:index:GateRun") => ({ "urn:a": { type, outputs } });

  it("names the artifacts that were found equal to an image", () => {
    const artifacts = { dev: { digest: sha256("dev"), revision: sha256("layer") }, odd: { digest: "v1" }, none: null };
    assert.deepEqual(recordedArtifacts(state({ digest: image, artifacts }), image), { dev: sha256("dev") });
  });

  it("names those that were seen last for a release, with what their charts were rendered from", () => {
    const [digest, render] = [sha256("dev"), sha256("render")];
    const resources = state({
      digest: image,
      release: "r.example/p",
      artifacts: { dev: { digest, render }, plain: { digest } },
    });
    assert.deepEqual(gatedArtifacts(resources, "r.example/p"), { dev: { digest, render }, plain: { digest } });
    assert.deepEqual(gatedArtifacts(resources, "r.example/other"), {});
    assert.deepEqual(gatedArtifacts(undefined, "r.example/p"), {});
  });

  it("says nothing of another image, of a gate that did not look at artifacts, and without a state", () => {
    for (const resources of [
      state({ digest: sha256("other"), artifacts: {} }),
      state({ digest: image }),
      state({ digest: image, artifacts: null }),
      state({ digest: image, artifacts: {} }, "policychain:index:Tag"),
      {},
      undefined,
    ])
      assert.equal(recordedArtifacts(resources, image), undefined);
  });
});
