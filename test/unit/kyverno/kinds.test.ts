import assert from "node:assert/strict";
import { isClusterScoped, isPolicyKind, policyKinds } from "../../../lib/kyverno/kinds";

/** What the CRDs of these releases serve of policies, and the loader of their CLI reads: read off them, not off the table. */
const served: Record<string, Record<string, string>> = {
  "1.11.5": {
    "kyverno.io/v1": "ClusterPolicy Policy",
    "kyverno.io/v2alpha1": "CleanupPolicy ClusterCleanupPolicy PolicyException",
    "kyverno.io/v2beta1": "CleanupPolicy ClusterCleanupPolicy ClusterPolicy Policy PolicyException",
    "admissionregistration.k8s.io/v1beta1": "ValidatingAdmissionPolicy",
  },
  "1.12.6": {
    "kyverno.io/v1": "ClusterPolicy Policy",
    "kyverno.io/v2": "CleanupPolicy ClusterCleanupPolicy PolicyException",
    "kyverno.io/v2alpha1": "GlobalContextEntry",
    "kyverno.io/v2beta1": "CleanupPolicy ClusterCleanupPolicy ClusterPolicy Policy PolicyException",
    "admissionregistration.k8s.io/v1beta1": "ValidatingAdmissionPolicy ValidatingAdmissionPolicyBinding",
  },
  "1.13.2": {
    "kyverno.io/v1": "ClusterPolicy Policy",
    "kyverno.io/v2": "CleanupPolicy ClusterCleanupPolicy PolicyException",
    "kyverno.io/v2alpha1": "GlobalContextEntry",
    "kyverno.io/v2beta1": "CleanupPolicy ClusterCleanupPolicy ClusterPolicy Policy PolicyException",
    "admissionregistration.k8s.io/v1": "ValidatingAdmissionPolicy ValidatingAdmissionPolicyBinding",
    "admissionregistration.k8s.io/v1beta1": "ValidatingAdmissionPolicy ValidatingAdmissionPolicyBinding",
  },
  "1.14.4": {
    "kyverno.io/v1": "ClusterPolicy Policy",
    "kyverno.io/v2": "CleanupPolicy ClusterCleanupPolicy PolicyException",
    "kyverno.io/v2alpha1": "GlobalContextEntry",
    "kyverno.io/v2beta1": "CleanupPolicy ClusterCleanupPolicy ClusterPolicy Policy PolicyException",
    "policies.kyverno.io/v1alpha1": "ImageValidatingPolicy PolicyException ValidatingPolicy",
    "admissionregistration.k8s.io/v1": "ValidatingAdmissionPolicy ValidatingAdmissionPolicyBinding",
  },
  "1.15.2": {
    "kyverno.io/v1": "ClusterPolicy Policy",
    "kyverno.io/v2": "CleanupPolicy ClusterCleanupPolicy PolicyException",
    "kyverno.io/v2alpha1": "GlobalContextEntry",
    "kyverno.io/v2beta1": "CleanupPolicy ClusterCleanupPolicy ClusterPolicy Policy PolicyException",
    "policies.kyverno.io/v1alpha1":
      "DeletingPolicy GeneratingPolicy ImageValidatingPolicy MutatingPolicy PolicyException ValidatingPolicy",
    "admissionregistration.k8s.io/v1": "ValidatingAdmissionPolicy ValidatingAdmissionPolicyBinding",
    "admissionregistration.k8s.io/v1alpha1": "MutatingAdmissionPolicy MutatingAdmissionPolicyBinding",
  },
  "1.17.1": {
    "kyverno.io/v1": "ClusterPolicy Policy",
    "kyverno.io/v2": "CleanupPolicy ClusterCleanupPolicy GlobalContextEntry PolicyException",
    "kyverno.io/v2alpha1": "GlobalContextEntry",
    "kyverno.io/v2beta1": "CleanupPolicy ClusterCleanupPolicy ClusterPolicy GlobalContextEntry Policy PolicyException",
    "policies.kyverno.io/v1alpha1":
      "DeletingPolicy GeneratingPolicy ImageValidatingPolicy MutatingPolicy PolicyException ValidatingPolicy",
    "policies.kyverno.io/v1beta1":
      "DeletingPolicy GeneratingPolicy ImageValidatingPolicy MutatingPolicy NamespacedDeletingPolicy NamespacedGeneratingPolicy NamespacedImageValidatingPolicy NamespacedMutatingPolicy NamespacedValidatingPolicy PolicyException ValidatingPolicy",
    "policies.kyverno.io/v1":
      "DeletingPolicy GeneratingPolicy ImageValidatingPolicy MutatingPolicy NamespacedDeletingPolicy NamespacedGeneratingPolicy NamespacedImageValidatingPolicy NamespacedMutatingPolicy NamespacedValidatingPolicy PolicyException ValidatingPolicy",
    "admissionregistration.k8s.io/v1": "ValidatingAdmissionPolicy ValidatingAdmissionPolicyBinding",
    "admissionregistration.k8s.io/v1alpha1": "MutatingAdmissionPolicy MutatingAdmissionPolicyBinding",
    "admissionregistration.k8s.io/v1beta1": "MutatingAdmissionPolicy MutatingAdmissionPolicyBinding",
  },
};
const versions = [...new Set(Object.values(served).flatMap((one) => Object.keys(one)))];
const kinds = [...new Set(Object.values(served).flatMap((one) => Object.values(one).join(" ").split(" ")))];
/** Where 1.11's CLI reads more than a release of Kubernetes that was current then served. */
const unchecked = new Set(["1.11.5 ValidatingAdmissionPolicyBinding", "1.11.5 v1alpha1", "1.12.6 v1alpha1"]);

