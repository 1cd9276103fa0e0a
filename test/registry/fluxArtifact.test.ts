// Artifacts in a real registry: pushed once, read back as they were made.
import assert from "node:assert/strict";
import { fluxArtifact } from "../../lib/flux/artifact";
import { artifactFiles } from "../../lib/flux/content";
import { artifactHead } from "../../lib/flux/head";
import { layerFiles } from "../../lib/flux/layerFiles";
import { pushArtifact } from "../../lib/flux/push";
import { readArtifact } from "../../lib/flux/read";
import { RegistryClient } from "../../lib/oci/client";
import { layerImage, pushLayerImage } from "../../lib/oci/layer";
import { pushLayers } from "../support/pushLayers";
import { refused } from "../support/refused";
import { startRegistry, type TestRegistry } from "../support/registry";
import { quickLimits } from "../support/scriptedRegistry";
import type { TarItem } from "../support/tarball";

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

describe("what an artifact gets of a layer image", function () {
  this.timeout(20_000);
  let registry: TestRegistry;
  const client = new RegistryClient({ limits: quickLimits });
  before(async () => {
    registry = await startRegistry();
  });
  after(() => registry.stop());

  const regular: TarItem = { name: "repos/team/policies/a.yaml", content: policy("a") };
  /** Of an image that somebody made by other means than `repository push`, and pinned by its digest. */
  const files = async (...items: TarItem[]) => {
    const home = { registry: registry.host, path: "layers/team" };
    const { digest } = await pushLayers(client, home, [[regular, ...items]]);
    const found = await layerFiles(client, home, { name: "team", digest });
    return Object.fromEntries([...found].map(([path, bytes]) => [path, bytes.toString()]));
  };

  for (const [what, item] of [
    ["link", { type: "symlink", linkname: "a.yaml" }],
    ["link", { type: "symlink", linkname: "/etc/passwd" }],
    ["named pipe", { type: "fifo" }],
    ["device", { type: "character-device" }],
  ] as const)
    it(`is refused where a policy is a ${what}${"linkname" in item ? ` to ${item.linkname}` : ""}, which Flux would leave out`, async () => {
      const error = await refused("artifact-entry", () => files({ name: "repos/team/policies/b.yaml", ...item }));
      assert.match(
        error.message,
        new RegExp(`^"policies/b\\.yaml" in the layer image of policies\\.team is a ${what}; .*; replace it by a copy`),
      );
    });

  it("is a copy where a policy is a hard link to a file of the repository, and refused where it leads elsewhere", async () => {
    const hard = (linkname: string): TarItem => ({ name: "repos/team/policies/b.yaml", type: "link", linkname });
    assert.deepEqual(await files(hard("repos/team/policies/a.yaml")), {
      "policies/a.yaml": policy("a"),
      "policies/b.yaml": policy("a"),
    });
    const outside: TarItem = { name: "etc/secret", content: policy("b") };
    const error = await refused("layer-malformed", () => files(outside, hard("etc/secret")));
    assert.match(error.message, /"repos\/team\/policies\/b\.yaml" is a hard link to "etc\/secret", which was not read/);
  });

  it("is no matter of links that are no policies, or of other folders of the image", async () => {
    const link = (name: string): TarItem => ({ name, type: "symlink", linkname: "/etc/passwd" });
    const names = ["repos/team/README.md", "repos/other/policies/b.yaml", "usr/lib/b.yaml"];
    assert.deepEqual(await files(...names.map(link)), { "policies/a.yaml": policy("a") });
  });
});
