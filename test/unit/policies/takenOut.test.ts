import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { folderLayerImage } from "../../../lib/oci/layer";
import { leftOutFiles } from "../../../lib/policies/tests";

describe("what a policy folder has beside what it ships", () => {
  /** The paths that the gate gets to look for tests in. */
  async function leftOut(policyignore: string): Promise<string[]> {
    const folder = mkdtempSync(join(tmpdir(), "left-out-"));
    const files = [
      "a/policy.yaml",
      "a/.kyverno-test/kyverno-test.yaml",
      "a/values.yaml",
      "new/b/.kyverno-test/kyverno-test.yaml",
    ];
    for (const path of [...files, "new/b/policy.yaml", "tests/kyverno-test.yaml"]) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), `# ${path}\n`);
    }
    if (policyignore !== "") writeFileSync(join(folder, ".policyignore"), policyignore);
    const { files: shipped } = await folderLayerImage(folder, { at: "/repos/x" });
    return [...leftOutFiles(folder, shipped).files.keys()].filter((path) => path !== ".policyignore").sort();
  }
  const tests = [
    "a/.kyverno-test/kyverno-test.yaml",
    "new/b/.kyverno-test/kyverno-test.yaml",
    "tests/kyverno-test.yaml",
  ];

  it("is its tests, wherever they are", async () => {
    assert.deepEqual(await leftOut(""), tests);
  });

  it("is not the tests of a folder that .policyignore takes out", async () => {
    assert.deepEqual(await leftOut("new/\n"), [tests[0], tests[2]]);
  });

  it("is still the tests where .policyignore names their folder, or every folder that hides", async () => {
    assert.deepEqual(await leftOut("tests/\n.*\n"), tests);
  });

  it("is files that .policyignore names one by one, values of tests above all", async () => {
    assert.deepEqual(await leftOut("*\n!*/\n!policy.yaml\n"), [tests[0], "a/values.yaml", ...tests.slice(1)]);
  });
});
