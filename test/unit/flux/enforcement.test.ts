// Audit and enforce as patches: every form of policy, what changes and what does not. That kustomize makes the same of them is
// looked at where there is one (test/provider/kustomize.test.ts).
import assert from "node:assert/strict";
import fc from "fast-check";
import { parse } from "yaml";
import type { PlatformError } from "../../../lib/errors";
import { applied, type PatchedDocument, patchesFor } from "../../../lib/flux/enforcement";
import { times } from "../../support/counts";
import { documentOf, policyDocuments } from "../../support/policyDocuments";

const clusterPolicy = (spec: object, name = "p") => documentOf("kyverno.io/v1", "ClusterPolicy", name, spec);
const rule = (validate: object, name = "r") => ({ name, validate });
const audit = { enforcement: "audit" } as const;
const enforce = { enforcement: "enforce" } as const;
/** Operations of the only patch, in short. */
const changes = (document: PatchedDocument, choice: Parameters<typeof applied>[1]) =>
  patchesFor([document], choice).flatMap(({ patch }) =>
    (parse(patch) as { op: string; path: string; value?: unknown }[]).map(({ op, path, value }) =>
      op === "remove" ? `${op} ${path}` : `${op} ${path} ${JSON.stringify(value)}`,
    ),
  );

describe("a cluster that enforces", () => {
  it("sets the field of the whole policy where a policy says nothing, as Kyverno would audit", () => {
    const document = clusterPolicy({ rules: [rule({ pattern: {} })] });
    assert.deepEqual(changes(document, enforce), ['add /spec/validationFailureAction "Enforce"']);
    assert.deepEqual(changes(clusterPolicy({ rules: [rule({})], validationFailureAction: null }), enforce), [
      'add /spec/validationFailureAction "Enforce"',
    ]);
  });

  it("changes what a policy says, old field or rule, and leaves what does as wanted", () => {
    const mixed = clusterPolicy({
      validationFailureAction: "Audit",
      rules: [rule({ failureAction: "Audit" }, "a"), rule({ failureAction: "Enforce" }, "b"), rule({}, "c")],
    });
    assert.deepEqual(changes(mixed, enforce), [
      'add /spec/validationFailureAction "Enforce"',
      'test /spec/rules/0/name "a"',
      'add /spec/rules/0/validate/failureAction "Enforce"',
    ]);
    for (const written of ["Enforce", "enforce"])
      assert.deepEqual(changes(clusterPolicy({ validationFailureAction: written, rules: [rule({})] }), enforce), []);
    assert.deepEqual(changes(clusterPolicy({ rules: [rule({ failureAction: "Enforce" })] }), enforce), []);
  });

  it("removes overrides by namespace, of the policy and of rules: it enforces everywhere", () => {
    const overrides = [{ action: "Enforce", namespaces: ["a"] }];
    const document = clusterPolicy({
      validationFailureAction: "Enforce",
      validationFailureActionOverrides: overrides,
      rules: [rule({ failureActionOverrides: overrides })],
    });
    assert.deepEqual(changes(document, enforce), [
      "remove /spec/validationFailureActionOverrides",
      'test /spec/rules/0/name "r"',
      "remove /spec/rules/0/validate/failureActionOverrides",
    ]);
  });

  it("makes CEL policies deny, which is their default, and bindings too", () => {
    const cel = (spec: object, kind = "ValidatingPolicy") =>
      changes(documentOf("policies.kyverno.io/v1", kind, "p", spec), enforce);
    assert.deepEqual(cel({ validationActions: ["Audit", "Warn"] }), ['add /spec/validationActions ["Deny"]']);
    assert.deepEqual(cel({ validationActions: ["Deny", "Audit"] }), []);
    assert.deepEqual(cel({}), []);
    assert.deepEqual(cel({ validationActions: ["Audit"] }, "MutatingPolicy"), []);
    assert.deepEqual(cel({ validationActions: ["Audit"] }, "NamespacedImageValidatingPolicy").length, 1);
  });

  it("has nothing to change in what only mutates, generates or cleans up", () => {
    const mutates = { rules: [{ name: "m", mutate: { patchStrategicMerge: {} } }] };
    assert.deepEqual(changes(clusterPolicy(mutates), enforce), []);
    for (const kind of ["ClusterCleanupPolicy", "PolicyException"])
      assert.deepEqual(changes(documentOf("kyverno.io/v2", kind, "p", mutates), enforce), []);
  });

  it("audits by the policies that are exceptions, whatever they say", () => {
    const documents = [
      clusterPolicy({ validationFailureAction: "Enforce", rules: [rule({})] }, "loud"),
      clusterPolicy({ rules: [rule({})] }, "other"),
    ];
    const patches = patchesFor(documents, { ...enforce, exceptions: ["loud"] });
    assert.deepEqual(
      patches.map(({ target, patch }) => [target.name, /value: (.*)/.exec(patch)![1]]),
      [
        ["loud", '"Audit"'],
        ["other", '"Enforce"'],
      ],
    );
  });

  it("refuses exceptions that name no policy, or none that could refuse, and names those that could", () => {
    const documents = [clusterPolicy({ rules: [rule({})] }, "real"), clusterPolicy({ rules: [] }, "mute")];
    for (const name of ["gone", "mute"])
      assert.throws(
        () => patchesFor(documents, { ...enforce, exceptions: [name] }),
        ({ code, message }: PlatformError) =>
          code === "exception-unknown" && message.includes(`"${name}"`) && message.endsWith("name one of real"),
      );
  });
});

