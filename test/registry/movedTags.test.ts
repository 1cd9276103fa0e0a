import assert from "node:assert/strict";
import { RegistryClient } from "../../lib/oci/client";
import { layerImage, pushLayerImage } from "../../lib/oci/layer";
import { parseRepository } from "../../lib/oci/reference";
import { movedTags } from "../../local/movedTags";
import { startRegistry, type TestRegistry } from "../support/registry";

describe("the tags in the summary of npm run local", () => {
  const client = new RegistryClient();
  let registry: TestRegistry;

  before(async () => {
    registry = await startRegistry();
  });
  after(() => registry.stop());

  const push = async (text: string) => {
    const content = Buffer.from(text);
    const entry = { path: "/etc/content", executable: false, size: content.length, open: () => content };
    return pushLayerImage(client, parseRepository(`${registry.host}/releases/x`), await layerImage([entry]));
  };

  it("are named when they are elsewhere or gone, and only then", async () => {
    const repository = parseRepository(`${registry.host}/releases/x`);
    const [released, other] = [await push("released"), await push("other")];
    const tag = async (name: string, digest: string) => {
      const { bytes, mediaType } = (await client.manifest(repository, digest))!;
      await client.putManifest(repository, name, bytes, mediaType);
    };
    await tag("v1.0.0", released);
    await tag("latest", other);
    const image = { repository: `${registry.host}/releases/x`, digest: released };
    assert.deepEqual(await movedTags({ image: { ...image, tags: ["v1.0.0"] } }), []);
    const lines = await movedTags({ image: { ...image, tags: ["sha-0", "v1.0.0", "latest"] } });
    assert.equal(lines.length, 2);
    assert.match(lines[0]!, /✗ sha-0 is gone from the registry; .*pulumi up --refresh/);
    assert.ok(lines[1]!.includes(`latest points at ${other}`));
  });

  it("are nothing while nothing is released", async () => {
    assert.deepEqual(await movedTags({}), []);
  });
});
