import assert from "node:assert/strict";
import * as fc from "fast-check";
import { diffInputs, secret, UNKNOWN, type Values } from "../../../provider/host";
import { topLevel } from "../../../provider/host/diff";

const changes = (before: Values, after: Values, ignore: string[] = []) => diffInputs(before, after, { ignore }).changes;

describe("the detailed diff of two sets of inputs", () => {
  it("is empty when nothing changed, whatever is in there", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
        assert.deepEqual(changes(value as Values, structuredClone(value) as Values), {});
      }),
    );
  });

  it("names added, deleted and updated properties", () => {
    assert.deepEqual(changes({ a: 1, b: 2, same: 3 }, { a: 9, c: 4, same: 3 }), { a: "update", b: "delete", c: "add" });
  });

  it("goes as deep as both sides have the same shape", () => {
    const before = { tools: { yq: { version: "1" } }, list: ["a", "b"], mixed: { a: 1 } };
    const after = { tools: { yq: { version: "2" } }, list: ["a", "c", "d"], mixed: [1] };
    assert.deepEqual(changes(before, after), {
      "tools.yq.version": "update",
      "list[1]": "update",
      "list[2]": "add",
      mixed: "update",
    });
  });

  it("writes file names as the engine's property paths do", () => {
    const before = { files: { "policies/b.yaml": "1", 'a"b': "1", plain: "1" } };
    const after = { files: { "policies/b.yaml": "2", 'a"b': "2", plain: "2" } };
    assert.deepEqual(Object.keys(changes(before, after)), [
      'files["policies/b.yaml"]',
      'files["a\\"b"]',
      "files.plain",
    ]);
  });

  it("takes null, undefined and absence for one", () => {
    assert.deepEqual(changes({ a: null, b: undefined }, { c: null }), {});
    assert.deepEqual(changes({ a: null }, { a: 1 }), { a: "add" });
  });

  it("takes a secret for its value and an unknown for a change", () => {
    assert.deepEqual(changes({ a: secret("x") }, { a: "x" }), {});
    assert.deepEqual(changes({ a: "x", b: { c: "y" } }, { a: secret(UNKNOWN), b: { c: UNKNOWN }, d: UNKNOWN }), {
      a: "update",
      "b.c": "update",
      d: "add",
    });
  });

  it("does not look at ignored paths nor below them", () => {
    const before = { folder: { path: "a", at: "/x" }, mirrors: { a: "1" } };
    const after = { folder: { path: "b", at: "/x" }, mirrors: { a: "2", b: "3" } };
    assert.deepEqual(changes(before, after, ["folder.path", "mirrors"]), {});
  });

  it("knows the property that a path is below", () => {
    assert.equal(topLevel('files["policies/b.yaml"]'), "files");
    assert.equal(topLevel("list[2]"), "list");
    assert.equal(topLevel("tools.yq.version"), "tools");
  });
});
