import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import * as pulumi from "@pulumi/pulumi";
import { Release, ReleaseSource } from "../../components/release";
import { only, record } from "../support/mocks";
import { unwrap } from "../support/unwrap";

const digest = `sha256:${"a".repeat(64)}`;
const inputDigest = `sha256:${"b".repeat(64)}`;
const args = {
  source: "127.0.0.1:5000/candidates/policy-platform",
  to: "127.0.0.1:5000/releases/policy-platform",
  digest,
  inputDigest,
  version: "v1.0.0",
  commitTag: "sha-0123456789ab",
};

for (const preview of [false, true]) {
  describe(`a release${preview ? " in a preview" : ""}`, () => {
    it("copies the digest, then writes commit, version and latest on it", async () => {
      const recorded = await record(preview);
      const release = new Release("release", args);
      assert.deepEqual(await unwrap(release.tags), ["sha-0123456789ab", "v1.0.0", "latest"]);
      assert.deepEqual(only(recorded, "policychain:index:Copy", "release-copy").inputs, {
        from: args.source,
        to: args.to,
        digest,
      });
      for (const [role, tag] of [
        ["commit", "sha-0123456789ab"],
        ["version", "v1.0.0"],
        ["latest", "latest"],
      ])
        assert.deepEqual(only(recorded, "policychain:index:Tag", `release-${role}`).inputs, {
          repository: args.to,
          role,
          tag,
          digest,
          inputDigest,
        });
    });

    it("of a release says where it was taken from, so that an error can advise to promote and not to build", async () => {
      const recorded = await record(preview);
      const source = "127.0.0.1:5001/releases/policy-platform";
      await unwrap(new Release("release", { ...args, from: ReleaseSource.release, source }).tags);
      const { from, promoted } = only(recorded, "policychain:index:Copy", "release-copy").inputs;
      assert.deepEqual([from, promoted], [source, true]);
      for (const role of ["commit", "version", "latest"])
        assert.equal(only(recorded, "policychain:index:Tag", `release-${role}`).inputs.promotedFrom, source);
    });

    for (const [held, ...reached] of [
      ["copy"],
      ["commit", "copy"],
      ["version", "copy", "commit"],
      ["latest", "copy", "commit", "version"],
    ] as const) {
      it(`writes nothing more while ${held} is not done, so that the version tag follows everything it names`, async () => {
        let done: () => void = () => undefined;
        const doing = new Promise<void>((resolve) => (done = resolve));
        const waiting = async (role: unknown) => (role === held ? doing.then(() => ({})) : {});
        const recorded = await record(preview, {
          "policychain:index:Copy": () => waiting("copy"),
          "policychain:index:Tag": ({ role }) => waiting(role),
        });
        const tags = unwrap(new Release("release", args).tags);
        await sleep(50); // enough for everything that does not wait
        const order = () => recorded.map(({ name }) => name).filter((name) => name !== "release");
        assert.deepEqual(
          order(),
          [...reached, held].map((name) => `release-${name}`),
        );
        done();
        await tags;
        assert.deepEqual(order(), ["release-copy", "release-commit", "release-version", "release-latest"]);
      });
    }
  });
}

describe("a release whose image is yet to be built", () => {
  it("leaves the digest unknown in a preview instead of guessing one", async () => {
    await record(true);
    const release = new Release("release", { ...args, digest: pulumi.output(pulumi.unknown as string) });
    assert.equal(await unwrap(release.digest), undefined);
  });
});
