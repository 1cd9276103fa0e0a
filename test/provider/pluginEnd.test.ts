// How runs end that do not end well: killed engines, cancelled runs, errors and long waits, through the real engine.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { Digest } from "../../lib/oci/digest";
import { type EngineProject, engineProject, type ProgramResource } from "../support/engine";
import { startRegistry, type TestRegistry } from "../support/registry";
import { inputsOf, moveTag, pushImage, type RegistryProxy, startProxy, tagged } from "./pluginRegistry";

describe("the plugin at the end of a run", function () {
  this.timeout(60_000);
  let registry: TestRegistry;
  let proxy: RegistryProxy;
  let project: EngineProject;
  let image: Digest;
  let repository: string;

  const version = (tag: string): ProgramResource => ({
    type: "Tag",
    name: "version",
    args: { repository, role: "version", tag, digest: image, inputDigest: inputsOf("1") },
  });
  const copy = (name: string): ProgramResource => ({
    type: "Copy",
    name,
    args: { from: repository, to: `${repository}-${name}`, digest: image },
  });
  /** Starts an update and stops it at the first request that `matches`; `release` lets the request go on. */
  const heldAt = async (matches: (line: string) => boolean) => {
    let release: () => void = () => undefined;
    const reached = new Promise<void>((resolve) => {
      const held = new Promise<void>((go) => (release = go));
      proxy.intercept = (line) => {
        if (!matches(line)) return undefined;
        resolve();
        return held;
      };
    });
    const { child, result } = project.start("up", "--yes", "--skip-preview");
    await reached;
    assert.equal(project.plugins().length, 1);
    return { child, result, release };
  };
  const gone = async (withinMs: number) => {
    const start = performance.now();
    while (project.plugins().length > 0) {
      assert.ok(performance.now() - start < withinMs, `the plugin is there after ${withinMs} ms`);
      await sleep(20);
    }
  };
  /** The look right before the write: the second one at the tag. */
  const lastLook = (tag: string) => {
    let looks = 0;
    return (line: string) => line === `HEAD /v2/x/manifests/${tag}` && ++looks === 2;
  };

  before(async () => {
    registry = await startRegistry();
    proxy = await startProxy(registry.host);
    project = await engineProject();
    repository = `${proxy.host}/x`;
    image = await pushImage(repository, "1");
  });
  beforeEach(() => {
    proxy.intercept = () => undefined;
    proxy.clear();
  });
  after(async () => {
    project?.dispose();
    await proxy?.stop();
    await registry?.stop();
  });

  it("is gone within two seconds of a killed engine, and writes no tag after it", async () => {
    project.write([version("v1.0.0")]);
    const { child, result, release } = await heldAt(lastLook("v1.0.0"));
    child.kill("SIGKILL");
    await gone(2000);
    release();
    await result;
    await sleep(200);
    assert.equal(
      proxy.requests.some((line) => line.startsWith("PUT ")),
      false,
    );
    assert.equal(await tagged(repository, "v1.0.0"), undefined);
  });

  it("leaves a stack that three commands repair", async () => {
    assert.notEqual((await project.run("up", "--yes", "--skip-preview")).code, 0, "the lock of the killed run");
    assert.equal((await project.run("cancel", "--yes")).code, 0);
    assert.equal((await project.run("refresh", "--clear-pending-creates", "--yes", "--skip-preview")).code, 0);
    await project.up();
    assert.equal(await tagged(repository, "v1.0.0"), image);
    const { code, output } = await project.run("up", "--yes", "--skip-preview", "--expect-no-changes");
    assert.equal(code, 0, output);
    assert.doesNotMatch(output, /warning/);
  });

  it("stops at an interrupt of the engine, says so, writes no tag, and the next run ends well", async () => {
    project.write([version("v1.0.1")]);
    const { child, result, release } = await heldAt(lastLook("v1.0.1"));
    child.kill("SIGINT");
    const { code, output } = await result;
    release();
    assert.notEqual(code, 0);
    assert.match(output, /stopped: cancelled/);
    await gone(1000);
    assert.equal(await tagged(repository, "v1.0.1"), undefined);
    proxy.intercept = () => undefined;
    await project.up();
    assert.equal(await tagged(repository, "v1.0.1"), image);
  });

  it("ends a killed plugin's run with an error, and the next run ends well", async () => {
    project.write([version("v1.0.2")]);
    const { result, release } = await heldAt((line) => line === "PUT /v2/x/manifests/v1.0.2");
    process.kill(project.plugins()[0]!, "SIGKILL");
    const { code } = await result;
    release();
    assert.notEqual(code, 0);
    assert.equal(await tagged(repository, "v1.0.2"), undefined);
    proxy.intercept = () => undefined;
    await project.up("--refresh");
    assert.equal(await tagged(repository, "v1.0.2"), image);
  });

  it("refuses to write a tag that somebody else took between the look and the write", async () => {
    const other = await pushImage(repository, "2");
    project.write([version("v1.0.3")]);
    const { result, release } = await heldAt(lastLook("v1.0.3"));
    proxy.intercept = () => undefined;
    await moveTag(repository, "v1.0.3", other);
    release();
    const { code, output } = await result;
    assert.notEqual(code, 0);
    assert.match(output, /v1\.0\.3 already names another image/);
    assert.equal(await tagged(repository, "v1.0.3"), other);
  });

  it("shows an error within two seconds, one sentence without a stack, and the command ends as soon", async () => {
    project.write([copy("forbidden")]);
    let refusedAt = 0;
    proxy.intercept = (line) => {
      if (!line.startsWith("POST ")) return undefined;
      refusedAt ||= performance.now();
      return 403;
    };
    const { child, result } = project.start("up", "--yes", "--skip-preview");
    const shown = new Promise<number>((resolve) => {
      child.stdout!.on(
        "data",
        (chunk: Buffer) => chunk.includes("registry answered 403") && resolve(performance.now()),
      );
    });
    assert.ok((await shown) - refusedAt < 2000);
    const { output, code } = await result;
    assert.equal(code, 1);
    assert.ok(performance.now() - refusedAt < 3000);
    assert.match(
      output,
      / {4}error: registry answered 403 to POST [^;\n]+; the credentials must allow this; [^;\n]+\n/,
    );
    assert.doesNotMatch(output, /\n +at /, "no stack");
  });

  it("shows what it waits for, now and then", async () => {
    project.write([copy("slow")]);
    let first = 0;
    proxy.intercept = (line) => {
      if (!line.startsWith("POST ")) return undefined;
      first ||= performance.now();
      return performance.now() - first < 1500 ? 503 : undefined;
    };
    const output = await project.up();
    const lines = output.split("\n").filter((line) => line.includes("trying again"));
    assert.ok(lines.length >= 1 && lines.length <= 3, output);
    assert.equal(await tagged(`${repository}-slow`, image), image);
  });

  it("is no second process, and gone with every command", async () => {
    await project.up();
    assert.deepEqual(project.plugins(), []);
  });

  it("has its port within 0.2 seconds (on a busy machine: within less than four starts of an empty Node program), and ends at once", async () => {
    const wall = { empty: [] as number[], port: [] as number[], end: [] as number[] };
    const cpu = { empty: [] as number[], port: [] as number[] };
    const time = async (list: number[], run: () => Promise<unknown>) => {
      const start = performance.now();
      await run();
      list.push(performance.now() - start);
    };
    /** Until its first output. */
    const begin = async (name: "empty" | "port", program: string, args: readonly string[]) => {
      const child = spawn(program, args);
      await time(wall[name], () => once(child.stdout, "data"));
      cpu[name].push(processorTime(child.pid!));
      return child;
    };
    for (let run = 0; run < 8; run++) {
      const empty = await begin("empty", process.execPath, ["-e", "console.log(); setTimeout(() => {}, 60_000)"]);
      empty.kill();
      await once(empty, "exit");
      const plugin = await begin("port", "dist/policychain/pulumi-resource-policychain", ["127.0.0.1:1"]);
      plugin.stdin.end();
      await time(wall.end, () => once(plugin, "exit"));
    }
    const best = (list: readonly number[]) => Math.min(...list);
    const shown = JSON.stringify({ wall, cpu });
    // It is 1.9 on an idle machine, and up to 3 on one whose caches others use. Processor time is nearly the same there: a start
    // twice as long fails everywhere.
    const ratio = 3.5;
    // Each start beside the one right before it: what keeps the machine busy comes and goes.
    assert.ok(
      wall.port.some((port, run) => port <= Math.max(200, ratio * wall.empty[run]!)),
      shown,
    );
    assert.ok(best(cpu.port) <= ratio * best(cpu.empty), shown);
    assert.ok(best(wall.end) <= Math.max(50, 2 * best(wall.empty)), shown);
  });

  it("gives the engine its schema", async () => {
    const { code, output } = await project.run(
      "package",
      "get-schema",
      `${process.cwd()}/dist/policychain/pulumi-resource-policychain`,
    );
    assert.equal(code, 0, output);
    const written = JSON.parse(readFileSync("provider/schema.json", "utf8"));
    assert.ok(Object.hasOwn(written.resources, "policychain:index:Tag"));
    assert.deepEqual(JSON.parse(output).resources, written.resources);
  });
});

/** Milliseconds that a process has computed so far, on all its threads. */
function processorTime(pid: number): number {
  const threads = readdirSync(`/proc/${pid}/task`);
  const nanoseconds = threads.map((id) =>
    Number(readFileSync(`/proc/${pid}/task/${id}/schedstat`, "utf8").split(" ")[0]),
  );
  return nanoseconds.reduce((sum, value) => sum + value, 0) / 1e6;
}
