import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { isUncreated, leftLayers } from "../../../lib/registry/created";

const parent = "urn:pulumi:prod::policy-platform::policychain:index:PolicyRegistry";
const urnOf = (root: string) => `${parent}$gcp:artifactregistry/repository:Repository::registry-${root}`;
const holding = (...roots: string[]) =>
  Object.fromEntries(
    roots.map((root) => [
      urnOf(root),
      { type: "gcp:artifactregistry/repository:Repository", outputs: { repositoryId: `policy-${root}` } },
    ]),
  );
const registry = { kind: "artifactRegistry", prefix: "policy" };
const built = holding("candidates", "layers", "releases");

describe("the repositories in a stack's state", () => {
  it("are yet to be created where releases are not among them, and a state that nobody could read says nothing", () => {
    assert.equal(isUncreated(registry, {}), true);
    assert.equal(isUncreated(registry, holding("candidates", "layers")), true);
    assert.equal(isUncreated(registry, built), false);
    assert.equal(isUncreated(registry, undefined), false);
    assert.equal(isUncreated({ kind: "existing" }, {}), false);
  });

  it("of a stack that built before it promotes hold its layers, which one line lets go", () => {
    const [line, ...others] = leftLayers(registry, built, "prod");
    assert.deepEqual(others, []);
    assert.match(
      line!,
      /^policy-layers leaves this stack, .* unless its last update had protect: false, which deletes it now, it stays in Google Cloud, /,
    );
    assert.ok(line!.endsWith(`: pulumi state unprotect '${urnOf("layers")}' --stack prod`), line);
  });

  it("are let go by the line that the how-to page has", () => {
    const [line] = leftLayers(registry, built, "prod");
    const command = line!.slice(line!.indexOf("pulumi state")).replaceAll(/prod\b/g, "staging");
    assert.ok(readFileSync("docs/how-to/set-up-on-google-cloud.md", "utf8").includes(`\n${command}\n`), command);
  });

  it("hold nothing that must be let go of a stack that always promoted, or with a registry that was there", () => {
    for (const state of [undefined, {}, holding("releases"), { other: { type: "pulumi:pulumi:Stack" } }])
      assert.deepEqual(leftLayers(registry, state, "prod"), []);
    assert.deepEqual(leftLayers({ kind: "existing" }, built, "prod"), []);
    assert.deepEqual(leftLayers({ ...registry, prefix: "other" }, built, "prod"), []);
  });
});
