// Artifacts in a real registry: pushed once, read back as they were made.
import assert from "node:assert/strict";
import { fluxArtifact } from "../../lib/flux/artifact";
import { artifactFiles } from "../../lib/flux/content";
import { artifactHead } from "../../lib/flux/head";
import { pushArtifact } from "../../lib/flux/push";
import { readArtifact } from "../../lib/flux/read";
import { RegistryClient } from "../../lib/oci/client";
import { layerImage, pushLayerImage } from "../../lib/oci/layer";
import { refused } from "../support/refused";
import { startRegistry, type TestRegistry } from "../support/registry";
import { quickLimits } from "../support/scriptedRegistry";

const policy = (name: string) =>
  `apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {name: ${name}}\nspec: {rules: [{name: one}]}\n`;
const content = artifactFiles({
  repositories: {
    security: new Map([
      ["a.yaml", Buffer.from(policy("a"))],
      ["b.yaml", Buffer.from(policy("b"))],
    ]),
  },
});

describe("an artifact in a registry", function () {
  this.timeout(20_000);
  let registry: TestRegistry;
  const client = new RegistryClient({ limits: quickLimits });
  const repository = () => ({ registry: registry.host, path: "releases/policies/dev" });
  before(async () => {
    registry = await startRegistry();
  });
  after(() => registry.stop());

  it("is pushed once, and not a byte of it again", async () => {
    const artifact = fluxArtifact(content.files);
    const uploaded = await pushArtifact(client, repository(), artifact);
    assert.equal(uploaded, artifact.layer.length + artifact.config.length);
    assert.equal(await pushArtifact(client, repository(), artifact), 0);
  });

  it("is read back as it was made", async () => {
    const artifact = fluxArtifact(content.files, { render: `sha256:${"1".repeat(64)}` });
    await pushArtifact(client, repository(), artifact);
    assert.deepEqual(await artifactHead(client, repository(), artifact.digest), {
      digest: artifact.digest,
      revision: artifact.revision,
      size: artifact.layer.length,
      render: `sha256:${"1".repeat(64)}`,
    });
    const read = await readArtifact(client, repository(), artifact.digest);
    assert.deepEqual(read.documents, content.documents);
    assert.deepEqual([...read.files].sort(), [...content.files].sort());
  });

  it("is missing where nobody pushed it", async () => {
    assert.equal(await artifactHead(client, repository(), "v1.0.0"), undefined);
    await refused("artifact-missing", () => readArtifact(client, repository(), `sha256:${"2".repeat(64)}`));
  });

  it("is not taken for one when it is an image", async () => {
    const bytes = Buffer.from("a");
    const image = await layerImage([{ path: "/a", executable: false, size: 1, open: () => bytes }]);
    await pushLayerImage(client, repository(), image);
    await refused("artifact-foreign", () => readArtifact(client, repository(), image.digest));
  });
});
