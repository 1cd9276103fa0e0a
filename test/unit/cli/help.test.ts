import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { golden } from "../../support/golden";
import { run } from "./run";

describe("help", () => {
  for (const verb of [
    "",
    "check",
    "pin",
    "version",
    "promote",
    "repair",
    "render ci",
    "render flux",
    "diff image artifact",
  ]) {
    it(`of ${verb || "the command"} stays as it was reviewed`, async () => {
      const { code, stdout, stderr } = await run(...verb.split(" ").filter(Boolean), "--help");
      assert.equal(code, 0);
      assert.equal(stderr, "");
      golden(`cli/${verb.replaceAll(" ", "-") || "policy-platform"}.txt`, stdout);
    });
  }

  it("is shown on stderr, with exit code 2, for a command line that is none", async () => {
    for (const argv of [
      [],
      ["nonsense"],
      ["check", "--nonsense"],
      ["pin"],
      ["check", "-o", "yaml"],
      ["check", "extra"],
    ]) {
      const { code, stdout, stderr } = await run(...argv);
      assert.equal(code, 2, argv.join(" "));
      assert.equal(stdout, "");
      assert.notEqual(stderr, "");
    }
    assert.match((await run("chek")).stderr, /Did you mean check\?/);
    assert.match((await run("promote")).stderr, /'from'\n+policy-platform promote --help says what it takes/);
    assert.match((await run("render", "ci", "--nonsense")).stderr, /policy-platform render ci --help/);
  });

  it("of the bundled command is there within moments", () => {
    const bundle = join(__dirname, "../../../dist/cli/policy-platform.js");
    const measured = [1, 2, 3].map(() => {
      const started = performance.now();
      const { status, stdout } = spawnSync(process.execPath, [bundle, "--help"], { encoding: "utf8" });
      const took = performance.now() - started;
      assert.equal(status, 0);
      assert.match(stdout, /^Usage: policy-platform/);
      return took;
    });
    // 0.1 s on an idle machine; the bound leaves room for a busy one.
    assert.ok(Math.min(...measured) < 1000, measured.join(", "));
  }).timeout(20_000);
});
