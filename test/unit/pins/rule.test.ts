import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { largestBump, versionRuleTable } from "../../../lib/pins/rule";

describe("docs/version-rule.md", () => {
  it("shows the table that the program goes by", () => {
    const page = readFileSync(join(__dirname, "..", "..", "..", "docs", "version-rule.md"), "utf8");
    assert.ok(page.includes(versionRuleTable()), `put this table into docs/version-rule.md:\n${versionRuleTable()}`);
  });
});

describe("the largest of several steps", () => {
  it("is major before minor before patch, and none of none", () => {
    assert.equal(largestBump(["patch", "major", "minor"]), "major");
    assert.equal(largestBump(["patch", "minor"]), "minor");
    assert.equal(largestBump([]), undefined);
  });
});
