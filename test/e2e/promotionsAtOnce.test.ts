// Two stacks that promote to one registry at the same moment, each by an engine of its own: what each of them is told, and what the
// version names in the end. The releases that are promoted are made without a build.
import assert from "node:assert/strict";
import type { ExecResult } from "../../lib/exec";
import { type FaultProxy, type HeldRequest, type HoldOptions, startFaultProxy } from "../support/faultProxy";
import { createProject, expectSuccess, type Project, type ProjectStack } from "../support/project";
import { type PromotionStand, type Released, startPromotionStand, tagOf } from "../support/promotionStand";
import { auditTags } from "../support/releaseAudit";

/** One of the two, on a way of its own to the registry that both release to. */
interface Side {
  readonly from: string;
  readonly released: Released;
  readonly stack: ProjectStack;
  /** Begins `pulumi up`, and holds it at a request. */
  held(at: RegExp, options?: HoldOptions): Promise<Held>;
}

interface Held {
  readonly request: HeldRequest;
  readonly ended: Promise<ExecResult>;
}

const atVersion = /^PUT .*\/manifests\/v1\.0\.0 /;

describe("two promotions at once", function () {
  this.timeout(180_000);
  let stand: PromotionStand;
  let proxies: FaultProxy[];
  let project: Project;

  before(async () => {
    stand = await startPromotionStand();
    proxies = [await startFaultProxy(stand.behind), await startFaultProxy(stand.behind)];
    project = await createProject({});
  });
  after(async () => {
    project?.remove();
    for (const proxy of proxies ?? []) await proxy.stop();
    await stand?.stop();
  });

  /** Two stacks whose sources released these contents as v1.0.0, and which promote them to the path `target` of one registry. */
  async function two(target: string, ...edits: readonly [string, string]): Promise<[Side, Side]> {
    const side = async (index: number): Promise<Side> => {
      const { promotionOf, release, from } = stand.fresh();
      const policies = { "security-policy": { "policies/a.yaml": `a: ${edits[index]}` } };
      const released = await release("v1.0.0", { tools: { yq: "4.50.0" }, policies });
      const { rollback: _, ...promotion } = promotionOf(released);
      const proxy = proxies[index]!;
      const stack = await project.addStack(`${target}-${index + 1}`, {
        "policy-platform:registry": { kind: "existing", address: `${proxy.host}/${target}` },
        "policy-platform:promotion": promotion,
      });
      const held: Side["held"] = async (at, options) => {
        const reached = proxy.hold(at, options);
        const ended = stack.pulumi("up", "--yes", "--skip-preview");
        const early = ended.then(({ stdout, stderr }) => assert.fail(`ended before it came there\n${stdout}${stderr}`));
        return { request: await Promise.race([reached, early]), ended };
      };
      return { from, released, stack, held };
    };
    return [await side(0), await side(1)];
  }
  /** What a tag of the target names. */
  const named = async (target: string, tag: string) =>
    (await auditTags(stand.behind, `${target}/releases/policy-platform`)).get(tag)?.digest;
  /** It failed, with a sentence that says this. */
  const told = async (running: Promise<ExecResult>, message: RegExp) => {
    const { code, stdout, stderr } = await running;
    assert.notEqual(code, 0, stdout);
    assert.match(stdout + stderr, message);
  };

  it("of one image both end well, also where one writes the version between the other's look and its write", async () => {
    const [one, other] = await two("same", "1", "1");
    assert.equal(one.released.digest, other.released.digest);
    const { request, ended } = await one.held(atVersion);
    await other.stack.up();
    await request.pass();
    await expectSuccess(ended);
    for (const tag of [tagOf(one.released), "v1.0.0", "latest"])
      assert.equal(await named("same", tag), one.released.digest, tag);
    for (const { stack } of [one, other]) await stack.up("--expect-no-changes");
  });

  it("of two images: who comes to the version when it is written is told that it is taken", async () => {
    const [one, late] = await two("taken", "1", "2");
    const { request, ended } = await late.held(new RegExp(`^PUT .*/manifests/${tagOf(late.released)} `));
    await one.stack.up();
    await request.pass();
    const fix = `policy-platform promote FROM taken-2, where FROM is the stack that releases to ${late.from}`;
    await told(ended, new RegExp(`v1\\.0\\.0 already names another image, ${one.released.digest}.*${fix}`, "s"));
    for (const tag of ["v1.0.0", "latest"]) assert.equal(await named("taken", tag), one.released.digest, tag);
    await one.stack.up("--expect-no-changes");
  });

  it("of two images that both find the version free: who wrote it first is told that it was not written, and then that it is taken", async () => {
    const [first, second] = await two("lost", "1", "2");
    const later = await second.held(atVersion);
    const earlier = await first.held(atVersion, { side: "answer" });
    await later.request.pass();
    await expectSuccess(later.ended);
    await earlier.request.pass();
    await told(
      earlier.ended,
      new RegExp(
        `v1\\.0\\.0 names ${second.released.digest} right after it was written to name ${first.released.digest}`,
      ),
    );
    for (const tag of ["v1.0.0", "latest"]) assert.equal(await named("lost", tag), second.released.digest, tag);
    await told(first.stack.pulumi("preview"), /v1\.0\.0 already names another image/);
    await second.stack.up("--expect-no-changes");
  });

  it("of two images, one held until the other has ended: both end well, and the next preview tells whose version was overwritten", async () => {
    const [first, second] = await two("overwritten", "1", "2");
    const later = await second.held(atVersion);
    await first.stack.up();
    assert.equal(await named("overwritten", "v1.0.0"), first.released.digest);
    await later.request.pass();
    await expectSuccess(later.ended);
    for (const tag of ["v1.0.0", "latest"]) assert.equal(await named("overwritten", tag), second.released.digest, tag);

    const moved = `was moved in the registry, from ${first.released.digest} to ${second.released.digest}: pulumi up --refresh --stack overwritten-1 puts it back`;
    const { stdout } = await expectSuccess(first.stack.pulumi("preview"));
    for (const tag of ["v1.0.0", "latest"]) assert.ok(stdout.includes(`tag ${tag} ${moved}`), stdout);
    assert.doesNotMatch((await expectSuccess(second.stack.pulumi("preview"))).stdout, /was moved in the registry/);

    await first.stack.up("--refresh");
    for (const tag of ["v1.0.0", "latest"]) assert.equal(await named("overwritten", tag), first.released.digest, tag);
    assert.match(
      (await expectSuccess(second.stack.pulumi("preview"))).stdout,
      /tag v1\.0\.0 was moved in the registry/,
    );
  });
});
