// A stand-in for the engine's command records what it is asked; locks and processes are real ones.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { repair } from "../../../lib/repair";
import { keepVariables } from "../../support/environment";
import { run } from "./run";

const engine = `#!/bin/sh
echo "$*" >> asked
case $1 in
  whoami) printf '{"url":"%s"}' "$BACKEND" ;;
  stack) cat exported 2>/dev/null || echo {} ;;
  cancel) rm -r state/.pulumi/locks ;;
esac
if [ -e "refuse-$1" ]; then echo "error: $(cat "refuse-$1")" >&2; exit 255; fi
`;

function project() {
  const projectDir = mkdtempSync(join(tmpdir(), "repair-test-"));
  writeFileSync(join(projectDir, "Pulumi.yaml"), "name: policy-platform\nruntime: nodejs\n");
  const pulumi = join(projectDir, "pulumi");
  writeFileSync(pulumi, engine);
  chmodSync(pulumi, 0o755);
  const env = { ...process.env, BACKEND: `file://${projectDir}/state` };
  const write = (file: string, text: string) => writeFileSync(join(projectDir, file), text);
  const asked = () => readFileSync(join(projectDir, "asked"), "utf8").trim().split("\n");
  return { projectDir, write, asked, run: (stack = "dev") => repair({ stack, projectDir, pulumi, env }) };
}

function lockOf(projectDir: string, lock: object): void {
  const folder = join(projectDir, "state/.pulumi/locks/organization/policy-platform/dev");
  mkdirSync(folder, { recursive: true });
  const content = { username: "u", hostname: hostname(), timestamp: "2026-01-02T03:04:05.6Z", ...lock };
  writeFileSync(join(folder, "1.json"), JSON.stringify(content));
  writeFileSync(join(folder, "1.json.attrs"), "{}");
}

/** A pid that nobody has: a child's, after it has ended and been waited for. */
async function gonePid(): Promise<number> {
  const child = spawn("true");
  await new Promise((resolve) => child.on("close", resolve));
  return child.pid!;
}

describe("repairing a stack", () => {
  it("does nothing when nothing is wrong", async () => {
    const { asked, run } = project();
    assert.deepEqual(await run(), { lock: "none", ended: [], cleared: 0 });
    assert.deepEqual(asked(), ["whoami --json --non-interactive", "stack export --stack dev --non-interactive"]);
  });

  it("releases a lock whose process is gone, or is another program by now", async () => {
    for (const pid of [await gonePid(), process.pid]) {
      const { projectDir, asked, run } = project();
      lockOf(projectDir, { pid });
      assert.equal((await run("organization/policy-platform/dev")).lock, "released");
      assert.ok(asked().includes("cancel --yes --stack organization/policy-platform/dev --non-interactive"));
      assert.equal((await run()).lock, "none");
    }
  });

  it("leaves the lock of a living engine, and one of another machine", async () => {
    const living = mkdtempSync(join(tmpdir(), "engine-"));
    writeFileSync(join(living, "pulumi"), "#!/bin/sh\nread line\n");
    chmodSync(join(living, "pulumi"), 0o755);
    const child = spawn(join(living, "pulumi"));
    await sleep(100);
    for (const lock of [{ pid: child.pid }, { pid: await gonePid(), hostname: "elsewhere" }]) {
      const { projectDir, asked, run } = project();
      lockOf(projectDir, lock);
      await assert.rejects(run(), { code: "stack-locked" });
      assert.ok(!asked().some((line) => line.startsWith("cancel")));
      assert.ok(existsSync(join(projectDir, "state/.pulumi/locks/organization/policy-platform/dev/1.json")));
    }
    child.kill("SIGKILL");
  });

  it("clears pending creates, and only then looks at every resource", async () => {
    const { write, asked, run } = project();
    write("exported", JSON.stringify({ deployment: { pending_operations: [{}, {}] } }));
    assert.equal((await run()).cleared, 2);
    assert.equal(asked().at(-1), "refresh --clear-pending-creates --yes --skip-preview --stack dev --non-interactive");
  });

  it("passes on what the engine refuses", async () => {
    const { write, run } = project();
    write("exported", JSON.stringify({ deployment: { pending_operations: [{}] } }));
    write("refuse-refresh", "registry 127.0.0.1:5000 refused");
    await assert.rejects(run(), (error: { code: string; message: string }) => {
      assert.equal(error.code, "repair-failed");
      assert.match(error.message, /pulumi refresh .*failed: registry 127\.0\.0\.1:5000 refused; /);
      return true;
    });
  });

  it("says so when a backend that shows no locks is locked, and when there is no engine", async () => {
    const { projectDir, write } = project();
    write("exported", JSON.stringify({ deployment: { pending_operations: [{}] } }));
    write("refuse-refresh", "[409] Conflict: Another update is currently in progress.");
    const options = { stack: "dev", projectDir };
    const env = { ...process.env, BACKEND: "https://api.example.com" };
    await assert.rejects(repair({ ...options, env, pulumi: join(projectDir, "pulumi") }), { code: "stack-locked" });
    await assert.rejects(repair({ ...options, pulumi: join(projectDir, "nothing") }), { code: "pulumi-missing" });
  });
});

