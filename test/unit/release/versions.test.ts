import assert from "node:assert/strict";
import fc from "fast-check";
import semver from "semver";
import { compareReleases, isVersion, nextFreeVersion, versionTags } from "../../../lib/release/versions";

describe("version tags", () => {
  it("are vX.Y.Z; whatever else a registry lists is not looked at", () => {
    const others = [
      "latest",
      "sha-0123456789ab",
      "sha-0123456789ab-01234567",
      `sha256-${"a".repeat(64)}.sig`,
      "v9.9.9-rc.1",
      "v9.9.9+build",
      "v9.9.9_build",
      "9.9.9",
      "V9.9.9",
      "v9.9",
      "v9.9.9.9",
      "v09.9.9",
      "v9.9.9 ",
      "v9.9.9\n",
      "v９.9.9",
      "v99999999999999999999.0.0",
      "",
    ];
    assert.deepEqual(versionTags([...others, "v1.2.3", "v1.10.0", "v1.2.3", "v0.0.0"]), [
      "v1.10.0",
      "v1.2.3",
      "v0.0.0",
    ]);
  });

  it("are ordered as semver orders them", () => {
    const version = fc.tuple(fc.nat(), fc.nat(12), fc.nat(12)).map((numbers) => `v${numbers.join(".")}`);
    fc.assert(
      fc.property(version, version, (a, b) => {
        assert.equal(Math.sign(compareReleases(a, b)), semver.compare(a, b));
        assert.ok(isVersion(a));
      }),
    );
  });

  it("of five thousand are sorted within a second", () => {
    const tags = Array.from({ length: 5000 }, (_, at) => [`v1.${at % 70}.${at}`, `sha-${at}`]).flat();
    const started = performance.now();
    assert.equal(versionTags(tags)[0], "v1.69.4969");
    assert.ok(performance.now() - started < 1000);
  });
});

describe("the next free version", () => {
  it("is one patch above everything there is, the taken one included", () => {
    assert.equal(nextFreeVersion(["v1.0.0", "v1.0.1", "latest"], "v1.0.1"), "v1.0.2");
    assert.equal(nextFreeVersion(["v1.0.0", "v2.3.4"], "v1.0.0"), "v2.3.5");
    assert.equal(nextFreeVersion([], "v1.0.0"), "v1.0.1");
    const mixed = ["v1.2.3", "v1.10.0", "latest", "sha-0123", "v1.9.9", "v2.0.0-rc.1", "v01.99.0"];
    assert.equal(nextFreeVersion(mixed, "v1.2.3"), "v1.10.1");
  });
});
