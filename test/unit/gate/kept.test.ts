// What is kept of a gate's run, and when it stands for another run.
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { failed, passed, skipped } from "../../../lib/gate/check";
import { keepResult, keptFolder, outputFile, recallResult } from "../../../lib/gate/kept";
import { sha256 } from "../../../lib/oci/digest";

const key = sha256("spec");
const checks = [
  passed("smoke: yq", "4.54.1"),
  skipped("tests: p", "none"),
  passed("policies: p", "1 rule", "out\tput\n\x1b[31m\x07red"),
];

describe("what the gate found", () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "kept-"));
  });
  afterEach(() => rmSync(dir, { recursive: true }));
  const folder = () => keptFolder(dir, sha256("image"));

  it("is taken for the very same inputs, without the outputs", async () => {
    await keepResult(folder(), key, { passed: true, checks });
    const kept = await recallResult(folder(), key);
    assert.deepEqual(kept, {
      passed: true,
      checks: checks.map(({ name, status, detail }) => ({ name, status, detail })),
    });
    assert.equal(await recallResult(folder(), sha256("other")), undefined);
    assert.equal(await recallResult(keptFolder(dir, sha256("other image")), key), undefined);
  });

  it("is never taken when it failed, or when its file says that it passed with a check that failed", async () => {
    await keepResult(folder(), key, { passed: false, checks: [failed("policies: p", "no")] });
    assert.equal(await recallResult(folder(), key), undefined);
    const file = join(folder(), "result.json");
    writeFileSync(file, readFileSync(file, "utf8").replace('"passed": false', '"passed": true'));
    assert.equal(await recallResult(folder(), key), undefined);
    for (const content of ["", "{}", "null", JSON.stringify({ format: 1, key, passed: true, checks: [null] })]) {
      writeFileSync(file, content);
      assert.equal(await recallResult(folder(), key), undefined, content);
    }
  });

  it("has a file for each check, with nothing in it that a terminal acts on", async () => {
    await keepResult(folder(), key, { passed: true, checks });
    assert.deepEqual(readdirSync(folder()).sort(), ["policies-p.txt", "result.json", "smoke-yq.txt", "tests-p.txt"]);
    assert.equal(
      readFileSync(join(folder(), "policies-p.txt"), "utf8"),
      "policies: p: passed\n1 rule\n\nout\tput\nred\n",
    );
    assert.equal(outputFile("smoke: /repos/../x"), "smoke-_repos_.._x.txt");
  });
});
