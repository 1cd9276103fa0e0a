// The first step of `npm run local`, in a folder that has what a fresh clone has, with a stand-in for the bundled command.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type ExecResult, exec } from "../../../lib/exec";

const root = join(__dirname, "..", "..", "..");
const copied = ["local/start.mjs", "local/lock.mjs", "local/toolchain/programs.json", "package-lock.json"];

describe("the first step of npm run local", function () {
  this.timeout(20_000);
  let dir: string;
  let cache: string;

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "start-"));
    cache = join(dir, "cache");
    mkdirSync(cache);
    for (const file of copied) cpSync(join(root, file), write(file, ""));
    symlinkSync(join(root, "node_modules"), join(dir, "node_modules"));
    write("scripts/bundle.mjs", "");
    write("dist/local/main.js", 'console.log("handed over", ...process.argv.slice(2))');
  });
  afterEach(() => rmSync(dir, { recursive: true }));

  function write(file: string, text: string): string {
    const path = join(dir, file);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    return path;
  }

  const node = (version: string) => `Object.defineProperty(process.versions, "node", { value: "${version}" });`;

  /** Starts it on a machine that differs from this one by what `machine` sets in its process; its Node is new enough. */
  function start(
    machine = node("22.20.0"),
    env: Record<string, string> = {},
    words: readonly string[] = ["up", "--registry-port", "5001"],
  ): Promise<ExecResult> {
    const preload = write("machine.cjs", machine);
    const args = ["--require", preload, join(dir, "local/start.mjs"), ...words];
    return exec(process.execPath, args, { cwd: dir, env: { XDG_CACHE_HOME: cache, ...env } });
  }

  it("says what will be had, where, how long it takes, how much disk, and what root is for; then hands over", async () => {
    const { code, stdout, stderr } = await start();
    assert.equal(code, 0, stderr);
    for (const part of [
      /^ {2}pulumi 3\.\d+\.\d+ \(Pulumi engine\) +\S+\/cache\/policy-platform +about 150 s$/m,
      /^ {2}kyverno 1\.13\.2 \(tool of the image\)/m,
      /^ {2}spectral 6\.16\.3 \(tool of the image\)/m,
      /^ {2}registry, engine and their images +\.local\/ +about \d+ s$/m,
      /^About \d+ min on two cores;/m,
      /^Root is needed only to start an engine/m,
      /^Disk: about \d+\.\d GB at most, \d+\.\d GB free at \//m,
    ])
      assert.match(stdout, part);
    assert.doesNotMatch(stdout, /npm packages/);
    assert.match(stdout, /\nhanded over up --registry-port 5001\n$/);
  });

  it("counts the programs of a cluster where one is started: by itself for people, when asked for programs", async () => {
    const isCounted = async (...words: string[]) => {
      const { code, stdout, stderr } = await start(undefined, {}, words);
      assert.equal(code, 0, stderr);
      return /^ {2}kubernetes 1\.\d+\.\d+ \(local cluster: API server\)/m.test(stdout + stderr);
    };
    assert.equal(await isCounted("up"), true);
    assert.equal(await isCounted("up", "--no-cluster"), false);
    assert.equal(await isCounted("up", "--only", "services"), false);
    assert.equal(await isCounted("env", "--json"), false);
    assert.equal(await isCounted("env", "--json", "--cluster"), true);
  });

  it("counts on the Docker engine that is there, and says what happens where there is none", async () => {
    assert.match(
      (await start(undefined, { DOCKER_HOST: "unix:///x" })).stdout,
      /engine that is there is used, if it is 23/,
    );
    if (existsSync("/var/run/docker.sock")) return;
    const { stdout } = await start();
    assert.match(stdout, /No Docker engine is there: one is built/);
    assert.match(stdout, /^ {2}dockerd /m);
  });

  it("refuses another platform in one sentence, before it makes anything", async () => {
    for (const [platform, arch] of [
      ["darwin", "arm64"],
      ["linux", "arm64"],
      ["win32", "x64"],
    ]) {
      const machine = `for (const [key, value] of [["platform", "${platform}"], ["arch", "${arch}"]]) Object.defineProperty(process, key, { value })`;
      const { code, stdout, stderr } = await start(machine);
      assert.deepEqual([code, stdout], [1, ""]);
      assert.equal(
        stderr,
        `✗ this machine is ${platform}/${arch}; the local stack runs on linux/amd64 only; use such a machine, or WSL2 on Windows\n`,
      );
    }
    assert.equal(existsSync(join(dir, ".local")), false);
  });

  it("refuses a disk that is too small, before anything is downloaded", async function () {
    try {
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", cache], { stdio: "pipe" });
    } catch {
      return this.skip(); // mounting needs root
    }
    try {
      const { code, stdout, stderr } = await start();
      assert.equal(code, 1);
      assert.match(
        stderr,
        /^✗ 0\.0 GB are free at \S+\/cache; \d+\.\d GB are needed; free some space, or set XDG_CACHE/,
      );
      assert.doesNotMatch(stdout, /handed over/);
      assert.equal(existsSync(join(cache, "policy-platform")), false);
    } finally {
      execFileSync("umount", [cache]);
    }
  });

  it("says so when the Node that it fetched cannot be started", async () => {
    const version = /version: "(22\.\d+\.\d+)"/.exec(readFileSync(join(dir, "local/start.mjs"), "utf8"))![1];
    write(`cache/policy-platform/programs/node-${version}/node`, "no program");
    const { code, stderr } = await start(node("20.9.0"));
    assert.equal(code, 1);
    assert.match(stderr, /^✗ \S+\/node cannot be started \(EACCES\); /m);
  });
});
