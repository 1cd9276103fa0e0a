// What `kyverno test` prints, read from the real output of 1.13.2 in test/golden/kyverno: a broken file, and one with a row
// of every kind.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { parseTest } from "../../../lib/kyverno/test";
import { anyCharacter } from "../../support/anyCharacter";

const real = readFileSync("test/golden/kyverno/test.txt", "utf8");

describe("the output of kyverno test", () => {
  it("has a reason for each row, and rows of the list of failures are not read twice", () => {
    assert.deepEqual(
      parseTest(real).rows.map(({ rule, resource, result, reason }) => [rule, resource, result, reason].join(" ")),
      [
        "image-tag Pod/good Pass Ok",
        "image-tag Pod/good Pass Want fail, got pass",
        "image-tag Pod/bad Fail Want pass, got fail",
        "gone Pod/good Pass Excluded",
        "image-tag Pod/absent Fail Not found",
      ],
    );
  });

  it("names the file of each row, the files that could not be read, and the summary", () => {
    const { rows, files, errors, summary } = parseTest(real);
    assert.deepEqual([...new Set(rows.map(({ file }) => file))], ["kyverno-test.yaml"]);
    assert.deepEqual(files, ["kyverno-test.yaml"]);
    assert.deepEqual(errors, [
      {
        file: "broken/kyverno-test.yaml",
        message: "error converting YAML to JSON: yaml: line 1: did not find expected node content",
      },
    ]);
    assert.deepEqual(summary, { passed: 3, failed: 2 });
  });

  it("has no summary when the run broke off, and tells the file that it had begun", () => {
    const broken = parseTest("Loading test a name ( /t/kyverno-test.yaml ) ...\n  Loading policies ...\n");
    assert.deepEqual(broken, { rows: [], files: ["/t/kyverno-test.yaml"], errors: [] });
  });

  it("knows rows of tables with other widths and signs in the reason", () => {
    const row = "│ 12 │ p │ r │ ns/Pod/x │ Fail │ Want a│b │\n";
    assert.equal(parseTest(`Loading test  ( f ) ...\n${row}`).rows[0]!.reason, "Want a│b");
  });

  it("never throws, whatever is printed", () => {
    fc.assert(fc.property(fc.string({ unit: anyCharacter }), (text) => void parseTest(text)));
  });
});
