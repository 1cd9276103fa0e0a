import assert from "node:assert/strict";
import type { PolicyRegistry } from "../../components/registry";
import { ownRegistry } from "../../flows/ownRegistry";
import type { StackRegistry } from "../../lib/registry/stackClient";

const settings: StackRegistry = {
  address: "europe-west1-docker.pkg.dev/acme",
  separator: "/",
  insecure: false,
};
const registryThat = (isThere: boolean) => ({ created: async () => isThere }) as unknown as PolicyRegistry;

describe("the registry that a stack declares", () => {
  it("is read as it is once it is there", async () => {
    const own = await ownRegistry(settings, registryThat(true), { stack: "dev", preview: false });
    assert.deepEqual([own.settings, own.lines()], [settings, []]);
  });

  it("counts as empty in the preview that is to create it, and says so", async () => {
    const own = await ownRegistry(settings, registryThat(false), { stack: "dev", preview: true });
    own.settings.uncreated!("europe-west1-docker.pkg.dev/acme/policy-releases/policy-platform");
    assert.match(own.lines().join("\n"), /is not created yet.*\n.*policy-releases\/policy-platform may not be read/);
  });

  it("is missed by an update of other targets, which is refused instead of taking it for empty", async () => {
    const left = ownRegistry(settings, registryThat(false), { stack: "dev", preview: false });
    await assert.rejects(left, { code: "registry-left-out" });
  });
});
