import assert from "node:assert/strict";
import { layerSizes } from "../../../lib/gate/layerSizes";
import { containerSettings } from "../../../lib/oci/imageConfig";
import { configType } from "../../../lib/oci/mediaTypes";
import { parseRepository } from "../../../lib/oci/reference";
import { policyDifference } from "../../../lib/promotion/policies";
import { findStem } from "../../../lib/release/stem";
import { digestOf, inputsWith } from "../pins/arbitraries";
import { MemoryRegistry } from "../release/memoryRegistry";

describe("an image whose configuration is no JSON map", () => {
  const repository = parseRepository("127.0.0.1:5000/releases/policy-platform");
  for (const text of ["null", "7", "[]", "not JSON"]) {
    const pushed = () => {
      const registry = new MemoryRegistry();
      const config = { mediaType: configType, digest: registry.put(text), size: text.length };
      const digest = registry.put(JSON.stringify({ schemaVersion: 2, config, layers: [] }));
      return { client: registry.client(), digest };
    };

    it(`is malformed for all that reads it, and nothing to start a build from: ${text}`, async () => {
      const { client, digest } = pushed();
      const malformed = { code: "manifest-malformed" };
      await assert.rejects(containerSettings(client, repository, digest), malformed);
      await assert.rejects(layerSizes(client, repository, digest, { tools: [], repositories: [] }), malformed);
      const last = { repository, digest };
      assert.equal(await findStem(client, { repository, last, inputs: inputsWith(), isBuilt: false }), undefined);
    });

    it(`has policies that cannot be told, and can be promoted: ${text}`, async () => {
      const { client, digest } = pushed();
      const image = (policy: string) => ({
        digest,
        repository,
        inputs: inputsWith({ repositories: { "security-policy": { digest: digestOf(policy) } } }),
      });
      const { structures, lines } = await policyDifference(client, image("one"), image("two"));
      assert.deepEqual(structures, { "security-policy": "unknown" });
      assert.match(lines.get("policies.security-policy")![0]!, /^\? the configuration of .* cannot be read$/);
    });
  }
});
