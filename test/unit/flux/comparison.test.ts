import assert from "node:assert/strict";
import fc from "fast-check";
import { differences, differenceText } from "../../../lib/flux/comparison";
import type { Observed } from "../../../lib/flux/observed";

const rule = (message: string) => ({ name: "r", validate: { message, pattern: { spec: { hostNetwork: false } } } });
const policy = (spec: object, metadata: object = {}): Observed => ({
  apiVersion: "kyverno.io/v1",
  kind: "ClusterPolicy",
  metadata: { name: "p", ...metadata },
  spec,
});
const text = (live: Observed, dryRun: Observed) => differenceText(differences(live, dryRun));
const managed = (manager: string, spec: object, more: object = {}) => ({
  ...{ manager, operation: "Update", fieldsType: "FieldsV1", fieldsV1: { "f:spec": spec }, ...more },
});

describe("a delivered policy beside what the dry run gives", () => {
  it("differs in the field that somebody edited", () => {
    const found = text(policy({ rules: [rule("edited")] }), policy({ rules: [rule("as written")] }));
    assert.equal(found, "edited: spec.rules[0].validate.message");
  });

  it("differs in a whole list when items came or went, and in labels", () => {
    const live = policy({ rules: [rule("a"), rule("b")] }, { labels: { team: "x" } });
    assert.equal(text(live, policy({ rules: [rule("a")] })), "edited: spec.rules, metadata.labels.team");
  });

  it("names the first three of many fields and counts the others", () => {
    const live = policy({ a: 1, b: 1, c: 1, d: 1, e: 1 });
    assert.equal(text(live, policy({})), "edited: spec.a, spec.b, spec.c and 2 more");
  });

  it("does not differ by what the API server, Flux and kubectl keep for themselves", () => {
    const live = policy(
      { rules: [rule("a")] },
      {
        ...{ uid: "1", resourceVersion: "7", generation: 3, managedFields: [] },
        labels: {
          "kustomize.toolkit.fluxcd.io/name": "policies",
          "kustomize.toolkit.fluxcd.io/namespace": "flux-system",
        },
        annotations: { "kubectl.kubernetes.io/last-applied-configuration": "{}" },
      },
    );
    const dryRun = policy({ rules: [rule("a")] }, { resourceVersion: "8", labels: {} });
    assert.deepEqual(differences({ ...live, status: { ready: true } }, dryRun), []);
  });

  it("differs by a field that stands beside ours, and says by whom where Flux does not take it away", () => {
    const spec = { background: false, rules: [rule("a")] };
    const by = (manager: string) => [
      managed("kustomize-controller", { "f:rules": {} }),
      managed(manager, { "f:background": {}, "f:rules": {} }),
      managed("kyverno", { "f:x": {} }, { subresource: "status" }),
    ];
    const live = (manager: string) => policy(spec, { managedFields: by(manager) });
    assert.equal(text(live("lens"), policy(spec)), "edited: spec.background (by lens)");
    assert.equal(text(live("kubectl-edit"), policy(spec)), "edited: spec.background");
  });

  it("is named by its innermost field, though kubectl takes the whole list over, and by another manager's list too", () => {
    const by = (manager: string) => [managed("kustomize-controller", {}), managed(manager, { "f:rules": {} })];
    const live = (manager: string) => policy({ rules: [rule("b")] }, { managedFields: by(manager) });
    const innermost = text(live("kubectl-edit"), policy({ rules: [rule("a")] }));
    assert.match(innermost, /^edited: spec\.rules\[0\]\.[\w.]+$/);
    assert.equal(text(live("lens"), policy({ rules: [rule("a")] })), `${innermost}, spec.rules (by lens)`);
  });

  it("is equal to itself and differs when one value does, whatever the document", () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (one, two) => {
        const [live, dryRun] = [policy({ value: one as never }), policy({ value: two as never })];
        assert.deepEqual(differences(live, live), []);
        if (JSON.stringify(one) === JSON.stringify(two)) return;
        const forth = differences(live, dryRun).map(({ path }) => path);
        assert.deepEqual(
          forth,
          differences(dryRun, live).map(({ path }) => path),
        );
      }),
    );
  });

  it("takes any answer of a cluster", () => {
    fc.assert(
      fc.property(fc.object(), fc.object(), (live, dryRun) => {
        differences({ ...live, metadata: { managedFields: live } }, dryRun as Observed);
      }),
    );
  });
});
