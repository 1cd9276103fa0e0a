// Artifacts that a process has made before.
import assert from "node:assert/strict";
import { fluxArtifact } from "../../../lib/flux/artifact";
import { keepMade, madeOnce } from "../../../lib/flux/madeArtifacts";
import { sha256 } from "../../../lib/oci/digest";

const artifactOf = (text: string) => fluxArtifact(new Map([["r/p.yaml", Buffer.from(text)]]));

describe("an artifact that was made before", () => {
  it("is not made again, whoever asks at the same time", async () => {
    const artifact = artifactOf("once: 1\n");
    let made = 0;
    const make = async () => {
      made++;
      return artifact;
    };
    const all = await Promise.all([1, 2, 3].map(() => madeOnce(artifact.digest, make)));
    assert.deepEqual([made, new Set(all).size], [1, 1]);
    const gated = artifactOf("gated: 1\n");
    keepMade(gated);
    assert.equal(await madeOnce(gated.digest, make), gated);
    assert.equal(made, 1);
  });

  it("is made anew where it became another one, or none", async () => {
    const wanted = sha256("wanted");
    const other = artifactOf("other: 1\n");
    assert.equal(await madeOnce(wanted, async () => other), other);
    await assert.rejects(
      madeOnce(wanted, () => Promise.reject(new Error("no"))),
      /no/,
    );
    let asked = false;
    await madeOnce(wanted, async () => {
      asked = true;
      return other;
    });
    assert.equal(asked, true);
  });
});
