import assert from "node:assert/strict";
import fc from "fast-check";
import semver from "semver";
import type { Bases } from "../../../lib/pins/baseChanges";
import { bumpBetween, decideVersion, nextVersion, type VersionQuestion } from "../../../lib/pins/bump";
import type { Change } from "../../../lib/pins/change";
import { diffInputs, type StructureChanges } from "../../../lib/pins/diff";
import type { Inputs } from "../../../lib/pins/model";
import { type Bump, type ChangeKind, versionRule } from "../../../lib/pins/rule";
import { times } from "../../support/counts";
import { digestOf, inputsWith } from "./arbitraries";

const before = inputsWith();
const pin = (text: string) => ({ digest: digestOf(text) });
const tool = (text: string, version: string) => ({ digest: digestOf(text), version });
const removedRule: StructureChanges = { "security-policy": { removed: ["rule a of ClusterPolicy b"], added: [] } };
const edited = inputsWith({ repositories: { "security-policy": pin("edited") } });

/** The same image below, other packages on it. */
function packages(old: Record<string, string>, next: Record<string, string>) {
  const base = (apt: Record<string, string>) => ({ image: digestOf("debian"), packages: { apt } });
  return { next: inputsWith({ base: digestOf("installed") }), bases: { old: base(old), next: base(next) } };
}

/** One pair of releases for each row of the table, with the version that must come after v1.2.3. */
const rows: Record<
  ChangeKind,
  { old?: Inputs; next: Inputs; structures?: StructureChanges; bases?: Bases; version: string; reason: string }
> = {
  "package-added": { ...packages({}, { bash: "1" }), version: "v1.2.4", reason: "package added" },
  "package-removed": { ...packages({ bash: "1" }, {}), version: "v1.2.4", reason: "package removed" },
  "package-raised": {
    ...packages({ bash: "5.2.9-1" }, { bash: "5.2.15-1" }),
    version: "v1.2.4",
    reason: "package upgrade",
  },
  "package-lowered": {
    ...packages({ bash: "5.2.15-1" }, { bash: "5.2.15~rc1-1" }),
    version: "v1.2.4",
    reason: "package downgrade",
  },
  "package-changed": {
    ...packages({ bash: "1.0" }, { bash: "1.00" }),
    version: "v1.2.4",
    reason: "package version change",
  },
  "tool-raised": {
    next: inputsWith({ tools: { ...before.tools, yq: tool("yq5", "4.55.0") } }),
    version: "v2.0.0",
    reason: "tool upgrade",
  },
  "tool-lowered": {
    next: inputsWith({ tools: { ...before.tools, yq: tool("yq3", "4.9.0") } }),
    version: "v2.0.0",
    reason: "tool downgrade",
  },
  "tool-changed": {
    next: inputsWith({ tools: { ...before.tools, yq: tool("yq+", "4.54.1+b") } }),
    version: "v2.0.0",
    reason: "tool version change",
  },
  "tool-removed": {
    next: inputsWith({ tools: { kyverno: before.tools.kyverno! } }),
    version: "v2.0.0",
    reason: "tool removed",
  },
  "tool-added": {
    next: inputsWith({ tools: { ...before.tools, helm: tool("helm", "3.19.0") } }),
    version: "v1.3.0",
    reason: "new tool",
  },
  "tool-rebuilt": {
    next: inputsWith({ tools: { ...before.tools, yq: tool("again", "4.54.1") } }),
    version: "v1.2.4",
    reason: "tool rebuilt",
  },
  "repository-removed": {
    next: inputsWith({ repositories: {} }),
    version: "v2.0.0",
    reason: "policy repository removed",
  },
  "repository-added": {
    next: inputsWith({ repositories: { ...before.repositories, other: pin("other") } }),
    version: "v1.3.0",
    reason: "new policy repository",
  },
  "structure-changed": { next: edited, structures: removedRule, version: "v2.0.0", reason: "policy structure change" },
  "policies-updated": { next: edited, version: "v1.2.4", reason: "policy update" },
  "environment-added": {
    next: inputsWith({ artifacts: { environments: ["production", "dev", "staging"] } }),
    version: "v1.3.0",
    reason: "new environment",
  },
  "environment-removed": {
    next: inputsWith({ artifacts: { environments: ["dev"] } }),
    version: "v2.0.0",
    reason: "environment removed",
  },
  "kind-allowed": {
    next: inputsWith({ artifacts: { ...before.artifacts!, allow: ["ConfigMap"] } }),
    version: "v1.3.0",
    reason: "new kind",
  },
  "kind-withdrawn": {
    old: inputsWith({ artifacts: { ...before.artifacts!, allow: ["ConfigMap"] } }),
    next: before,
    version: "v2.0.0",
    reason: "kind withdrawn",
  },
  "bundle-added": {
    next: inputsWith({ bundles: { ...before.bundles, other: { repositories: ["security-policy"] } } }),
    version: "v1.3.0",
    reason: "new bundle",
  },
  "bundle-removed": { next: inputsWith({ bundles: undefined }), version: "v2.0.0", reason: "bundle removed" },
  "bundle-narrowed": {
    next: inputsWith({ bundles: { all: { repositories: ["security-policy"] } } }),
    version: "v2.0.0",
    reason: "bundle narrowed",
  },
  "bundle-widened": {
    next: inputsWith({ bundles: { all: { repositories: ["devops-policy", "more", "security-policy"] } } }),
    version: "v1.3.0",
    reason: "bundle widened",
  },
  "base-changed": { next: inputsWith({ base: digestOf("debian") }), version: "v1.2.4", reason: "base update" },
  "user-changed": { next: inputsWith({ image: { user: "0:0" } }), version: "v1.2.4", reason: "user change" },
  "template-changed": { next: { ...before, format: 2 }, version: "v1.2.4", reason: "template change" },
};

