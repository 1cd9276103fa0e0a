import assert from "node:assert/strict";
import fc from "fast-check";
import semver from "semver";
import { latestPage, latestTag } from "../../../lib/pins/latest";

describe("the newest version of an image", () => {
  it("is the highest number, not the last in the alphabet", () => {
    assert.equal(latestTag(["v1.9.0", "v1.10.0", "v1.2.3"]), "v1.10.0");
  });

  it("is written like the present one: with or without a v, with what stands behind the numbers", () => {
    const tags = ["3.20.1", "v3.20.1", "3.21.0-alpine", "v3.19.0-alpine", "3.20.1-debian", "v4.0.0-rc.1"];
    assert.equal(latestTag(tags, "3.19.0"), "3.20.1");
    assert.equal(latestTag(tags, "v3.19.0"), "v3.20.1");
    assert.equal(latestTag(tags, "v3.18.0-alpine"), "v3.19.0-alpine");
    assert.equal(latestTag(tags, "stable"), "3.20.1");
  });

  it("is no prerelease, no moving tag, no digest's tag and no number that is none", () => {
    const tags = [
      "latest",
      "sha-0123456789ab",
      `sha256-${"a".repeat(64)}.sig`,
      "12",
      "1.2",
      "v2.0.0-rc.1",
      "01.2.3",
      "1.2.3.4",
    ];
    assert.equal(latestTag(tags), undefined);
    assert.equal(latestTag([]), undefined);
  });

  it("is the one that semver calls highest, of 1,000 random lists", () => {
    const number = fc.nat(12);
    const tag = fc.tuple(number, number, number).map((numbers) => `v${numbers.join(".")}`);
    fc.assert(
      fc.property(fc.array(tag, { minLength: 1, maxLength: 20 }), (tags) => {
        assert.equal(latestTag(tags), semver.rsort([...tags])[0]);
      }),
      { numRuns: 1000 },
    );
  });
});

describe("the page of the newest release", () => {
  it("stands beside the releases of a repository on GitHub and what speaks like it", () => {
    assert.equal(
      latestPage(
        "https://github.com/kyverno/kyverno/releases/download/v1.13.2/kyverno-cli_v1.13.2_linux_x86_64.tar.gz",
      ),
      "https://github.com/kyverno/kyverno/releases/latest",
    );
    for (const url of [
      "",
      "https://get.helm.sh/helm-v3.19.0-linux-amd64.tar.gz",
      "https://github.com/a/b/archive/v1.tar.gz",
    ])
      assert.equal(latestPage(url), undefined);
  });
});
