// Finding a base with packages, against a real registry: which answers mean "built", "not built" and "nobody knows".
import assert from "node:assert/strict";
import { type FoundBase, findBase, requireBase } from "../../lib/base/find";
import { type BaseSource, baseDocument, baseKey, baseLabel } from "../../lib/base/packages";
import { RegistryClient } from "../../lib/oci/client";
import { sha256 } from "../../lib/oci/digest";
import { parseRepository } from "../../lib/oci/reference";
import { type ImageSettings, pushImage } from "../support/pushImage";
import { refused } from "../support/refused";
import { startRegistry, type TestRegistry } from "../support/registry";
import { startScriptedServer } from "../support/scriptedServer";

describe("looking for a base with packages", () => {
  const client = new RegistryClient();
  let registry: TestRegistry;
  let source: string;
  let base: BaseSource;
  let count = 0;

  before(async () => {
    registry = await startRegistry();
    source = `${registry.host}/layers/debian@${await push("layers/debian", { User: "nonroot" })}`;
  });
  after(() => registry.stop());
  beforeEach(() => {
    base = { image: source, packages: { apt: { hello: `1.${count++}-1` } } };
  });

  const push = (path: string, settings: ImageSettings, tag?: string) =>
    pushImage(parseRepository(`${registry.host}/${path}`), settings, tag);
  const settings = () => ({ Labels: { [baseLabel]: baseDocument(base) }, User: "nonroot" });
  const pushBuilt = () => push("layers/base", settings(), baseKey(base));
  const name = () => `${registry.host}/layers/base:${baseKey(base)}`;
  const urn = "urn:pulumi:local::policy-platform::policychain:index:BaseImage$docker:index/image:Image::base-build";
  const stateOf = (digest: string, imageName = name()) => ({
    [urn]: {
      type: "docker:index/image:Image",
      outputs: { imageName, repoDigest: `${registry.host}/layers/base@${digest}` },
    },
  });
  const find = (state: unknown = {}): Promise<FoundBase> =>
    findBase(client, base, { repository: `${registry.host}/layers/base`, state: async () => state });

  it("finds none before it was built, and knows the user to restore", async () => {
    assert.deepEqual(await find(), { name: name(), build: true, user: "nonroot", lines: [] });
  });

  it("finds what any machine has built, and builds nothing where the state knows nothing of it", async () => {
    const digest = await pushBuilt();
    for (const state of [{}, undefined, null, stateOf(digest, `${registry.host}/layers/base:000000000000`)])
      assert.deepEqual(await find(state), { name: name(), digest, build: false, user: "nonroot", lines: [] });
  });

  it("keeps the build in the state of the stack that made it", async () => {
    const digest = await pushBuilt();
    assert.deepEqual(await find(stateOf(digest)), { name: name(), digest, build: true, user: "nonroot", lines: [] });
  });

  it("takes what the tag names when somebody else built it again, and lets go of its own", async () => {
    const own = sha256("own");
    const digest = await pushBuilt();
    const { lines, ...found } = await find(stateOf(own));
    assert.deepEqual(found, { name: name(), digest, build: false, user: "nonroot" });
    assert.equal(lines.length, 1);
    assert.ok(lines[0]!.includes(`was built a second time, and names ${digest} instead of ${own} now`));
  });

  it("goes on with its own build when only the tag is gone", async () => {
    const digest = await push("layers/base", settings());
    const { lines, ...found } = await find(stateOf(digest));
    assert.deepEqual(found, { name: name(), digest, build: true, user: "nonroot" });
    assert.ok(
      lines[0]!.includes(`tag ${baseKey(base)} is gone`) &&
        lines[0]!.includes(`pulumi up --replace '${urn}' --stack local`),
      lines[0],
    );
  });

  it("says when its own build is gone altogether", async () => {
    const digest = sha256("gone");
    const { lines, ...found } = await find(stateOf(digest));
    assert.deepEqual(found, { name: name(), digest, build: true, user: "nonroot", lost: urn });
    assert.ok(lines[0]!.includes(`layers/base@${digest} is gone from its registry`), lines[0]);
    const lost = { name: name(), digest, build: true, user: "nonroot", lost: urn, lines };
    const { problem } = await refused("base-lost", () => requireBase(client, base, lost));
    assert.ok(problem.fix.includes(`pulumi up --replace '${urn}' --stack local`), problem.fix);
    await requireBase(client, base, { ...lost, digest: await pushBuilt() }); // built again meanwhile
  });

  it("takes a build that never ended for none", async () => {
    const state = {
      [urn]: { type: "docker:index/image:Image", outputs: { imageName: name(), repoDigest: "sha256:short" } },
    };
    assert.deepEqual(await find(state), { name: name(), build: true, user: "nonroot", lines: [] });
  });

  it("refuses a tag that carries other pins, or none", async () => {
    const others: ImageSettings[] = [
      { Labels: { [baseLabel]: baseDocument({ ...base, packages: { apt: { hello: "9" } } }) } },
      {},
    ];
    for (const other of others) {
      await push("layers/base", other, baseKey(base));
      const { message } = await refused("base-taken", () => find());
      assert.ok(message.startsWith(`${name()} names sha256:`), message);
    }
  });

  it("refuses a base to install on that is gone", async () => {
    base = { ...base, image: `${registry.host}/layers/debian@${sha256("nothing")}` };
    await refused("manifest-missing", () => find());
  });

  for (const [status, code] of [
    [401, "registry-unauthorized"],
    [403, "registry-forbidden"],
    [500, "registry-unavailable"],
    [503, "registry-unavailable"],
  ] as const)
    it(`stand-in: takes ${status} for no answer, never for "not built"`, async () => {
      const server = await startScriptedServer(() => ({ status }));
      const hasty = new RegistryClient({ limits: { attempts: 1 } });
      try {
        await refused(code, () =>
          findBase(hasty, base, { repository: `${server.host}/layers/base`, state: async () => ({}) }),
        );
      } finally {
        await server.stop();
      }
    });
});