describe("the kinds that a Kyverno knows", () => {
  for (const [kyverno, known] of Object.entries(served)) {
    it(`are those of its CRDs and its CLI: ${kyverno}`, () => {
      for (const apiVersion of versions) {
        for (const kind of kinds) {
          const group = apiVersion.split("/")[0]!;
          const isKubernetes = group === "admissionregistration.k8s.io";
          if (isKubernetes && [kind, apiVersion.split("/")[1]].some((one) => unchecked.has(`${kyverno} ${one}`)))
            continue;
          const expected = known[apiVersion]?.split(" ").includes(kind) ?? false;
          const advice = policyKinds(kyverno).refuse(apiVersion, kind);
          assert.equal(advice === undefined, expected, `${apiVersion} ${kind}: ${advice}`);
        }
      }
    });
  }

  it("come with the way out: a Kyverno that has them, another version to write, or the list", () => {
    const { refuse, unsure } = policyKinds("1.13.2");
    assert.equal(unsure, undefined);
    assert.equal(
      refuse("policies.kyverno.io/v1", "ValidatingPolicy"),
      "raise kyverno to 1.17 or later, or change the document",
    );
    assert.equal(
      refuse("policies.kyverno.io/v1alpha1", "MutatingPolicy"),
      "raise kyverno to 1.15 or later, or change the document",
    );
    assert.equal(refuse("kyverno.io/v2alpha1", "PolicyException"), "write kyverno.io/v2beta1 or kyverno.io/v2");
    assert.equal(refuse("kyverno.io", "ClusterPolicy"), "write kyverno.io/v1 or kyverno.io/v2beta1");
    assert.match(refuse("kyverno.io/v1", "ClusterPolcy")!, /^its kinds are CleanupPolicy, .*ClusterPolicy, /);
    assert.doesNotMatch(refuse("kyverno.io/v1", "ClusterPolcy")!, /MutatingPolicy/);
    assert.equal(
      policyKinds("1.14.0").refuse("admissionregistration.k8s.io/v1beta1", "ValidatingAdmissionPolicy"),
      "write admissionregistration.k8s.io/v1",
    );
  });

  it("are those of the newest one in the table for a newer Kyverno, of the oldest for an older one, and that is said", () => {
    for (const newer of ["1.18.0", "2.0.0"]) {
      const { refuse, unsure } = policyKinds(newer);
      assert.equal(
        unsure,
        `kyverno ${newer} is newer than what this program knows: the kinds of 1.17 are taken for its own`,
      );
      assert.equal(refuse("policies.kyverno.io/v1", "ValidatingPolicy"), undefined);
    }
    assert.match(policyKinds("1.9.5").unsure!, /older than what this program knows: the kinds of 1\.11 are/);
  });

  it("are those of any Kyverno where none is pinned, or one without a number", () => {
    for (const version of [undefined, "nightly"]) {
      const { refuse, unsure } = policyKinds(version);
      assert.equal(unsure, undefined);
      assert.equal(refuse("policies.kyverno.io/v1", "ValidatingPolicy"), undefined);
      assert.equal(refuse("kyverno.io/v2alpha1", "PolicyException"), undefined);
      assert.notEqual(refuse("kyverno.io/v1", "ClusterPolcy"), undefined);
    }
  });

  it("do not change with a v, a prerelease or a missing patch", () => {
    for (const version of ["v1.13.2", "1.13", "1.13.0-rc.1", "1.13.2+build"]) {
      const { refuse, unsure } = policyKinds(version);
      assert.equal(unsure, undefined, version);
      assert.equal(refuse("kyverno.io/v2", "PolicyException"), undefined);
      assert.notEqual(refuse("policies.kyverno.io/v1", "ValidatingPolicy"), undefined);
    }
  });

  it("are policies: tests, reports and objects of others are not", () => {
    for (const [apiVersion, kind] of [
      ["cli.kyverno.io/v1alpha1", "Test"],
      ["reports.kyverno.io/v1", "EphemeralReport"],
      ["json.kyverno.io/v1alpha1", "ValidatingPolicy"],
      ["wgpolicyk8s.io/v1alpha2", "PolicyReport"],
      ["nvidia.com/v1", "ClusterPolicy"],
      ["admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration"],
      ["v1", "ConfigMap"],
      ["", ""],
    ] as const)
      assert.equal(isPolicyKind(apiVersion, kind), false, `${apiVersion} ${kind}`);
    assert.equal(isPolicyKind("kyverno.io", "ClusterPolicy"), true);
    assert.equal(isPolicyKind("kyverno.io/v9", "Whatever"), true);
  });

  it("are known to be one in a cluster, or one in each namespace", () => {
    const scoped = (apiVersion: string, ...names: string[]) => names.map((kind) => isClusterScoped(apiVersion, kind));
    assert.deepEqual(
      scoped("kyverno.io/v1", "ClusterPolicy", "Policy", "CleanupPolicy", "ClusterCleanupPolicy", "PolicyException"),
      [true, false, false, true, false],
    );
    assert.deepEqual(
      scoped("policies.kyverno.io/v1", "ValidatingPolicy", "NamespacedValidatingPolicy", "PolicyException"),
      [true, false, false],
    );
    assert.deepEqual(scoped("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy"), [true]);
  });
});
