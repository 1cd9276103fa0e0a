// The guess at the number of rules that Kyverno sees. What it says of the sample policies was counted by Kyverno 1.13.2, as
// test/provider/gatePolicies.test.ts does; here the cases that its source tells apart.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { parse, parseAllDocuments } from "yaml";
import { countRules } from "../../../lib/kyverno/ruleCount";

const rule = (more: object) => ({ name: "r", validate: { message: "m", pattern: {} }, ...more });
const policy = (rules: object[], annotations: object = {}) => ({
  apiVersion: "kyverno.io/v1",
  kind: "ClusterPolicy",
  metadata: { name: "p", annotations },
  spec: { rules },
});
const of = (kinds: string[], more: object = {}) => ({ any: [{ resources: { kinds, ...more } }] });
const likely = (...args: Parameters<typeof policy>) => countRules(policy(...args))?.likely;

describe("the number of rules that kyverno is likely to see", () => {
  it("is what Kyverno counts in the sample policies", () => {
    const folder = "policies/security-policy/policies";
    const counts = readdirSync(folder).flatMap((file) =>
      parseAllDocuments(readFileSync(`${folder}/${file}`, "utf8")).map((one) => countRules(one.toJS())?.likely ?? 0),
    );
    assert.equal(
      counts.reduce((sum, count) => sum + count, 0),
      44,
    );
  });

  it("has two more for each rule about Pods, and none for other kinds, selectors, names and generated objects", () => {
    assert.equal(likely([rule({ match: of(["Pod"]) })]), 3);
    assert.equal(likely([rule({ match: of(["v1/Pod"]) }), rule({ match: of(["Pod"]) })]), 6);
    assert.equal(likely([rule({ match: of(["Service"]) })]), 1);
    assert.equal(likely([rule({ match: of(["Pod", "Deployment"]) })]), 1);
    assert.equal(likely([rule({ match: of(["Pod"], { selector: {} }) })]), 1);
    assert.equal(likely([rule({ match: of(["Pod"], { names: ["x"] }) })]), 1);
    assert.equal(likely([rule({ match: of(["Pod"]) }), { name: "g", match: of(["Namespace"]), generate: {} }]), 2);
    assert.equal(likely([rule({ match: of(["Pod"]), exclude: of(["Service"]) })]), 1);
  });

  it("follows the annotation that names controllers", () => {
    const annotated = (value: string) =>
      likely([rule({ match: of(["Pod"]) })], { "pod-policies.kyverno.io/autogen-controllers": value });
    assert.deepEqual(["none", "Deployment", "CronJob", "Deployment,CronJob"].map(annotated), [1, 2, 2, 3]);
  });

  it("is one for each policy in CEL, also of a kind that the pinned Kyverno may not know", () => {
    for (const [apiVersion, kind] of [
      ["policies.kyverno.io/v1alpha1", "ValidatingPolicy"],
      ["policies.kyverno.io/v1", "NamespacedImageValidatingPolicy"],
      ["admissionregistration.k8s.io/v1beta1", "MutatingAdmissionPolicy"],
      ["kyverno.io/v9", "ClusterPolicies"],
    ])
      assert.deepEqual(countRules({ apiVersion, kind, metadata: { name: "p" } }), { name: "p", written: 1, likely: 1 });
    for (const kind of ["PolicyException", "ClusterCleanupPolicy", "GlobalContextEntry"])
      assert.equal(countRules({ apiVersion: "kyverno.io/v2", kind }), undefined);
    assert.equal(countRules({ apiVersion: "example.com/v1", kind: "Policy", spec: { rules: [{}] } }), undefined);
  });

  it("is one for an admission policy of Kubernetes, and nothing for what has no rules", () => {
    assert.equal(countRules({ kind: "ValidatingAdmissionPolicy", metadata: { name: "v" } })?.likely, 1);
    for (const other of [{ kind: "ConfigMap" }, null, [], "x", parse("a: [1]")])
      assert.equal(countRules(other), undefined);
    assert.deepEqual(countRules({ kind: "Policy", spec: { rules: "x" } }), { name: "", written: 0, likely: 0 });
  });
});