describe("policy-platform repair", () => {
  it("tells programs what it did, and people what comes next", async () => {
    const { projectDir, write } = project();
    write("exported", JSON.stringify({ deployment: { pending_operations: [{}] } }));
    lockOf(projectDir, { pid: await gonePid() });
    const restore = keepVariables();
    Object.assign(process.env, { PATH: `${projectDir}:${process.env.PATH}`, BACKEND: `file://${projectDir}/state` });
    try {
      const { code, data, stderr } = await run("repair", "-s", "dev", "-C", projectDir, "-o", "json");
      assert.equal(code, 0, stderr);
      assert.deepEqual(data, { stack: "dev", lock: "released", ended: [], cleared: 1, next: "pulumi up --stack dev" });
      assert.match(
        stderr,
        /^► repairing stack dev\n► released the lock of pid \d+, which is gone\n► cleared 1 pending operation\n✔ repaired\n$/,
      );
      write("exported", "{}");
      const again = await run("repair", "-s", "dev", "-C", projectDir);
      assert.equal(again.stdout, "pulumi up --stack dev\n");
      assert.match(again.stderr, /✔ nothing was wrong\n$/);
    } finally {
      restore();
    }
  });
});

describe("processes that a killed engine left", () => {
  /** A parent that starts `name` in `folder` and stays until it is killed. */
  async function startBelow(
    parent: string,
    name: string,
    folder: string,
  ): Promise<{ parent: ChildProcess; pid: number }> {
    const bin = mkdtempSync(join(tmpdir(), "orphan-test-"));
    writeFileSync(join(bin, name), "#!/bin/sh\nwhile :; do sleep 1; done\n");
    writeFileSync(join(bin, parent), `#!/bin/sh\n${join(bin, name)} 127.0.0.1:1 & echo $!\nwait\n`);
    for (const file of [name, parent]) chmodSync(join(bin, file), 0o755);
    const started = spawn(join(bin, parent), { cwd: folder });
    const pid = await new Promise<number>((resolve) => started.stdout.once("data", (data) => resolve(Number(data))));
    await sleep(100);
    return { parent: started, pid };
  }
  const lives = (pid: number) => {
    try {
      return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
    } catch {
      return false;
    }
  };
  const end = async (child: ChildProcess) => {
    child.kill("SIGKILL");
    await new Promise((resolve) => child.on("close", resolve).on("exit", resolve));
  };

  it("are ended: language hosts and plugins of this project", async () => {
    for (const name of ["pulumi-language-nodejs", "pulumi-resource-docker"]) {
      const { projectDir, run } = project();
      const { parent, pid } = await startBelow("pulumi", name, projectDir);
      assert.deepEqual((await run()).ended, [], "its engine lives");
      await end(parent);
      assert.deepEqual((await run()).ended, [pid]);
      await sleep(50);
      assert.ok(!lives(pid));
    }
  }).timeout(20_000);

  it("are left alone when they are another project's, or another program", async () => {
    const { projectDir, run } = project();
    const others = [
      await startBelow("pulumi", "pulumi-language-nodejs", mkdtempSync(join(tmpdir(), "elsewhere-"))),
      await startBelow("pulumi", "my-server", projectDir),
    ];
    for (const { parent } of others) await end(parent);
    assert.deepEqual((await run()).ended, []);
    for (const { pid } of others) {
      assert.ok(lives(pid));
      process.kill(pid, "SIGKILL");
    }
  }).timeout(20_000);
});
