// What a copy leaves beside a release, with a real registry.
import assert from "node:assert/strict";
import { RegistryClient } from "../../lib/oci/client";
import { type Digest, sha256 } from "../../lib/oci/digest";
import { imageManifest } from "../../lib/oci/imageConfig";
import { formatReference, parseRepository } from "../../lib/oci/reference";
import { stemOf } from "../../lib/release/stem";
import { copy } from "../../provider/copy";
import { startRegistry, type TestRegistry } from "../support/registry";
import { pushWholeRelease } from "../support/releasedImage";
import { resourceContext } from "../support/resourceContext";

describe("a copied image", () => {
  const client = new RegistryClient();
  let registry: TestRegistry;
  before(async () => {
    registry = await startRegistry();
  });
  after(() => registry.stop());

  /** The stem that it has to leave, and whether it is there. */
  async function copied(name: string, more: object): Promise<{ stem: Digest; isThere: boolean }> {
    const from = parseRepository(`${registry.host}/${name}/candidates`);
    const to = parseRepository(`${registry.host}/${name}/releases`);
    const { digest } = await pushWholeRelease(client, from, { tools: { yq: "4.54.1" }, policies: { a: { b: "c" } } });
    const urn = "urn:pulumi:dev::policy-platform::policychain:index:Copy::release-copy";
    const context = resourceContext({ urn, warn: (text) => assert.fail(text) });
    await copy.create(context, { from: formatReference(from), to: formatReference(to), digest, ...more });
    const manifest = await imageManifest(client, to, digest);
    const config = await client.blob(to, manifest.config.digest, 2 ** 20);
    assert.equal(sha256(config), manifest.config.digest);
    const { stem } = stemOf(manifest, JSON.parse(config.toString()))!;
    return { stem: stem.digest, isThere: (await client.resolve(to, stem.digest)) !== undefined };
  }

  it("leaves what the next build starts from, whether or not it is known how to build it again", async () => {
    assert.equal((await copied("known", { rebuild: "urn:pulumi:dev::p::t::image-build" })).isThere, true);
    assert.equal((await copied("unknown", {})).isThere, true);
  });

  it("leaves nothing of the kind where it is promoted, as that stack builds nothing", async () => {
    assert.equal((await copied("promoted", { promoted: true })).isThere, false);
    assert.equal((await copied("both", { promoted: true, rebuild: "urn:x" })).isThere, false);
  });
});
