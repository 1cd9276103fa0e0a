import assert from "node:assert/strict";
import { shortDigest } from "../../../lib/oci/digest";
import { baseChanges } from "../../../lib/pins/baseChanges";
import { digestOf } from "./arbitraries";

const [old, next, debian, newer] = ["old", "next", "debian", "newer"].map(digestOf);
const lines = (bases: Parameters<typeof baseChanges>[2]) =>
  baseChanges(old!, next!, bases).map(({ name, text, bump }) => `${name} | ${text} | ${bump}`);
const short = (digest: typeof old) => shortDigest(digest!);

describe("a base with packages that changed", () => {
  it("is named package by package, with the image below", () => {
    const was = { image: debian!, packages: { apt: { bash: "5.2.9-1", curl: "7.88", tar: "1.34" } } };
    const is = { image: newer!, packages: { apt: { bash: "5.2.15-1", jq: "1.6", tar: "1.34" } } };
    assert.deepEqual(lines({ old: was, next: is }), [
      `base.image | base image: ${short(debian)} → ${short(newer)} (base update) | patch`,
      "base.packages.apt.bash | base packages.apt.bash: 5.2.9-1 → 5.2.15-1 (package upgrade) | patch",
      "base.packages.apt.curl | base packages.apt.curl: 7.88 (package removed) | patch",
      "base.packages.apt.jq | base packages.apt.jq: 1.6 (package added) | patch",
    ]);
  });

  it("shows what came onto a base that had none", () => {
    assert.deepEqual(lines({ next: { image: old!, packages: { apk: { bash: "5.2.37-r0" } } } }), [
      "base.packages.apk.bash | base packages.apk.bash: 5.2.37-r0 (package added) | patch",
    ]);
  });

  it("is shown as a whole where one of the two does not say what it is made of, or both say the same", () => {
    const base = { image: debian!, packages: { apt: { bash: "1" } } };
    const whole = `base.image | base image: ${short(old)} → ${short(next)} (base update`;
    assert.deepEqual(lines({}), [`${whole}) | patch`]);
    assert.deepEqual(lines({ old: base }), [`${whole}) | patch`]);
    assert.deepEqual(lines({ old: base, next: base }), [`${whole}: built again) | patch`]);
  });

  it("does not fill the screen with hundreds of packages", () => {
    const many = Object.fromEntries(Array.from({ length: 300 }, (_, at) => [`p${at}`, "1"]));
    const packages = { image: debian!, packages: { apt: many } };
    assert.deepEqual(lines({ old: { image: debian!, packages: {} }, next: packages }), [
      `base.image | base image: ${short(old)} → ${short(next)} (base update: 300 packages) | patch`,
    ]);
  });

  it("is nothing while the base is the same", () => {
    assert.deepEqual(baseChanges(old!, old!, { next: { image: debian!, packages: {} } }), []);
  });
});
