// Registries that refuse a promotion through the real engine: by rights, by limits, by want of room. One sentence each, and no tag.
import assert from "node:assert/strict";
import { createProject, type Project } from "../support/project";
import { isWrite, type PromotionStand, startPromotionStand } from "../support/promotionStand";
import { auditTags } from "../support/releaseAudit";
import type { RecordedRequest, ScriptedAnswer, ScriptedServer } from "../support/scriptedServer";

const everything = () => true;
const forAnHour = { status: 429, headers: { "retry-after": "3600" } };
const up = ["up", "--yes", "--skip-preview"];

describe("a promotion is refused", function () {
  this.timeout(180_000);
  let stand: PromotionStand;
  let project: Project;

  before(async () => {
    stand = await startPromotionStand();
    const place = stand.fresh();
    const image = { tools: { yq: "4.50.0" }, policies: { "security-policy": { "policies/a.yaml": "a: 1" } } };
    const { rollback: _, ...promotion } = place.promotionOf(await place.release("v1.0.0", image));
    project = await createProject({
      "policy-platform:registry": { kind: "existing", address: stand.target.host },
      "policy-platform:promotion": promotion,
    });
  });
  after(async () => {
    project?.remove();
    await stand?.stop();
  });
  afterEach(() => stand.answer());

  /** Refuses what is meant, and gives everything else. */
  const refuse = (server: ScriptedServer, isMeant: (request: RecordedRequest) => boolean, answer: ScriptedAnswer) =>
    server.answer((request) => (isMeant(request) ? answer : "forward"));
  /** Fails with a sentence that says all this, and leaves the target without a tag. */
  const fails = async (running: ReturnType<Project["pulumi"]>, ...parts: RegExp[]) => {
    const { code, stdout, stderr } = await running;
    const screen = stdout + stderr;
    assert.notEqual(code, 0, screen);
    for (const part of parts) assert.match(screen, part);
    assert.doesNotMatch(screen, /\n\s+at .*\(.*:\d+:\d+\)/, "a user sees a sentence, not a stack");
    assert.deepEqual([...(await auditTags(stand.behind, "releases/policy-platform")).keys()], []);
  };

  const sides = { source: () => stand.source, target: () => stand.target };
  for (const [side, server] of Object.entries(sides)) {
    it(`where the ${side} answers 403 to a look: the right to read is asked for`, async () => {
      const { host } = server();
      refuse(server(), everything, { status: 403 });
      const right = new RegExp(
        `answered 403 to .*${host}.*give the account of ${host} in the docker config the right to read`,
      );
      await fails(project.pulumi("preview"), right);
    });

    it(`where the ${side} answers 429 for an hour: the seconds are said, and nobody waits for them`, async () => {
      refuse(server(), everything, forAnHour);
      const wait = new RegExp(`answered 429 to .*${server().host}.*run again in 3600 s, as it asks`);
      await fails(project.pulumi("preview"), wait);
    });
  }

  it("where the target answers 403 to a write: the right to write is asked for", async () => {
    const { host } = stand.target;
    refuse(stand.target, isWrite, { status: 403 });
    const right = new RegExp(
      `answered 403 to .*${host}.*give the account of ${host} in the docker config the right to .*write`,
    );
    await fails(project.pulumi(...up), right);
  });

  it("where the target answers 429 to a write: the seconds are said", async () => {
    refuse(stand.target, isWrite, forAnHour);
    const wait = new RegExp(`answered 429 to .*${stand.target.host}.*run again in 3600 s, as it asks`);
    await fails(project.pulumi(...up), wait);
  });

  it("where the target answers 507 to a layer: its storage is named", async () => {
    const isLayer = ({ method, path }: RecordedRequest) => method === "PUT" && path.includes("/blobs/uploads/");
    refuse(stand.target, isLayer, { status: 507 });
    await fails(
      project.pulumi(...up),
      new RegExp(`answered 507 to .*free space in the storage of ${stand.target.host}`),
    );
  });

  it("no more once they answer: the run after all of that ends well", async () => {
    await project.up();
    const tags = [...(await auditTags(stand.behind, "releases/policy-platform")).keys()];
    assert.match(tags.sort().join(" "), /^latest sha-\S+ v1\.0\.0$/);
  });
});
