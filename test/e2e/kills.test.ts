// Runs that are killed, through the real engine, a real registry and a real Docker engine: whatever dies, and whenever, no
// tag is wrong in between, nothing of ours goes on, and the run after the repair makes the release that was wanted.
import assert from "node:assert/strict";
import { firstPoints, type KillPoint, killPoints, type Role, requests } from "../support/killPoints";
import { type EngineRun, type KillStand, startKillStand } from "../support/killStand";
import { killProcesses, leftAfter, type ProjectProcess, pluginsOf, processesOf } from "../support/processes";
import { refused } from "../support/refused";
import type { TaggedImage } from "../support/releaseAudit";

type Tags = Map<string, TaggedImage>;

interface Scenario {
  readonly title: string;
  run(stand: KillStand): Promise<void>;
}

const update = ["up", "--yes", "--skip-preview"];
const patience = { killed: 10_000, pluginsGone: 2_000, interrupted: 15_000 };

const killed = (point: KillPoint): Scenario => ({
  title: `makes its release at the next run when ${point.who} killed while ${point.when}`,
  async run(stand) {
    const before = await stand.tags();
    const reached = point.reach(stand);
    const run = stand.start(...update);
    const held = await comesTo(run, reached);
    const victims = processesOf(stand.project.dir).filter(({ kind }) => point.victims.includes(kind));
    assert.ok(victims.length > 0, "there is somebody to kill");
    if (point.stateFile) {
      const written = stand.stateWrite(point.stateFile);
      await held.pass();
      await written;
    }
    killProcesses(victims);
    assert.deepEqual(await leftAfter(patience.killed, () => living(stand, victims)), []);
    if (point.stateFile) stand.beginAttributes();
    stand.registry.clear();
    if (point.arrives) await held.pass();
    if (!point.victims.includes("engine")) assert.notEqual(await run.ended, 0, run.output());
    // A request that is lost stays without an answer until here: what waits for one must end all the same.
    assert.deepEqual(await leftAfter(patience.pluginsGone, () => pluginsOf(stand.project.dir)), []);
    held.cut();
    assert.deepEqual(tagWrites(stand), [], "no orphan wrote a tag");
    assert.deepEqual(rolesOf(changed(before, await stand.tags())), point.tagged ?? []);
    assert.deepEqual(stand.damagedDownloads(), []);

    const { lock } = await (point.byCommand ? stand.repairByCommand() : stand.repair());
    assert.equal(lock, point.victims.includes("engine") ? "released" : "none");
    assert.deepEqual(processesOf(stand.project.dir), [], "no orphan is left");
    await expectRelease(stand, before);
  },
});

/** A terminal's Ctrl-C, and what a CI system sends before it kills. */
const interrupted = (signal: NodeJS.Signals, when: string, side: "docker" | "registry", point: RegExp): Scenario => ({
  title: `ends in order and needs no repair when it gets ${signal} while ${when}`,
  async run(stand) {
    const before = await stand.tags();
    stand.editPolicy();
    const reached = stand[side].hold(point);
    const run = stand.start(...update);
    const held = await comesTo(run, reached);
    run.signal(signal);
    const late = new Promise<"late">((resolve) => setTimeout(resolve, patience.interrupted, "late").unref());
    const code = await Promise.race([run.ended, late]);
    held.cut();
    assert.ok(code !== 0 && code !== "late", `ended with ${code}:\n${run.output()}`);
    assert.deepEqual(await leftAfter(patience.pluginsGone, () => processesOf(stand.project.dir)), []);
    const { pending, locks } = stand.state();
    assert.deepEqual({ pending, locks }, { pending: [], locks: [] });
    assert.deepEqual(await stand.gateContainers(), []);
    assert.deepEqual(rolesOf(changed(before, await stand.tags())), []);
    await expectRelease(stand, before);
  },
});

const others: readonly Scenario[] = [
  interrupted("SIGINT", "the gate runs a tool", "docker", requests.exec),
  interrupted("SIGTERM", "a layer is copied to the release", "registry", requests.mount),
  {
    title: "is left alone by a repair and by a second run as long as it lives",
    async run(stand) {
      const before = await stand.tags();
      stand.editPolicy();
      const reached = stand.docker.hold(requests.exec);
      const run = stand.start(...update);
      const held = await comesTo(run, reached);
      const { message } = await refused("stack-locked", () => stand.repair());
      assert.match(message, /is locked by pid \d+ .*; wait for it, or end it with kill \d+$/);
      const { code, output } = await stand.run(...update);
      assert.notEqual(code, 0);
      assert.match(output, /the stack is currently locked by 1 lock\(s\)/);
      await held.pass();
      assert.equal(await run.ended, 0, run.output());
      assert.deepEqual(rolesOf(changed(before, await stand.tags())), ["commit", "version", "latest"]);
      await expectRelease(stand, before);
    },
  },
  {
    title: "does not get an image past the gate that the gate refuses, however it is killed, repaired and run again",
    async run(stand) {
      const before = await stand.tags();
      await stand.pinNewRelease({ digest: true, prints: "0.9.0", atOnce: true });
      const reached = stand.docker.hold(requests.exec);
      const run = stand.start(...update);
      const held = await comesTo(run, reached);
      killProcesses(processesOf(stand.project.dir).filter(({ kind }) => kind === "engine"));
      assert.deepEqual(await leftAfter(patience.pluginsGone, () => pluginsOf(stand.project.dir)), []);
      held.cut();
      await stand.repair();
      const { code, output } = await stand.run(...update);
      assert.notEqual(code, 0);
      assert.match(output, /the gate refuses .*smoke: greet/);
      assert.deepEqual(rolesOf(changed(before, await stand.tags())), []);
      await stand.pinNewRelease({ digest: true, atOnce: true });
      await expectRelease(stand, before);
    },
  },
];

