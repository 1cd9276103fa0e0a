// A registry whose tags cannot be moved, and `latest`, which every release moves.
import assert from "node:assert/strict";
import { PlatformError } from "../../../lib/errors";
import type { Digest } from "../../../lib/oci/digest";
import { requireMovableLatest } from "../../../lib/release/immutableTags";
import { digestOf } from "../pins/arbitraries";

const address = "europe-west1-docker.pkg.dev/acme";
const digest = digestOf("released");

/** A run that releases `next` while `latest` names `now`. */
const run = (next: Digest | undefined, now: Digest | undefined, immutableTags = true) =>
  requireMovableLatest(
    {
      registry: { address, separator: "/", prefix: "policy", kind: "artifactRegistry", insecure: false, immutableTags },
      image: { name: "p" },
    },
    { digest: next, latest: async () => now, stack: "dev" },
  );

const refusal = (error: unknown) => {
  assert.ok(error instanceof PlatformError);
  assert.equal(error.code, "latest-immutable");
  assert.equal(
    error.message,
    `${address}/policy-releases/p:latest would be written, and registry.immutableTags is on; a release moves latest, and an immutable tag never moves; pulumi config set --path policy-platform:registry.immutableTags false --stack dev`,
  );
  return true;
};

describe("a registry with immutable tags", () => {
  it("refuses an image that is yet to be built, whatever latest names", async () => {
    await assert.rejects(run(undefined, undefined), refusal);
    await assert.rejects(run(undefined, digest), refusal);
  });

  it("refuses the first release, as the second could not follow, and one that latest does not name", async () => {
    await assert.rejects(run(digest, undefined), refusal);
    await assert.rejects(run(digest, digestOf("another")), refusal);
  });

  it("lets a run pass that leaves latest where it is, and every run while tags can move", async () => {
    await run(digest, digest);
    await run(digest, undefined, false);
    await run(undefined, undefined, false);
  });
});
