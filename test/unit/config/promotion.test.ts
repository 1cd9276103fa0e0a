import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseBuildSettings, parseSettings, problemsOf } from "../../../config/parse";

const digest = `sha256:${"a".repeat(64)}`;
const promotion = {
  from: "registry.example.com/dev/releases/policy-platform",
  version: "v1.4.2",
  digest,
  commit: "0123456789ab",
};
const registry = { address: "registry.example.com/prod" };
const context = { stack: "prod", projectDir: mkdtempSync(join(tmpdir(), "promotion-")) };

after(() => rmSync(context.projectDir, { recursive: true }));

function found(raw: Record<string, unknown>) {
  return problemsOf(raw, context).map(({ key, code }) => `${key} ${code}`);
}

describe("a stack that promotes", () => {
  it("needs a registry and a release, and nothing of what a build needs", () => {
    const settings = parseSettings({ registry, promotion }, context);
    assert.deepEqual(settings.promotion, { ...promotion, artifacts: {}, rollback: false });
    assert.equal(settings.image.name, "policy-platform");
    assert.equal("tools" in settings, false);
  });

  it("is told every key that stands beside the promotion, with the line that removes it", () => {
    const raw = {
      registry: {
        kind: "artifactRegistry",
        project: "acme-prod",
        location: "europe-west1",
        cleanup: { olderThan: "14d" },
      },
      promotion,
      version: "v1.4.2",
      image: { user: "0:0" },
      base: { image: "no reference" },
      tools: { yq: { version: 1.1 } },
      policies: {},
      gate: { smoke: { timeout: "1 year" } },
      artifacts: {},
      bundles: {},
      source: "x",
      mirrors: {},
    };
    const problems = problemsOf(raw, context);
    assert.deepEqual([...new Set(problems.map(({ code }) => code))], ["promotion-beside"]);
    const keys = problems.map(({ key }) => key.replace("policy-platform:", "")).sort();
    assert.deepEqual(
      keys,
      [
        ...Object.keys(raw).filter((key) => !/^(registry|promotion|image)$/.test(key)),
        "image.user",
        "registry.cleanup",
      ].sort(),
    );
    assert.equal(
      problems.find(({ key }) => key === "policy-platform:version")?.fix,
      "pulumi config rm 'policy-platform:version' --stack prod",
    );
  });

  it("may have the version that the project gives to every stack, and not that very text in its own file", () => {
    const projectDir = mkdtempSync(join(tmpdir(), "promotion-"));
    try {
      const raw = { registry, promotion, version: "auto" };
      const file = join(projectDir, "Pulumi.prod.yaml");
      writeFileSync(file, "config:\n  policy-platform:promotion: {}\n");
      assert.deepEqual(problemsOf(raw, { stack: "prod", projectDir }), []);
      writeFileSync(file, "config:\n  policy-platform:version: auto\n");
      assert.deepEqual(
        problemsOf(raw, { stack: "prod", projectDir }).map(({ code }) => code),
        ["promotion-beside"],
      );
    } finally {
      rmSync(projectDir, { recursive: true });
    }
  });

  it("is told what is wrong with each part of a promotion, all at once", () => {
    const wrong = {
      from: "https://registry.example.com/releases:v1",
      version: "auto",
      digest: "sha256:AB",
      commit: "main",
      rollback: "yes",
      stack: "dev",
    };
    assert.deepEqual(found({ registry, promotion: wrong }), [
      "policy-platform:promotion.commit commit-malformed",
      "policy-platform:promotion.digest digest-malformed",
      "policy-platform:promotion.from repository-malformed",
      "policy-platform:promotion.rollback value-wrong",
      "policy-platform:promotion.stack stack-malformed",
      "policy-platform:promotion.version version-moving",
    ]);
  });

  it("is told the line that writes a whole promotion where a part is missing", () => {
    const part = { from: promotion.from, stack: "organization/policy-platform/staging" };
    const problems = problemsOf({ registry, promotion: part }, context);
    assert.equal(problems.length, 3);
    for (const { fix } of problems) assert.equal(fix, "policy-platform promote staging prod");
  });

  it("is told first that promotion is misspelt, and then what a stack that builds lacks", () => {
    const [first, ...rest] = problemsOf({ registry, promtion: promotion, signatures: {} }, context);
    assert.match(first!.what, /^policy-platform:promtion is no known key; did you mean promotion\?$/);
    assert.equal(first!.meant, "policy-platform:promotion");
    const keys = rest.map(({ key, code }) => `${key} ${code}`);
    assert.deepEqual(keys, [
      "policy-platform:base key-missing",
      "policy-platform:policies key-missing",
      "policy-platform:signatures key-unknown",
    ]);
  });

  it("is told first which of its keys is misspelt, and then that it is missing", () => {
    const { digest: its, ...others } = promotion;
    assert.deepEqual(found({ registry, promotion: { ...others, digset: its } }), [
      "policy-platform:promotion.digset key-unknown",
      "policy-platform:promotion.digest key-missing",
    ]);
  });

  it("is told the source's host in lower case, the only one that it is written in", () => {
    const [wrong] = problemsOf({ registry, promotion: { ...promotion, from: "GHCR.io/acme/releases/p:v1" } }, context);
    assert.match(wrong!.fix, /'ghcr\.io\/acme\/releases\/p'/);
  });

  it("takes the whole hash of a commit, the tag's part of it, and that of a local stack", () => {
    for (const commit of ["0123456789ab", "0123456789ab-01234567", "a".repeat(40), "b".repeat(64)])
      assert.deepEqual(found({ registry, promotion: { ...promotion, commit } }), []);
    for (const commit of ["0123456", "sha-0123456789ab", "0123456789AB", "0123456789ab-1"])
      assert.deepEqual(found({ registry, promotion: { ...promotion, commit } }), [
        "policy-platform:promotion.commit commit-malformed",
      ]);
  });

  it("says that it builds nothing to a verb that looks at a build", () => {
    assert.throws(() => parseBuildSettings({ registry, promotion }, context), { code: "stack-promotes" });
  });
});
