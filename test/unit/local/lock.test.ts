import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { acquireLock } from "../../../local/lock.mjs";

const module = pathToFileURL(join(__dirname, "../../../local/lock.mjs")).href;

/** A process that takes the lock, says so, and hands it on to a child of its own when told to. */
async function holder(file: string, handOn = false): Promise<ChildProcess> {
  const script = `
    import { spawn } from "node:child_process";
    import { acquireLock } from ${JSON.stringify(module)};
    const lock = await acquireLock(${JSON.stringify(file)}, { owner: "the first" });
    if (${handOn}) {
      const child = spawn("sleep", ["60"], { stdio: ["ignore", "ignore", "ignore", lock] });
      console.log("child", child.pid);
    }
    console.log("held");
    setTimeout(() => {}, 60000);`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  child.stdout!.setEncoding("utf8");
  let said = "";
  for await (const text of child.stdout!) {
    said += text;
    if (said.includes("held")) break;
  }
  Object.assign(child, { handedTo: Number(/child (\d+)/.exec(said)?.[1]) });
  return child;
}

describe("the lock of a checkout", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "lock-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it("makes the second one wait, tells it who is at work, and is free when the first was killed", async () => {
    const file = join(folder, "deep", "lock");
    const first = await holder(file);
    const said: string[] = [];
    let taken = false;
    const second = acquireLock(file, {
      owner: "the second",
      waiting: (owner: string) => said.push(owner),
      interval: 20,
    });
    second.then(() => (taken = true));
    await new Promise((resolve) => setTimeout(resolve, 150));
    assert.deepEqual([said, taken], [["the first"], false]);
    first.kill("SIGKILL");
    closeSync(await second);
    assert.equal(readFileSync(file, "utf8"), "the second\n");
    assert.deepEqual(said, ["the first"]);
  });

  it("is made anew when its holder removed the folder, so that the next two do not both have it", async () => {
    const file = join(folder, ".local", "lock");
    const first = await acquireLock(file, { owner: "clean" });
    const second = acquireLock(file, { owner: "the second", interval: 20 });
    rmSync(join(folder, ".local"), { recursive: true });
    closeSync(first);
    const held = await second;
    let taken = false;
    const third = acquireLock(file, { owner: "the third", interval: 20 });
    third.then(() => (taken = true));
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.equal(taken, false);
    closeSync(held);
    closeSync(await third);
  });

  it("stays held while a child lives that it was handed on to", async () => {
    const file = join(folder, "lock");
    const first = await holder(file, true);
    const { handedTo } = first as ChildProcess & { handedTo: number };
    const ended = new Promise((resolve) => first.once("exit", resolve));
    first.kill("SIGKILL");
    await ended;
    let taken = false;
    const second = acquireLock(file, { owner: "x", interval: 20 });
    second.then(() => (taken = true));
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.equal(taken, false);
    process.kill(handedTo, "SIGKILL");
    closeSync(await second);
  });
});