const ask = (question: Partial<VersionQuestion>) => decideVersion({ wanted: "auto", stack: "dev", ...question });
const last = { version: "v1.2.3" };
const patch = diffInputs(before, edited);
const major = diffInputs(before, edited, removedRule);

describe("the version rule", () => {
  for (const [kind, { old = before, next, structures, bases, version, reason }] of Object.entries(rows)) {
    const { when } = versionRule[kind as ChangeKind];
    it(`says ${version} after v1.2.3 when ${when}`, () => {
      const changes = diffInputs(old, next, structures, bases);
      assert.deepEqual(
        changes.map((change) => change.kind),
        [kind],
      );
      const answer = ask({ last, changes });
      assert.deepEqual(answer, {
        version,
        required: versionRule[kind as ChangeKind].bump,
        reason: `v1.2.3 → ${version} (${reason})`,
      });
    });
  }

  it("says v2.0.0 when a repository is renamed, also with equal content", () => {
    const changes = diffInputs(
      before,
      inputsWith({ repositories: { renamed: before.repositories["security-policy"]! } }),
    );
    assert.equal(ask({ last, changes }).reason, "v1.2.3 → v2.0.0 (policy repository removed)");
  });

  it("says v2.0.0 when a tool is renamed", () => {
    const changes = diffInputs(
      before,
      inputsWith({ tools: { kyverno: before.tools.kyverno!, yq4: before.tools.yq! } }),
    );
    assert.equal(ask({ last, changes }).reason, "v1.2.3 → v2.0.0 (tool removed)");
  });

  it("takes the largest step of many changes, and names what asked for it, each reason once", () => {
    const next = inputsWith({
      base: digestOf("debian"),
      tools: { kyverno: tool("k", "1.14.0"), yq: tool("y", "4.55.0"), helm: tool("h", "3.19.0") },
      repositories: {},
    });
    assert.equal(
      ask({ last, changes: diffInputs(before, next) }).reason,
      "v1.2.3 → v2.0.0 (tool upgrade, policy repository removed)",
    );
  });

  it("gives the first release v1.0.0", () => {
    assert.deepEqual(ask({}), { version: "v1.0.0", required: "first", reason: "v1.0.0 (first release)" });
    assert.equal(ask({ wanted: "v3.1.4" }).version, "v3.1.4");
  });

  it("gives no new version when only the gate, clusters or other wiring changed", () => {
    const answer = { version: "v1.2.3", required: "none", reason: "v1.2.3 (unchanged)" };
    assert.deepEqual(ask({ last }), answer);
    assert.deepEqual(ask({ last, wanted: "v1.2.3", holds: "these-inputs" }), answer);
  });

  it("gives the next patch when the pins of an earlier release come back, however large the difference", () => {
    assert.deepEqual(ask({ last, changes: major, earlier: "v1.2.2" }), {
      version: "v1.2.4",
      required: "patch",
      reason: "v1.2.3 → v1.2.4 (back to the pins of v1.2.2)",
    });
  });
});

