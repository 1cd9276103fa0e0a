// Artifacts on their way from one registry to another: found beside the image, by the version that it has.
import assert from "node:assert/strict";
import { fluxArtifact } from "../../lib/flux/artifact";
import { pushArtifact } from "../../lib/flux/push";
import { RegistryClient } from "../../lib/oci/client";
import { manifestType } from "../../lib/oci/mediaTypes";
import { parseRepository } from "../../lib/oci/reference";
import { artifactsBeside, lookUpArtifacts, releasedArtifacts } from "../../lib/promotion/artifacts";
import { refused } from "../support/refused";
import { startRegistry, type TestRegistry } from "../support/registry";
import { quickLimits } from "../support/scriptedRegistry";

describe("the artifacts of a promotion", function () {
  this.timeout(20_000);
  let registry: TestRegistry;
  const client = new RegistryClient({ limits: quickLimits });
  const dev = fluxArtifact(new Map([["kustomization.yaml", Buffer.from("resources: []\n")]]));
  const other = fluxArtifact(new Map([["kustomization.yaml", Buffer.from("resources: [a]\n")]]));
  const from = () => `${registry.host}/dev/releases/policy-platform`;
  const to = (environment: string) => `${registry.host}/prod/releases/policies/${environment}`;
  const request = (wanted: Record<string, typeof dev.digest>, version = "v1.0.0") => ({
    from: from(),
    to,
    version,
    wanted,
    environments: ["dev", "production"],
    stack: "prod",
  });
  const tag = (repository: string, name: string, { manifest }: typeof dev) =>
    client.putManifest(parseRepository(repository), name, manifest, manifestType);

  before(async () => {
    registry = await startRegistry();
    const there = `${registry.host}/dev/releases/policies/dev`;
    for (const artifact of [dev, other]) await pushArtifact(client, parseRepository(there), artifact);
    await tag(there, "v1.0.0", dev);
    await tag(there, "v1.0.1", other);
  });
  after(() => registry.stop());

  it("are those that the version names, of the environments that have one", async () => {
    const environments = ["dev", "production"];
    assert.deepEqual(await releasedArtifacts(client, { from: from(), version: "v1.0.0", environments }), {
      dev: dev.digest,
    });
  });

  it("come from beside the image, and what is not taken along is said", async () => {
    const { artifacts, lines } = await lookUpArtifacts(client, request({ dev: dev.digest }));
    const source = `${registry.host}/dev/releases/policies/dev`;
    assert.deepEqual(artifacts, { dev: { source, digest: dev.digest, revision: dev.revision } });
    assert.equal(lines.length, 1);
    assert.match(
      lines[0]!,
      /^v1\.0\.0 is promoted without the artifacts of production, which promotion\.artifacts does not name/,
    );
  });

  it("are refused where the version names another one", async () => {
    await refused("promotion-mismatch", () => lookUpArtifacts(client, request({ dev: other.digest })));
    await refused("promotion-mismatch", () => lookUpArtifacts(client, request({ production: dev.digest })));
  });

  it("need no source once they are there", async () => {
    await pushArtifact(client, parseRepository(to("dev")), other);
    await tag(to("dev"), "v2.0.0", other);
    const { artifacts } = await lookUpArtifacts(client, request({ dev: other.digest }, "v2.0.0"));
    assert.equal(artifacts.dev!.revision, other.revision);
  });

  for (const [releases, artifacts] of [
    ["127.0.0.1:5000/releases/policy-platform", "127.0.0.1:5000/releases/policies/dev"],
    ["host/a/b/releases/releases-x", "host/a/b/releases/policies/dev"],
    ["europe-docker.pkg.dev/p/policy-releases/x", "europe-docker.pkg.dev/p/policy-releases/policies/dev"],
    ["docker.io/team/releases-my-releases-x", "docker.io/team/releases-policies-dev"],
  ] as const) {
    it(`are at ${artifacts} where releases are at ${releases}`, () => {
      assert.equal(artifactsBeside(releases, "dev"), artifacts);
    });
  }
});
