import assert from "node:assert/strict";
import fc from "fast-check";
import { canonicalJson, type Json } from "../../lib/canonicalJson";

describe("canonical JSON", () => {
  it("sorts keys at every depth, those that look like numbers too", () => {
    assert.equal(
      canonicalJson({ b: 1, a: { "9": 1, "10": [{ d: 1, c: null }] } }),
      '{"a":{"10":[{"c":null,"d":1}],"9":1},"b":1}',
    );
  });

  it("leaves out what is undefined", () => {
    assert.equal(canonicalJson({ a: undefined, b: 0 }), '{"b":0}');
  });

  it("says the same as JSON, whatever the value", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) =>
        assert.deepEqual(JSON.parse(canonicalJson(value as Json)), JSON.parse(JSON.stringify(value))),
      ),
    );
  });
});
