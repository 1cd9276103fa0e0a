import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { leftOutFiles } from "../../../lib/policies/tests";
import { refused } from "../../support/refused";

describe("what a source has beside what ships", () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "left-out-"));
    for (const folder of [".git", "a/.kyverno-test", "tests"]) mkdirSync(join(dir, folder), { recursive: true });
    for (const file of [".git/x", "a/p.yaml", "a/.kyverno-test/kyverno-test.yaml", "tests/r.yaml"])
      writeFileSync(join(dir, file), file);
  });
  afterEach(() => rmSync(dir, { recursive: true }));
  const found = () => leftOutFiles(dir, { "a/p.yaml": "x" });

  it("is every file that does not ship, at any depth, but for git's own", () => {
    assert.deepEqual([...found().files.keys()].sort(), ["a/.kyverno-test/kyverno-test.yaml", "tests/r.yaml"]);
  });

  it("is bounded, as it is read at every preview", async () => {
    truncateSync(join(dir, "tests/r.yaml"), 128 * 1024 * 1024 + 1);
    await refused("tests-too-large", found);
  });

  it("has a digest of paths and contents", () => {
    const before = found().digest;
    assert.equal(found().digest, before);
    writeFileSync(join(dir, "tests/r.yaml"), "other");
    const edited = found().digest;
    assert.notEqual(edited, before);
    writeFileSync(join(dir, ".git/x"), "other");
    assert.equal(found().digest, edited);
  });

  it("has the content behind a link to a file inside, and no link that leads elsewhere", () => {
    symlinkSync("../a/p.yaml", join(dir, "tests/inside.yaml"));
    symlinkSync("/etc/passwd", join(dir, "tests/outside.yaml"));
    symlinkSync("nowhere", join(dir, "tests/broken.yaml"));
    symlinkSync("..", join(dir, "tests/folder"));
    symlinkSync("../.git/x", join(dir, "tests/outside-git.yaml"));
    assert.equal(found().files.get("tests/inside.yaml")?.toString(), "a/p.yaml");
    assert.deepEqual(
      [...found().files.keys()].filter((path) => /outside|broken|folder/.test(path)),
      [],
    );
  });

  it("is refused unread when it is larger than tests are", () => {
    writeFileSync(join(dir, "tests/dump"), "");
    truncateSync(join(dir, "tests/dump"), 10 * 2 ** 30);
    assert.throws(found, { code: "tests-too-large" });
  });
});