const scenarios = [...[...firstPoints, ...killPoints].map(killed), ...others];
/** Two stands work side by side: a run leaves a core idle most of the time. */
const lanes = 2;

describe("a run that is killed", function () {
  this.timeout(180_000);
  const stands: KillStand[] = [];
  const ready: Promise<unknown>[] = [];
  const outcomes = new Map<number, Promise<void>>();
  let over = false;

  /** Runs a scenario on its stand when the one before it there is over. */
  const begin = (index: number) => {
    const scenario = scenarios[index];
    if (!scenario || outcomes.has(index)) return;
    const stand = stands[index % lanes]!;
    const outcome = ready[index % lanes]!.then(() => (over ? undefined : scenario.run(stand)));
    outcomes.set(index, outcome);
    ready[index % lanes] = outcome.catch(() => stand.reset());
  };

  before(async () => {
    for (let lane = 0; lane < lanes; lane++) {
      stands.push(await startKillStand());
      ready.push(Promise.resolve());
    }
  });
  after(async () => {
    over = true;
    await Promise.allSettled(ready);
    await Promise.all(stands.map((stand) => stand.stop()));
  });

  for (const [index, { title }] of scenarios.entries())
    it(title, () => {
      for (let ahead = 0; ahead < 2 * lanes; ahead++) begin(index + ahead);
      return outcomes.get(index);
    });
});

/** What `reached` resolves with; fails with the screen when the run ends before that. */
async function comesTo<T>(run: EngineRun, reached: Promise<T>): Promise<T> {
  const over = run.ended.then((code) => {
    throw new Error(`the run ended with ${code} before it came to the point:\n${run.output()}`);
  });
  over.catch(() => undefined); // it ends later, when nobody listens any more
  return Promise.race([reached, over]);
}

async function expectSuccess(running: ReturnType<KillStand["run"]>): Promise<void> {
  const { code, output } = await running;
  assert.equal(code, 0, output);
}

/** Those that are still there: a killed process takes a moment to go, on a busy machine a long one. */
function living(stand: KillStand, victims: readonly ProjectProcess[]): ProjectProcess[] {
  const pids = victims.map(({ pid }) => pid);
  return processesOf(stand.project.dir).filter(({ pid }) => pids.includes(pid));
}

/** Requests that could write. */
function writes(stand: KillStand): string[] {
  return stand.registry.lines.filter((line) => !/^(GET|HEAD) /.test(line));
}

function tagWrites(stand: KillStand): string[] {
  return writes(stand).filter((line) => /^PUT \/v2\/releases\/.*\/manifests\/(?!sha256:)/.test(line));
}

/** Tags that are new or name something else, all of them one image. No tag ever goes. */
function changed(before: Tags, after: Tags): Tags {
  for (const tag of before.keys()) assert.ok(after.has(tag), `${tag} is gone`);
  const found = new Map([...after].filter(([tag, { digest }]) => before.get(tag)?.digest !== digest));
  assert.ok(new Set([...found.values()].map(({ digest }) => digest)).size <= 1, "all new tags name one image");
  return found;
}

function rolesOf(tags: Tags): Role[] {
  const roles = [...tags.keys()].map((tag) =>
    tag === "latest" ? "latest" : tag.startsWith("v") ? "version" : "commit",
  );
  return (["commit", "version", "latest"] as const).filter((role) => roles.includes(role));
}

/** The next run makes exactly one release, the next version, and the one after it changes nothing. */
async function expectRelease(stand: KillStand, before: Tags): Promise<void> {
  await expectSuccess(stand.run(...update));
  const made = changed(before, await stand.tags());
  assert.deepEqual(rolesOf(made), ["commit", "version", "latest"]);
  assert.equal(made.size, 3, [...made.keys()].join(" "));
  const version = nextPatch([...before.keys()]);
  assert.ok(made.has(version), `${version} is among ${[...made.keys()].join(" ")}`);
  const { outputs, ...state } = stand.state();
  assert.deepEqual([outputs.version, outputs.image.inputDigest], [version, made.get(version)!.inputDigest]);
  assert.deepEqual(state, { pending: [], locks: [] });

  stand.registry.clear();
  await expectSuccess(stand.run(...update, "--expect-no-changes"));
  assert.deepEqual(writes(stand), []);
  assert.deepEqual(processesOf(stand.project.dir), []);
  assert.deepEqual(await stand.gateContainers(), []);
}

function nextPatch(tags: readonly string[]): string {
  const patches = tags.flatMap((tag) => /^v1\.0\.(\d+)$/.exec(tag)?.[1] ?? []).map(Number);
  return `v1.0.${Math.max(-1, ...patches) + 1}`;
}
