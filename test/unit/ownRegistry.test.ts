import assert from "node:assert/strict";
import type { PolicyRegistry } from "../../components/registry";
import { ownRegistry } from "../../flows/ownRegistry";
import { parseRepository } from "../../lib/oci/reference";
import type { StackRegistry } from "../../lib/registry/stackClient";
import { type ScriptedServer, startScriptedServer } from "../support/scriptedServer";

const registryThat = (isThere: boolean) => ({ created: async () => isThere }) as unknown as PolicyRegistry;

describe("the registry that a stack declares", () => {
  let server: ScriptedServer;
  before(async () => {
    server = await startScriptedServer(() => ({ status: 403 }));
  });
  after(() => server.stop());

  const settings = (): StackRegistry => ({
    address: server.host,
    separator: "/",
    prefix: "policy",
    insecure: false,
    kind: "artifactRegistry",
  });
  const releases = () => `${server.host}/policy-releases/policy-platform`;

  it("is read as it is once it is there", async () => {
    const own = await ownRegistry(settings(), registryThat(true), { stack: "dev", preview: false });
    await assert.rejects(own.client.tags(parseRepository(releases())), { code: "registry-forbidden" });
    assert.deepEqual([[...own.unread], own.lines()], [[], []]);
  });

  it("counts as empty in the preview that is to create it, and says so", async () => {
    const own = await ownRegistry(settings(), registryThat(false), { stack: "dev", preview: true });
    assert.deepEqual(await own.client.tags(parseRepository(releases())), []);
    assert.deepEqual([...own.unread], [releases()]);
    assert.match(own.lines().join("\n"), /is not created yet.*\n.*policy-releases\/policy-platform may not be read/);
  });

  it("is missed by an update of other targets, which is refused instead of taking it for empty", async () => {
    const left = ownRegistry(settings(), registryThat(false), { stack: "dev", preview: false });
    await assert.rejects(left, { code: "registry-left-out" });
  });
});