describe("a version that is set by hand", () => {
  it("may be the one that the rule asks for, or any above it", () => {
    assert.equal(ask({ last, changes: patch, wanted: "v1.2.4" }).reason, "v1.2.3 → v1.2.4 (policy update)");
    assert.deepEqual(ask({ last, changes: patch, wanted: "v2.0.0" }), {
      version: "v2.0.0",
      required: "patch",
      reason: "v1.2.3 → v2.0.0 (policy update, which asks for v1.2.4; the version is set)",
    });
    assert.equal(ask({ last, wanted: "v1.3.0" }).version, "v1.3.0");
  });

  it("is refused when it is too low for what changed, and the right one is named", () => {
    for (const wanted of ["v1.2.4", "v1.3.0", "v1.99.99", "v0.0.1"]) {
      assert.throws(() => ask({ last, changes: major, wanted }), {
        code: "version-too-low",
        message:
          `version ${wanted} is too low: the last release is v1.2.3 (since then: policy structure change); ` +
          "the next version is at least v2.0.0; pulumi config set policy-platform:version v2.0.0 --stack dev",
      });
    }
  });

  it("is refused below the last release, also when nothing changed", () => {
    assert.throws(() => ask({ last, wanted: "v1.2.2" }), { code: "version-too-low" });
  });

  it("is refused when it named other pins before and its tag is gone", () => {
    assert.throws(() => ask({ last, changes: patch, wanted: "v1.2.3" }), {
      code: "version-reused",
      message:
        /^version v1\.2\.3 was released before with other pins; .*pulumi config set policy-platform:version v1\.2\.4 --stack dev$/,
    });
  });

  it("is refused for going back by an old name: latest would move back with it", () => {
    const back = { last, changes: patch, wanted: "v1.2.1", holds: "these-inputs", earlier: "v1.2.1" } as const;
    assert.throws(() => ask(back), { code: "version-reused", message: /v1\.2\.4/ });
  });

  it("stays what it is in a stack whose own release it is, whatever others released since", () => {
    const own = { last, changes: patch, wanted: "v1.2.1", holds: "these-inputs", own: true } as const;
    assert.deepEqual(ask(own), { version: "v1.2.1", required: "none", reason: "v1.2.1 (unchanged)" });
  });

  it("passes when the registry holds it with other pins: the tag's resource tells moved from taken", () => {
    for (const wanted of ["v1.2.3", "v1.2.0"])
      assert.equal(
        ask({ last, changes: patch, wanted, holds: "other-inputs" }).reason,
        `${wanted} (exists with other pins)`,
      );
  });

  it("is refused when it is none", () => {
    for (const wanted of [
      "",
      "1.2.4",
      "v1.2",
      "v1.2.4-rc.1",
      "v1.2.4+b",
      "v01.2.4",
      "latest",
      "v1.2.4\n",
      "v9007199254740991.0.0",
    ])
      assert.throws(() => ask({ last, wanted }), { code: "version-malformed" }, wanted);
  });
});

describe("a foreign image under the highest version", () => {
  const foreign = { version: "v7.0.0", foreign: true };

  it("asks for a version that is set once, by the exact line", () => {
    for (const wanted of ["auto", "v7.0.0", "v6.9.9"]) {
      assert.throws(() => ask({ last: foreign, wanted }), {
        code: "release-foreign",
        message: /v7\.0\.0 is on a foreign image.*; pulumi config set policy-platform:version v7\.0\.1 --stack dev, /,
      });
    }
  });

  it("takes any version above it", () => {
    assert.deepEqual(ask({ last: foreign, wanted: "v7.0.1" }), {
      version: "v7.0.1",
      required: "none",
      reason: "v7.0.0 → v7.0.1 (first release above a foreign image)",
    });
  });
});

describe("the numbers of a version", () => {
  it("refuses each version below the asked one and takes each at or above it, time after time", () => {
    const numbers = fc.tuple(fc.nat(4), fc.nat(4), fc.nat(4)).map((parts) => parts.join("."));
    const bump = fc.constantFrom<Bump>("major", "minor", "patch");
    fc.assert(
      fc.property(numbers, numbers, bump, (from, wanted, step) => {
        const changes = [{ ...patch[0], bump: step } as Change];
        const least = semver.inc(from, step)!;
        const question = () => ask({ last: { version: `v${from}` }, changes, wanted: `v${wanted}` });
        if (semver.gte(wanted, least)) assert.equal(question().version, `v${wanted}`);
        else assert.throws(question, { code: wanted === from ? "version-reused" : "version-too-low" });
      }),
      { numRuns: times(5000) },
    );
  });

  it("names the step between two versions as semver does", () => {
    const numbers = fc.tuple(fc.nat(3), fc.nat(3), fc.nat(3)).map((parts) => parts.join("."));
    fc.assert(
      fc.property(numbers, numbers, (a, b) => {
        assert.equal(bumpBetween(`v${a}`, `v${b}`), semver.diff(a, b) ?? "none");
      }),
    );
    assert.equal(nextVersion("v0.9.9", "minor"), "v0.10.0");
  });
});
