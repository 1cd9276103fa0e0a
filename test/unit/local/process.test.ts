import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { identify, isAlive } from "../../../lib/process";
import { findByArgument, startDetached, stop } from "../../../local/process";

/** A /proc with one process: its name holds what would break a careless parser. */
function fakeProc(pid: number, { state = "S", started = "4711", boot = "boot-1" } = {}): string {
  const proc = mkdtempSync(join(tmpdir(), "proc-"));
  mkdirSync(join(proc, `${pid}`));
  mkdirSync(join(proc, "sys/kernel/random"), { recursive: true });
  writeFileSync(join(proc, `${pid}/stat`), `${pid} (a) b (c) ${state} ${"0 ".repeat(18)}${started} 0 0\n`);
  writeFileSync(join(proc, "sys/kernel/random/boot_id"), `${boot}\n`);
  return proc;
}

describe("a process that was started here", () => {
  const folders: string[] = [];
  const children: ChildProcess[] = [];
  const folder = (made: string) => {
    folders.push(made);
    return made;
  };
  afterEach(() => {
    for (const made of folders.splice(0)) rmSync(made, { recursive: true });
    for (const child of children.splice(0)) child.kill("SIGKILL");
  });

  it("is known by pid, start and boot", () => {
    const identity = identify(7, folder(fakeProc(7)))!;
    assert.deepEqual(identity, { pid: 7, started: "4711", boot: "boot-1" });
    assert.equal(isAlive(identity, folder(fakeProc(7))), true);
  });

  it("is not taken for another one that got its number", () => {
    const identity = identify(7, folder(fakeProc(7)));
    assert.equal(isAlive(identity, folder(fakeProc(7, { started: "4712" }))), false);
    assert.equal(isAlive(identity, folder(fakeProc(7, { boot: "boot-2" }))), false);
    assert.equal(isAlive(identity, folder(fakeProc(8))), false);
    assert.equal(isAlive(undefined), false);
  });

  it("is gone when only its zombie is left", () => {
    assert.equal(identify(7, folder(fakeProc(7, { state: "Z" }))), undefined);
  });

  it("goes on in a session of its own, writes to its log, and ends when it is stopped", async () => {
    const work = folder(mkdtempSync(join(tmpdir(), "detached-")));
    const log = join(work, "log", "x.log");
    const identity = await startDetached("sh", ["-c", "echo begun; exec sleep 60"], {
      log,
      env: process.env,
      cwd: work,
    });
    const session = readFileSync(`/proc/${identity.pid}/stat`, "utf8").split(" ")[5];
    assert.equal(session, `${identity.pid}`);
    while (!readFileSync(log, "utf8").includes("begun")) await sleep(10);
    assert.equal(await stop(identity), "stopped");
    assert.equal(isAlive(identity), false);
    assert.equal(await stop(identity), "gone");
  });

  it("is killed when it does not listen", async () => {
    const work = folder(mkdtempSync(join(tmpdir(), "detached-")));
    const log = join(work, "x.log");
    const script = "trap '' TERM; echo deaf; while :; do sleep 0.1; done";
    const identity = await startDetached("sh", ["-c", script], { log, env: process.env, cwd: work });
    while (!readFileSync(log, "utf8").includes("deaf")) await sleep(10);
    assert.equal(await stop(identity, 200), "killed");
    assert.equal(isAlive(identity), false);
  });

  it("is found by an argument that only it has", async () => {
    const mark = `mark-${process.pid}-${Date.now()}`;
    const child = spawn(process.execPath, ["-e", "setTimeout(() => {}, 60000)", mark]);
    children.push(child);
    await new Promise((resolve) => child.once("spawn", resolve));
    const found = findByArgument((argument) => argument === mark).map(({ pid }) => pid);
    assert.deepEqual(found, [child.pid]);
    assert.deepEqual(
      findByArgument((argument) => argument === `${mark}-not`),
      [],
    );
  });

  it("that cannot be started is an error", async () => {
    const work = folder(mkdtempSync(join(tmpdir(), "detached-")));
    await assert.rejects(
      startDetached(join(work, "missing"), [], { log: join(work, "x.log"), env: {}, cwd: work }),
      /ENOENT/,
    );
  });
});
