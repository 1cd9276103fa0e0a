import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import fc from "fast-check";
import { comparePackageVersions } from "../../../lib/base/packageOrder";
import { times } from "../../support/counts";

const sign = (value: number) => Math.sign(value);

describe("versions of packages", () => {
  it("are ordered as their managers order them", () => {
    const ordered = [
      ["1.0~rc1-1", "1.0-1"],
      ["1.0-1", "1.0-1+b7"],
      ["1.0-1", "1.0-2"],
      ["5.2.9-1", "5.2.15-2"],
      ["9.9", "1:0.1"],
      ["1.0a", "1.0+"],
      ["5.2.37_rc1-r0", "5.2.37-r0"],
      ["5.2.37-r0", "5.2.37-r1"],
      ["5.2.37-r9", "5.2.37-r10"],
    ] as const;
    for (const [older, newer] of ordered) {
      assert.ok(comparePackageVersions(older, newer) < 0, `${older} < ${newer}`);
      assert.ok(comparePackageVersions(newer, older) > 0, `${newer} > ${older}`);
    }
    for (const [one, other] of [
      ["1.0", "1.00"],
      ["1.0", "1.0-0"],
      ["0:1.0", "1.0"],
    ] as const)
      assert.equal(comparePackageVersions(one, other), 0, `${one} = ${other}`);
  });

  it("have the order that dpkg gives them", () => {
    const piece = fc.constantFrom("0", "1", "9", "10", "007", ".", "~", "+", "a", "Z", "rc");
    const version = fc.array(piece, { maxLength: 6 }).map((pieces) => `1${pieces.join("")}`);
    const revised = fc
      .tuple(version, fc.option(version, { nil: undefined }))
      .map((parts) => parts.filter(Boolean).join("-"));
    const dpkg = (a: string, relation: string, b: string) =>
      spawnSync("dpkg", ["--compare-versions", a, relation, b]).status === 0;
    fc.assert(
      fc.property(revised, revised, (a, b) => {
        const expected = dpkg(a, "lt", b) ? -1 : dpkg(a, "gt", b) ? 1 : 0;
        assert.equal(sign(comparePackageVersions(a, b)), expected, `${a} ${b}`);
      }),
      { numRuns: times(200) },
    );
  }).timeout(30_000);
});
