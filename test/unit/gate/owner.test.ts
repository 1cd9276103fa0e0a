import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { isGone, thisProcess } from "../../../lib/gate/owner";

describe("the owner of a gate's container", () => {
  const [boot, namespace, pid, started] = thisProcess().split(" ") as [string, string, string, string];

  it("is this process, which is there", () => {
    assert.equal(Number(pid), process.pid);
    assert.equal(isGone(thisProcess()), false);
  });

  it("is gone when its process has ended, also before its parent has noticed", async () => {
    const child = spawn("sleep", ["60"]);
    await once(child, "spawn");
    const stat = readFileSync(`/proc/${child.pid}/stat`, "utf8").split(" ");
    const owner = `${boot} ${namespace} ${child.pid} ${stat[21]}`;
    assert.equal(isGone(owner), false);
    child.kill("SIGKILL");
    await once(child, "exit");
    assert.equal(isGone(owner), true);
  });

  it("is gone when its number was given to another process since", () => {
    assert.equal(isGone(`${boot} ${namespace} ${pid} ${Number(started) - 1}`), true);
  });

  it("is never called gone when it is of another machine, of another namespace, or not named", () => {
    for (const owner of [
      `00000000-0000-4000-8000-000000000000 ${namespace} 999999999 1`,
      `${boot} pid:[1] 999999999 1`,
      "",
      "x",
      `${boot} ${namespace}`,
      `${boot} ${namespace} ../self 1`,
    ])
      assert.equal(isGone(owner), false, owner);
  });
});
