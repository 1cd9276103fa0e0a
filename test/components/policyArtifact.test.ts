import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import * as pulumi from "@pulumi/pulumi";
import { Release, ReleaseSource } from "../../components/release";
import { only, record } from "../support/mocks";
import { unwrap } from "../support/unwrap";

const digestOf = (letter: string) => `sha256:${letter.repeat(64)}`;
const [image, dev, revision, layer] = ["a", "b", "c", "d"].map(digestOf) as [string, string, string, string];
const home = "127.0.0.1:5000/releases/policies/dev";
const args = {
  source: "127.0.0.1:5000/candidates/policy-platform",
  to: "127.0.0.1:5000/releases/policy-platform",
  digest: image,
  inputDigest: digestOf("e"),
  version: "v1.0.0",
  commitTag: "sha-0123456789ab",
};
const made = {
  environment: "dev",
  repositories: { security: `127.0.0.1:5000/layers/repositories/security@${layer}` },
  digest: dev,
  gated: dev,
  revision,
};
const artifactOnes = { dev: { repository: home, made } };

for (const preview of [false, true]) {
  describe(`a release with artifacts${preview ? " in a preview" : ""}`, () => {
    it("makes each of the policy repositories that the image was tested with, and names it like the image", async () => {
      const recorded = await record(preview);
      const { artifacts } = new Release("release", { ...args, artifacts: artifactOnes });
      assert.deepEqual(await unwrap(artifacts.dev!.tags), ["sha-0123456789ab", "v1.0.0"]);
      assert.deepEqual(only(recorded, "policychain:index:Artifact", "release-dev-artifact").inputs, {
        repository: home,
        environment: "dev",
        repositories: { security: { digest: layer, layers: "127.0.0.1:5000/layers/repositories/security" } },
        digest: dev,
        gated: dev,
        revision,
        image: { repository: args.to, digest: image },
      });
      for (const [role, tag] of [
        ["commit", "sha-0123456789ab"],
        ["version", "v1.0.0"],
      ])
        assert.deepEqual(only(recorded, "policychain:index:Tag", `release-dev-${role}`).inputs, {
          repository: home,
          role,
          tag,
          digest: dev,
          revision,
          beside: { repository: args.to, digest: image },
        });
    });

    it("takes those of a release that is promoted by digest", async () => {
      const recorded = await record(preview);
      const source = "127.0.0.1:5001/releases/policies/dev";
      const taken = { dev: { repository: home, taken: { source, digest: dev, revision } } };
      const release = new Release("release", { ...args, from: ReleaseSource.release, artifacts: taken });
      await unwrap(release.tags);
      assert.equal(recorded.filter(({ type }) => type === "policychain:index:Artifact").length, 0);
      const { from, to, digest, promoted } = only(recorded, "policychain:index:Copy", "release-dev-copy").inputs;
      assert.deepEqual([from, to, digest, promoted], [source, home, dev, true]);
    });

    it("has none where there is no environment", async () => {
      const recorded = await record(preview);
      await unwrap(new Release("release", args).tags);
      assert.deepEqual(
        recorded.map(({ name }) => name),
        ["release", "release-copy", "release-commit", "release-version", "release-latest"],
      );
    });

    it("gives the image no name while an artifact lacks one", async () => {
      let done: () => void = () => undefined;
      const doing = new Promise<void>((resolve) => (done = resolve));
      const recorded = await record(preview, {
        "policychain:index:Tag": ({ repository, role }) =>
          repository === home && role === "version" ? doing.then(() => ({})) : {},
      });
      const tags = unwrap(new Release("release", { ...args, artifacts: artifactOnes }).tags);
      await sleep(50); // enough for everything that does not wait
      const written = () => recorded.filter(({ type }) => type === "policychain:index:Tag").map(({ name }) => name);
      assert.deepEqual(written(), ["release-dev-commit", "release-dev-version"]);
      done();
      await tags;
      assert.deepEqual(written().slice(2), ["release-commit", "release-version", "release-latest"]);
    });

    it("publishes nothing while the image is not tested", async () => {
      let tested: () => void = () => undefined;
      const testing = new Promise<string>((resolve) => (tested = () => resolve(image)));
      const recorded = await record(preview);
      const release = new Release("release", { ...args, digest: pulumi.output(testing), artifacts: artifactOnes });
      await sleep(50); // enough for everything that does not wait
      assert.deepEqual(
        recorded.map(({ name }) => name),
        ["release", "release-dev"],
      );
      tested();
      await unwrap(release.tags);
    });
  });
}
