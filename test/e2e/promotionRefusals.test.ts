// Promotions that must not happen, through the real engine, and one that is killed: one clear sentence each, every tag where it was.
// The releases that are promoted are made without a build.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { rmSync } from "node:fs";
import { childEnvironment, exec } from "../../lib/exec";
import { sha256, shortDigest } from "../../lib/oci/digest";
import { type FaultProxy, startFaultProxy } from "../support/faultProxy";
import { killProcesses, leftAfter, pluginsOf, processesOf } from "../support/processes";
import { createProject, expectSuccess, type Project, type ProjectStack } from "../support/project";
import {
  type PromotionPlace,
  type PromotionStand,
  type Released,
  startPromotionStand,
  tagOf,
} from "../support/promotionStand";
import { dockerConfig, startRegistry, type TestRegistry } from "../support/registry";
import { auditTags } from "../support/releaseAudit";
import type { ImageContent } from "../support/releasedImage";

const repository = "releases/policy-platform";
const image = (edit: string): ImageContent => ({
  tools: { yq: "4.50.0" },
  policies: { "security-policy": { "policies/a.yaml": `a: ${edit}` } },
});

describe("a promotion that must not happen", function () {
  this.timeout(180_000);
  let stand: PromotionStand;
  let place: PromotionPlace;
  let project: Project;
  let first: Released;
  let second: Released;

  before(async () => {
    stand = await startPromotionStand();
    place = stand.fresh();
    first = await place.release("v1.0.0", image("1"));
    second = await place.release("v1.1.0", image("2"));
    project = await createProject(configuration(first));
  });
  after(async () => {
    project?.remove();
    await stand?.stop();
  });
  afterEach(() => promote(first));

  const configuration = (released: Released, address = stand.target.host) => {
    const { rollback: _, ...promotion } = place.promotionOf(released);
    return {
      "policy-platform:registry": { kind: "existing", address },
      "policy-platform:promotion": promotion,
    };
  };
  const promote = (released: Released, more = {}, stack: ProjectStack = project) =>
    stack.configure((config) => {
      for (const key of Object.keys(config)) delete config[key];
      const { "policy-platform:promotion": promotion, ...others } = configuration(released);
      Object.assign(config, others, { "policy-platform:promotion": { ...promotion, ...more } });
    });
  const tags = async () =>
    [...(await auditTags(stand.behind, repository))].map(([tag, { digest }]) => `${tag} ${digest}`).sort();
  /** `pulumi <args>` fails with a sentence that says all this, and changes no tag. */
  const fails = async (args: readonly string[], ...parts: RegExp[]) => {
    const before = await tags();
    const { code, stdout, stderr } = await project.pulumi(...args);
    const screen = stdout + stderr;
    assert.notEqual(code, 0, screen);
    for (const part of parts) assert.match(screen, part);
    assert.doesNotMatch(screen, /\n\s+at .*\(.*:\d+:\d+\)/, "a user sees a sentence, not a stack");
    assert.deepEqual(await tags(), before);
  };
  const refused = (...parts: RegExp[]) => fails(["preview"], ...parts);

  it("because the stack file says how to build, too: every key at once, and no registry is asked", async () => {
    project.configure((config) => {
      config["policy-platform:version"] = "v1.0.0";
      config["policy-platform:image"] = { user: "0:0" };
      config["policy-platform:base"] = { image: "alpine" };
      for (const key of ["tools", "policies", "gate", "artifacts", "bundles", "mirrors"])
        config[`policy-platform:${key}`] = {};
      config["policy-platform:source"] = "0123456789ab";
    });
    const before = [stand.source.requests.length, stand.target.requests.length];
    const keys = [
      "version",
      "image.user",
      "base",
      "tools",
      "policies",
      "gate",
      "artifacts",
      "bundles",
      "mirrors",
      "source",
    ];
    await refused(
      /10 errors in Pulumi\.local\.yaml/,
      ...keys.map((key) => new RegExp(`${key.replace(".", "\\.")} stands beside promotion; .*config rm`)),
    );
    assert.deepEqual([stand.source.requests.length, stand.target.requests.length], before);
  });

  it("because the digest is in neither registry", async () => {
    promote(first, { digest: sha256("gone") });
    const gone = new RegExp(`v1\\.0\\.0, image ${sha256("gone")}, is neither in .* policy-platform promote FROM local`);
    await refused(gone);
    await fails(["up", "--yes", "--skip-preview"], gone);
  });

  describe("without a login to its source", () => {
    let guarded: TestRegistry;
    let login: string;
    before(async () => {
      guarded = await startRegistry({ basic: true });
      login = dockerConfig(guarded.host);
    });
    after(async () => {
      await guarded?.stop();
      rmSync(login, { recursive: true, force: true });
    });

    it("names the registry and the line that logs in, at preview already; logged in, it asks for the image", async () => {
      promote(first, { from: `${guarded.host}/releases/source` });
      await refused(new RegExp(`docker login ${guarded.host}`));
      const { stdout, stderr } = await project.with({ DOCKER_CONFIG: login }).pulumi("preview");
      assert.match(stdout + stderr, /is neither in .* nor in /);
    });
  });

  describe("or that a look at the stack which built it speaks against", () => {
    const named = (name: string) => ({ stack: `organization/policy-platform/${name}` });

    it("because that stack is not there; the key is optional", async () => {
      promote(first, named("nowhere"));
      await refused(
        /the outputs of stack organization\/policy-platform\/nowhere cannot be read: .*config rm --path policy-platform:promotion\.stack/,
      );
    });

    it("is warned of, and goes on, where that stack has no outputs", async () => {
      await project.addStack("empty", configuration(first));
      promote(first, named("empty"));
      const { stdout } = await expectSuccess(project.pulumi("preview"));
      assert.match(stdout, /warning: stack organization\/policy-platform\/empty has no release in its outputs/);
    });

    it("is warned of, and goes on, where that stack has moved on", async () => {
      const dev = await project.addStack("dev", configuration(second, `${stand.target.host}/dev`));
      await dev.up();
      promote(first, named("dev"));
      const { stdout } = await expectSuccess(project.pulumi("preview"));
      assert.ok(
        stdout.includes(
          `warning: stack organization/policy-platform/dev has moved on to v1.1.0 (${shortDigest(second.digest)}): policy-platform promote dev local takes it`,
        ),
        stdout,
      );
    });
  });

  describe("or that goes back", () => {
    it("because the target has a higher version and no rollback is allowed", async () => {
      promote(second);
      await project.up();
      promote(first);
      await refused(/v1\.0\.0 is below v1\.1\.0, the highest version of .*promotion\.rollback true --stack local/);
    });
  });

  describe("to its end, as the engine is killed", () => {
    let proxy: FaultProxy;
    let killed: ProjectStack;
    before(async () => {
      proxy = await startFaultProxy(stand.behind);
      killed = await project.addStack("killed", configuration(first, `${proxy.host}/killed`));
    });
    after(() => proxy?.stop());

    const path = `killed/${repository}`;
    const tagsNow = async () => [...(await auditTags(stand.behind, path)).keys()].sort();

    for (const { when, at, tagged } of [
      { when: "a layer is on its way", at: /^PUT .*\/blobs\/uploads\//, tagged: () => [] },
      {
        when: "the version is about to be written",
        at: /^PUT .*\/manifests\/v1/,
        tagged: (its: Released) => [tagOf(its)],
      },
    ])
      it(`when ${when}, has no version on half an image, and ends well after the repair`, async () => {
        const before = await tagsNow();
        const released = before.length === 0 ? first : second;
        killed.configure((config) => {
          config["policy-platform:promotion"] = configuration(released)["policy-platform:promotion"];
        });
        const reached = proxy.hold(at);
        const run = spawn("pulumi", ["up", "--yes", "--skip-preview", "-s", "killed", "--non-interactive"], {
          cwd: project.dir,
          env: childEnvironment(project.env),
          stdio: "ignore",
          detached: true,
        });
        const ended = new Promise((resolve) => run.on("exit", resolve));
        const held = await Promise.race([
          reached,
          ended.then((code) => assert.fail(`the run ended with ${code} before it came to the point`)),
        ]);
        killProcesses(processesOf(project.dir).filter(({ kind }) => kind === "engine"));
        await ended;
        assert.deepEqual(await leftAfter(2_000, () => pluginsOf(project.dir)), []);
        held.cut();
        assert.deepEqual(await tagsNow(), [...before, ...tagged(released)].sort());

        const repair = ["dist/cli/policy-platform.js", "repair", "--stack", "killed"];
        const { stderr } = await expectSuccess(
          exec(process.execPath, repair, { cwd: project.dir, env: childEnvironment(project.env) }),
        );
        assert.match(stderr, /repaired/);
        await killed.up();
        const now = await auditTags(stand.behind, path);
        for (const tag of [tagOf(released), released.version, "latest"])
          assert.equal(now.get(tag)?.digest, released.digest, tag);
        await expectSuccess(killed.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes"));
      });
  });
});
