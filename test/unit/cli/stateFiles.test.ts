import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { dropBrokenAttributes } from "../../../lib/stateFiles";

describe("the attribute files of a file backend", () => {
  const state = mkdtempSync(join(tmpdir(), "state-files-test-"));
  const stacks = join(state, ".pulumi", "stacks", "policy-platform");
  after(() => rmSync(state, { recursive: true, force: true }));

  it("go where they were only begun, and nothing else does", () => {
    assert.deepEqual(dropBrokenAttributes(state), []);
    mkdirSync(stacks, { recursive: true });
    const files = { "dev.json.attrs": "", "prod.json.attrs": '{"user.con', "local.json.attrs": "{}\n", "dev.json": "" };
    for (const [name, text] of Object.entries(files)) writeFileSync(join(stacks, name), text);
    assert.deepEqual(dropBrokenAttributes(state), [
      "stacks/policy-platform/dev.json.attrs",
      "stacks/policy-platform/prod.json.attrs",
    ]);
    assert.deepEqual(
      Object.keys(files).map((name) => existsSync(join(stacks, name))),
      [false, false, true, true],
    );
    assert.deepEqual(dropBrokenAttributes(state), []);
  });
});
