// The sample repository's form: what Kyverno would not complain about, but a reader, a cluster or a release would.
// What the rules do is shown by the real CLI, in test/e2e/policies.test.ts.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { folderLayerImage } from "../../../lib/oci/layer";
import { policyFiles, securityPolicy, suites } from "../../support/policyRepository";

const files = policyFiles(securityPolicy);
const policies = [...files.values()].flat();
const tests = suites(securityPolicy);
const rules = policies.flatMap((policy) =>
  policy.spec.rules.map((rule) => ({ policy, rule, id: `${policy.metadata.name}/${rule.name}` })),
);

describe("the sample repository security-policy", () => {
  it("has at least eight policies, one a file, named like the file", () => {
    assert.ok(files.size >= 8, `${files.size} files`);
    for (const [file, documents] of files) {
      assert.deepEqual(
        documents.map(({ apiVersion, kind, metadata }) => `${apiVersion} ${kind} ${metadata.name}.yaml`),
        [`kyverno.io/v1 ClusterPolicy ${file}`],
      );
    }
  });

  it("says of every policy what it is, how grave, and for which Kyverno", () => {
    for (const { metadata } of policies) {
      const of = (key: string) => metadata.annotations[`policies.kyverno.io/${key}`] ?? "";
      for (const key of ["title", "category", "subject"]) assert.ok(of(key).length > 2, `${metadata.name}: ${key}`);
      assert.match(of("severity"), /^(low|medium|high|critical)$/, metadata.name);
      assert.equal(of("minversion"), "1.13.0", metadata.name);
      assert.ok(of("description").length > 80, `${metadata.name}: a description that says why`);
    }
    assert.equal(
      new Set(policies.map(({ metadata }) => metadata.annotations["policies.kyverno.io/title"])).size,
      policies.length,
    );
  });

  it("states the action in each rule, as Kyverno 1.13 wants it, and scans in the background too", () => {
    for (const { policy, rule, id } of rules) {
      assert.match(rule.validate.failureAction ?? "", /^(Enforce|Audit)$/, id);
      assert.ok((rule.validate.message ?? "").length > 20, `${id}: a message that says what to change`);
      assert.equal(policy.spec.validationFailureAction, undefined, "deprecated since 1.13");
      assert.equal(policy.spec.background, true, id);
      assert.equal(
        policy.spec.emitWarning ?? false,
        rule.validate.failureAction === "Audit",
        `${id}: what is only audited warns`,
      );
    }
  });

  it("has no two rules of one name", () => {
    const names = rules.map(({ rule }) => rule.name);
    assert.deepEqual(
      names.filter((name, index) => names.indexOf(name) !== index),
      [],
    );
  });

  it("looks at creation and change only, and at one kind a rule, so that Kyverno derives the rules for controllers", () => {
    for (const { rule, id } of rules) {
      for (const { resources } of rule.match.any) {
        assert.deepEqual(resources.operations, ["CREATE", "UPDATE"], id);
        assert.equal(resources.kinds.length, 1, id);
      }
    }
  });

  it("covers init and ephemeral containers wherever it looks at containers, but for reasons known", () => {
    const leftOut: Record<string, string[]> = {
      ephemeralContainers: [
        "requests",
        "memory-limit",
        "readiness-probe",
        "liveness-probe",
        "read-only-root-filesystem",
      ],
      initContainers: ["readiness-probe", "liveness-probe"],
    };
    for (const kind of ["initContainers", "ephemeralContainers"]) {
      const missing = rules.filter(({ rule }) => {
        const { message, ...conditions } = rule.validate;
        const text = JSON.stringify(conditions);
        return /\bcontainers\b/.test(text) && !text.includes(kind);
      });
      assert.deepEqual(missing.map(({ rule }) => rule.name).sort(), leftOut[kind]!.sort(), kind);
    }
  });

  it("has a suite for each policy, and none for a policy that is gone", () => {
    assert.deepEqual([...tests.keys()].sort(), policies.map(({ metadata }) => metadata.name).sort());
    for (const [name, suite] of tests) assert.deepEqual(suite.policies, [`../../policies/${name}.yaml`]);
  });

  it("tests each rule with resources that pass and that fail, and on a controller", () => {
    for (const { policy, rule, id } of rules) {
      const rows = tests.get(policy.metadata.name)!.results.filter((row) => row.rule === rule.name);
      const results = new Set(rows.map(({ result }) => result));
      assert.ok(results.has("pass") && results.has("fail"), `${id}: pass and fail rows`);
      if (rule.match.any[0]!.resources.kinds[0] === "Pod") {
        assert.ok(
          rows.some(({ kind }) => kind !== "Pod"),
          `${id}: a row with a controller`,
        );
      }
    }
  });

  it("tests each rule that looks at init or ephemeral containers with a resource where only such a one is wrong", () => {
    for (const { policy, rule, id } of rules) {
      const text = JSON.stringify(rule.validate);
      const violating = tests
        .get(policy.metadata.name)!
        .resources.filter(({ metadata }) => metadata.labels?.violates === rule.name);
      for (const kind of ["initContainers", "ephemeralContainers"]) {
        if (!text.includes(`${kind},`) && !text.includes(`(${kind})`)) continue;
        assert.ok(
          violating.some((resource) => JSON.stringify(resource).includes(kind)),
          `${id}: no failing resource with ${kind}`,
        );
      }
    }
  });

  it("names in each row a resource that is there, and leaves no resource out", () => {
    for (const [name, { results, resources }] of tests) {
      const there = resources.map(({ kind, metadata }) => `${kind}/${metadata.name}`);
      const named = new Set(results.flatMap((row) => row.resources.map((resource) => `${row.kind}/${resource}`)));
      assert.equal(new Set(there).size, there.length, `${name}: two resources of one name`);
      assert.deepEqual([...named].sort(), [...there].sort(), name);
      assert.deepEqual([...new Set(results.map(({ policy }) => policy))], [name]);
    }
  });

  it("marks each resource that must fail with the rule it violates, and checks it strictly", () => {
    for (const [name, { results, resources, checks }] of tests) {
      const expected = results
        .filter(({ result }) => result === "fail")
        .flatMap((row) => row.resources.map((r) => `${row.kind}/${r} ${row.rule}`));
      const marked = resources.flatMap(({ kind, metadata }) => {
        const rule = metadata.labels?.violates;
        return rule === undefined ? [] : [`${kind}/${metadata.name} ${rule}`];
      });
      assert.deepEqual(marked.sort(), expected.sort(), name);
      assert.deepEqual(
        checks.map(({ match, assert: { status } }) => `${match.resource.metadata.labels?.violates} ${status}`).sort(),
        [...new Set(marked.map((line) => `${line.split(" ")[1]} fail`))].sort(),
        name,
      );
    }
  });

  it("ships its policies and nothing else", async () => {
    const image = await folderLayerImage(securityPolicy, { at: "/repos/security-policy" });
    assert.deepEqual(Object.keys(image.files), [...files.keys()].map((file) => `policies/${file}`).sort());
  });

  it("has nothing but policies where policies are", () => {
    assert.deepEqual(
      readdirSync(join(securityPolicy, "policies")).filter((file) => !file.endsWith(".yaml")),
      [],
    );
  });

  it("lists its policies, rules and actions in its README as they are", () => {
    const readme = readFileSync(join(securityPolicy, "README.md"), "utf8");
    const listed = [...readme.matchAll(/^\| `(\S+)` +\| (.*?) +\| (\w+) +\|$/gm)].map(
      ([, policy, names, action]) => `${policy}: ${names} ${action}`,
    );
    const real = policies.map(({ metadata, spec }) => {
      const names = spec.rules.map(({ name }) => `\`${name}\``).join(", ");
      return `${metadata.name}: ${names} ${spec.rules[0]!.validate.failureAction}`;
    });
    assert.deepEqual(listed.sort(), real.sort());
  });
});
