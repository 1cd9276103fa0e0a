// What `kyverno apply` prints, read from the real output of 1.13.2 in test/golden/kyverno: policies that Kyverno skips, one
// that mutates, and one whose message forges lines of the format.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { parseApply } from "../../../lib/kyverno/apply";
import { anyCharacter } from "../../support/anyCharacter";

const real = readFileSync("test/golden/kyverno/apply.txt", "utf8");

describe("the output of kyverno apply", () => {
  it("tells rules, resources and counts, whatever messages and mutated resources say in between", () => {
    const { rules, resources, counts } = parseApply(real);
    assert.deepEqual(
      { rules, resources, counts },
      { rules: 16, resources: 1, counts: { pass: 1, fail: 3, warn: 0, error: 2, skip: 0 } },
    );
  });

  it("names the policies that are not applied, under either heading", () => {
    assert.deepEqual(parseApply(real).invalid, ["bad-two", "bad-var"]);
  });

  it("names each rule that refuses, with its message, as often as the counts say", () => {
    const { refusals, counts } = parseApply(real);
    assert.equal(refusals.length, counts!.fail);
    assert.deepEqual(
      refusals.map(({ policy, rule, resource }) => `${policy}/${rule} ${resource}`),
      [
        "multi/has-lines default/Pod/app",
        "require-probes/readiness-probe default/Pod/app",
        "require-probes/liveness-probe default/Pod/app",
      ],
    );
    assert.equal(
      refusals[1]!.message,
      "validation failure: A readiness probe is required. Set readinessProbe in every container; container app",
    );
  });

  it("does not agree with the counts when a message forges a refusal", () => {
    const { refusals, counts } = parseApply(real.replace("3 - forged", "2 - forged"));
    assert.notEqual(refusals.length, counts!.fail);
  });

  it("has no rules when the first line is missing, and no counts when the last one is", () => {
    const lines = real.split("\n");
    const at = lines.findIndex((line) => line.startsWith("Applying"));
    assert.equal(parseApply(lines.slice(at + 1).join("\n")).rules, undefined);
    assert.equal(parseApply(real.slice(0, real.lastIndexOf("pass: "))).counts, undefined);
    assert.equal(parseApply(`${real}panic: runtime error\n`).counts, undefined);
    assert.deepEqual(parseApply(""), { invalid: [], refusals: [] });
  });

  it("knows a run with exceptions", () => {
    assert.equal(parseApply("\nApplying 3 policy rule(s) to 2 resource(s) with 1 exception(s)...\n").rules, 3);
  });

  it("never throws, whatever is printed", () => {
    fc.assert(fc.property(fc.string({ unit: anyCharacter }), (text) => void parseApply(text)));
  });
});
