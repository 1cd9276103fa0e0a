// Policies of an image held against those of an artifact.
import assert from "node:assert/strict";
import fc from "fast-check";
import { compareParity, type IdentifiedPolicy, type ImagePolicy, standingOf } from "../../../lib/flux/parity";
import { sha256 } from "../../../lib/oci/digest";

const policy = (name: string, more: Partial<IdentifiedPolicy> = {}): IdentifiedPolicy => ({
  apiVersion: "kyverno.io/v1",
  kind: "ClusterPolicy",
  namespace: "",
  name,
  path: `team/${name}.yaml`,
  spec: sha256(name),
  rules: ["one", "two"],
  autogen: "",
  ...more,
});
const checked = (one: IdentifiedPolicy, standing: ImagePolicy["standing"] = "applied"): ImagePolicy => ({
  ...one,
  standing,
});

describe("parity of an image and an artifact", () => {
  it("is there when both have the same policies, wherever they stand", () => {
    const [a, b] = [policy("a"), policy("b")];
    const found = compareParity([checked(a), checked(b)], [{ ...b, path: "elsewhere.yaml" }, a]);
    assert.deepEqual(found, { policies: 2, rules: 4, unchecked: [], carried: [], differences: [] });
  });

  it("counts apart what nobody could check and what kyverno apply is not for", () => {
    const [a, b] = [policy("a"), policy("b")];
    const exception = policy("c", {
      apiVersion: "kyverno.io/v2",
      kind: "PolicyException",
      namespace: "shop",
      rules: [],
    });
    const found = compareParity(
      [checked(a), checked(b, "unchecked"), checked(exception, "carried")],
      [a, b, exception],
    );
    assert.deepEqual(found, {
      policies: 1,
      rules: 2,
      unchecked: ["ClusterPolicy b"],
      carried: ["PolicyException shop/c"],
      differences: [],
    });
  });

  it("names what only one side has, what differs, and what nobody ran", () => {
    const [a, b, c, d] = [policy("a"), policy("b"), policy("c"), policy("d")];
    const other = { ...c, spec: sha256("other"), rules: ["one", "three"] };
    const { differences, policies } = compareParity([checked(a), checked(c), checked(d, "missed")], [b, other, d]);
    assert.equal(policies, 0);
    assert.deepEqual(differences, [
      { policy: "ClusterPolicy a", kind: "onlyImage", path: "team/a.yaml", rules: ["one", "two"] },
      { policy: "ClusterPolicy b", kind: "onlyArtifact", path: "team/b.yaml", rules: ["one", "two"] },
      { policy: "ClusterPolicy c", kind: "differs", path: "team/c.yaml", rules: ["two", "three"] },
      { policy: "ClusterPolicy d", kind: "missed", path: "team/d.yaml", rules: ["one", "two"] },
    ]);
  });

  it("is not there where Kyverno would make other rules of the same ones", () => {
    const { differences } = compareParity([checked(policy("a"))], [policy("a", { autogen: "none" })]);
    assert.deepEqual(differences, [{ policy: "ClusterPolicy a", kind: "differs", path: "team/a.yaml", rules: [] }]);
  });

  it("tells policies apart as a cluster does", () => {
    const own = (namespace: string) => policy("a", { kind: "Policy", namespace });
    const one = compareParity([checked(own("x"))], [own("y")]);
    assert.deepEqual(
      one.differences.map(({ policy, kind }) => [policy, kind]),
      [
        ["Policy x/a", "onlyImage"],
        ["Policy y/a", "onlyArtifact"],
      ],
    );
    // A namespace says nothing of what the whole cluster has once.
    const global = compareParity([checked(policy("a", { namespace: "x" }))], [policy("a")]);
    assert.deepEqual(global.differences, []);
    const twice = compareParity([checked(policy("a")), checked(policy("a", { spec: sha256("b") }))], [policy("a")]);
    assert.deepEqual(
      twice.differences.map(({ kind }) => kind),
      ["differs"],
    );
  });

  it("is no matter of objects that are no policies", () => {
    const map = policy("a", { apiVersion: "v1", kind: "ConfigMap", rules: [] });
    assert.deepEqual(compareParity([], [map]).differences, []);
  });

  it("is lost by any one change, and that change alone is named", () => {
    const names = fc.uniqueArray(fc.stringMatching(/^[a-z]{1,6}$/), { minLength: 1, maxLength: 12 });
    const changes = fc.constantFrom("remove", "add", "spec", "rule", "order", "apiVersion");
    fc.assert(
      fc.property(names, fc.nat(), changes, (all, at, change) => {
        const image = all.map((name) => policy(name));
        const index = at % all.length;
        const changed: Record<typeof change, (one: IdentifiedPolicy) => IdentifiedPolicy[]> = {
          remove: () => [],
          add: (one) => [one, { ...one, name: `${one.name}-more` }],
          spec: (one) => [{ ...one, spec: sha256("changed") }],
          rule: (one) => [{ ...one, rules: [...one.rules, "three"] }],
          order: (one) => [{ ...one, rules: [...one.rules].reverse() }],
          apiVersion: (one) => [{ ...one, apiVersion: "kyverno.io/v2beta1" }],
        };
        const artifact = image.flatMap((one, number) => (number === index ? changed[change](one) : [one]));
        const equal = compareParity(
          image.map((one) => checked(one)),
          [...image].reverse(),
        );
        assert.deepEqual(equal.differences, []);
        assert.equal(equal.policies, all.length);
        const { differences, policies } = compareParity(
          image.map((one) => checked(one)),
          artifact,
        );
        assert.equal(differences.length, 1);
        assert.equal(policies, change === "add" ? all.length : all.length - 1);
        assert.equal(differences[0]!.policy, `ClusterPolicy ${all[index]}${change === "add" ? "-more" : ""}`);
      }),
    );
  });

  it("asks of a policy what kyverno apply did with it", () => {
    const known = { wasApplied: true, unchecked: ["far"] };
    assert.equal(standingOf(policy("a"), known), "applied");
    assert.equal(standingOf(policy("a"), { ...known, wasApplied: false }), "missed");
    assert.equal(standingOf(policy("far"), known), "unchecked");
    assert.equal(standingOf({ apiVersion: "kyverno.io/v2", kind: "CleanupPolicy", name: "a" }, known), "carried");
    assert.equal(
      standingOf({ apiVersion: "policies.kyverno.io/v1", kind: "ValidatingPolicy", name: "a" }, known),
      "applied",
    );
  });
});
