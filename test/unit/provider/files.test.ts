import assert from "node:assert/strict";
import * as fc from "fast-check";
import { perFolder } from "../../../provider/files";
import { UNKNOWN, type Values } from "../../../provider/host";

const filesIn = (folder: string, count: number, digest = "0") =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`${folder}${index}.yaml`, `${digest}${index}`]));

describe("the file list that --diff shows", () => {
  it("is kept as it is up to 500 files", () => {
    const files = filesIn("policies/", 500);
    assert.deepEqual(perFolder(files), files);
  });

  it("is kept per folder beyond that, the deepest folders first", () => {
    const folded = perFolder({ ...filesIn("policies/deep/", 450), ...filesIn("policies/", 51) }) as Values;
    assert.equal(Object.keys(folded).length, 52);
    assert.match(String(folded["policies/deep/"]), /^[0-9a-f]{12}$/);
    assert.equal(folded["policies/0.yaml"], "00");
  });

  it("still tells that one file of a folder changed", () => {
    const before = filesIn("policies/", 600);
    const after = { ...before, "policies/7.yaml": "changed" };
    assert.notDeepEqual(perFolder(before), perFolder(after));
  });

  it("is one line for a flat folder of very many files", () => {
    assert.deepEqual(Object.keys(perFolder(filesIn("", 5000)) as Values), ["./"]);
  });

  it("does not depend on the order of the files", () => {
    const entries = Object.entries({ ...filesIn("a/b/", 300), ...filesIn("a/c/", 300), ...filesIn("d/", 10) });
    const expected = JSON.stringify(perFolder(Object.fromEntries(entries)));
    fc.assert(
      fc.property(fc.shuffledSubarray(entries, { minLength: entries.length }), (shuffled) =>
        assert.equal(JSON.stringify(perFolder(Object.fromEntries(shuffled))), expected),
      ),
      { numRuns: 20 },
    );
  });

  it("stays unknown while it is", () => {
    assert.equal(perFolder(UNKNOWN), UNKNOWN);
  });
});