describe("a cluster that audits", () => {
  it("changes what enforces alone, as Kyverno audits where nothing is said", () => {
    assert.deepEqual(changes(clusterPolicy({ rules: [rule({})] }), audit), []);
    assert.deepEqual(changes(clusterPolicy({ rules: [rule({ failureAction: "Enforce" })] }), audit), [
      'test /spec/rules/0/name "r"',
      'add /spec/rules/0/validate/failureAction "Audit"',
    ]);
  });

  it("keeps Kyverno from writing digests into images, which it refuses to do where it audits", () => {
    const images = clusterPolicy({
      validationFailureAction: "Enforce",
      rules: [
        { name: "i", verifyImages: [{ imageReferences: ["*"] }, { mutateDigest: false, failureAction: "Enforce" }] },
      ],
    });
    assert.deepEqual(changes(images, audit), [
      'add /spec/validationFailureAction "Audit"',
      'test /spec/rules/0/name "i"',
      "add /spec/rules/0/verifyImages/0/mutateDigest false",
      'add /spec/rules/0/verifyImages/1/failureAction "Audit"',
    ]);
    assert.deepEqual(changes({ ...images, object: applied(images, audit) }, audit), []);
  });
});

describe("patches of policies", () => {
  it("are none where policies do as they say", () => {
    const document = clusterPolicy({ validationFailureAction: "Enforce", rules: [rule({})] });
    assert.deepEqual(patchesFor([document], { enforcement: "asAuthored" }), []);
    assert.equal(applied(document, { enforcement: "asAuthored" }), document.object);
  });

  it("name one document each: kustomize reads a name as a regular expression", () => {
    const policy = documentOf("kyverno.io/v1", "Policy", "a.b", { rules: [rule({})] });
    assert.deepEqual(patchesFor([policy], enforce)[0]!.target, {
      group: "kyverno.io",
      version: "v1",
      kind: "Policy",
      name: "a\\.b",
      namespace: "default",
    });
  });

  it("are the same text for the same documents in any order, and once made there is nothing left to change", () => {
    fc.assert(
      fc.property(policyDocuments, fc.constantFrom(audit, enforce), (documents, choice) => {
        const patches = patchesFor(documents, choice);
        assert.deepEqual(patchesFor([...documents].reverse(), choice), patches);
        const after = documents.map((document) => ({ ...document, object: applied(document, choice) }));
        assert.deepEqual(patchesFor(after, choice), []);
      }),
      { numRuns: times(300) },
    );
  });
});
