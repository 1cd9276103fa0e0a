import assert from "node:assert/strict";
import fc from "fast-check";
import type { Observed } from "../../../lib/flux/observed";
import { digestOf, kustomizationProgress, policyProgress, sourceProgress } from "../../../lib/flux/readiness";

const digest = `sha256:${"a".repeat(64)}`;
const other = `sha256:${"b".repeat(64)}`;
const requested = "run-1";

interface Status {
  readonly generation?: number;
  readonly observed?: number;
  readonly ready?: readonly [status: string, reason: string, message?: string, generation?: number];
  readonly stalled?: readonly [reason: string, message: string];
  readonly handled?: string;
  readonly suspend?: boolean;
  readonly [more: string]: unknown;
}

function object(spec: object, { generation = 2, observed = generation, ready, stalled, handled, ...more }: Status) {
  const condition = (type: string, [status, reason, message = "", at = generation]: NonNullable<Status["ready"]>) => ({
    ...{ type, status, reason, message, observedGeneration: at },
  });
  const conditions = [
    ...(ready ? [condition("Ready", ready)] : []),
    ...(stalled ? [condition("Stalled", ["True", ...stalled])] : []),
  ];
  const status = { observedGeneration: observed, conditions, lastHandledReconcileAt: handled, ...more };
  return { metadata: { generation, name: "policies" }, spec, status } as Observed;
}

const source = (status: Status, named = digest) =>
  object({ ref: { digest: named }, suspend: status.suspend ?? false }, status);
const stored = { artifact: { revision: digest } };
const kustomization = (status: Status) => object({ suspend: status.suspend ?? false }, status);
const succeeded = ["True", "Succeeded"] as const;

describe("readiness of an OCIRepository", () => {
  it("is there when it is Ready at this generation and has stored this digest", () => {
    const progress = sourceProgress(source({ ready: succeeded, ...stored }), { digest });
    assert.deepEqual(progress, { state: "ready", revision: digest });
  });

  it("goes on while the digest stored is the one before", () => {
    const before = source({ ready: succeeded, artifact: { revision: other } });
    assert.equal(sourceProgress(before, { digest }).state, "waiting");
  });

  it("goes on while Ready is about the generation before, whether it says True or False", () => {
    for (const status of ["True", "False"]) {
      const before = source({ observed: 1, ready: [status, "OCIArtifactPullFailed", "UNAUTHORIZED", 1], ...stored });
      assert.equal(sourceProgress(before, { digest, requested }).state, "waiting");
    }
  });

  it("is refused when it names another digest than the run has written", () => {
    const progress = sourceProgress(source({ ready: succeeded, artifact: { revision: other } }, other), { digest });
    assert.deepEqual([progress.state, "reason" in progress && progress.reason], ["failed", "OtherDigest"]);
  });

  it("follows a range: whatever digest Flux chose is its revision", () => {
    const following = object(
      { ref: { semver: "1.x" } },
      { ready: succeeded, artifact: { revision: `v1.2.0@${other}` } },
    );
    assert.deepEqual(sourceProgress(following, {}), { state: "ready", revision: `v1.2.0@${other}` });
  });

  it("is asked to try again after a failure from before this run", () => {
    const failed = source({ ready: ["False", "OCIArtifactPullFailed", "UNAUTHORIZED"], handled: "run-0" });
    assert.equal(sourceProgress(failed, { digest, requested }).state, "retry");
    assert.equal(sourceProgress(failed, { digest }).state, "retry");
  });

  it("has failed for good without being asked when it was seen going on before", () => {
    const failed = source({ ready: ["False", "OCIArtifactPullFailed", "UNAUTHORIZED"] });
    assert.equal(sourceProgress(failed, { digest, watched: true }).state, "failed");
    assert.equal(sourceProgress(failed, { digest, watched: true, requested }).state, "retry");
  });

  it("has failed for good, with Flux's own message, when it was asked and the registry refused", () => {
    const failed = source({ ready: ["False", "OCIArtifactPullFailed", "UNAUTHORIZED"], handled: requested });
    assert.deepEqual(sourceProgress(failed, { digest, requested }), {
      ...{ state: "failed", reason: "OCIArtifactPullFailed", message: "UNAUTHORIZED" },
    });
  });

  it("is asked again while the network is what fails", () => {
    for (const message of ["dial tcp: connection refused", "unexpected status code 503 Service Unavailable"]) {
      const failed = source({ ready: ["False", "OCIArtifactPullFailed", message], handled: requested });
      assert.equal(sourceProgress(failed, { digest, requested }).state, "retry", message);
    }
  });

  it("has failed for good when it is stalled, whatever stands in Ready", () => {
    const stalled = source({ ready: ["Unknown", "Progressing"], stalled: ["URLInvalid", "no"], handled: requested });
    const progress = sourceProgress(stalled, { digest, requested });
    assert.deepEqual(progress, { state: "failed", reason: "URLInvalid", message: "no" });
  });

  it("is refused when it is gone, suspended or being deleted", () => {
    const reasonOf = (found: Observed | undefined) => {
      const progress = sourceProgress(found, { digest });
      return progress.state === "failed" ? progress.reason : progress.state;
    };
    assert.equal(reasonOf(undefined), "Missing");
    assert.equal(reasonOf(source({ ready: succeeded, ...stored, suspend: true })), "Suspended");
    const dying = source({ ready: succeeded, ...stored });
    assert.equal(
      reasonOf({ ...dying, metadata: { generation: 2, deletionTimestamp: "2026-01-01T00:00:00Z" } }),
      "Deleting",
    );
  });
});

describe("readiness of a Kustomization", () => {
  const wanted = { revision: digest, requested };

  it("is there when it is Ready at this generation and has applied this revision", () => {
    const done = kustomization({ ready: succeeded, lastAppliedRevision: digest });
    assert.equal(kustomizationProgress(done, wanted).state, "ready");
  });

  it("goes on while the revision applied is the one before, or its last change was not seen", () => {
    const before = kustomization({ ready: succeeded, lastAppliedRevision: other });
    const unseen = kustomization({ observed: 1, ready: ["True", "Succeeded", "", 1], lastAppliedRevision: digest });
    assert.equal(kustomizationProgress(before, wanted).state, "waiting");
    assert.equal(kustomizationProgress(unseen, wanted).state, "waiting");
  });

  it("has failed for good when this revision was refused after it was asked to try", () => {
    const status = {
      ...{ observed: 1, lastAttemptedRevision: digest, handled: requested },
      ready: ["False", "ReconciliationFailed", 'admission webhook "x" denied the request: no'] as const,
    };
    const progress = kustomizationProgress(kustomization(status), wanted);
    assert.deepEqual([progress.state, "message" in progress && progress.message], ["failed", status.ready[2]]);
  });

  it("goes on when what failed is another revision", () => {
    const failed = ["False", "BuildFailed", "no"] as const;
    const status = { lastAttemptedRevision: other, handled: requested, ready: failed };
    assert.equal(kustomizationProgress(kustomization(status), wanted).state, "waiting");
  });

  it("waits for its source and for those that it depends on, and says for which", () => {
    const status = { lastAttemptedRevision: digest, handled: requested };
    for (const reason of ["DependencyNotReady", "ArtifactFailed"]) {
      const waiting = kustomization({
        ...status,
        ready: ["False", reason, "dependency 'flux-system/kyverno' is not ready"],
      });
      const progress = kustomizationProgress(waiting, wanted);
      assert.equal(progress.state, "waiting");
      assert.match("seen" in progress ? progress.seen : "", /flux-system\/kyverno/);
    }
  });

  it("tries again while Kyverno's webhook does not answer", () => {
    const message = 'Internal error occurred: failed calling webhook "validate-policy.kyverno.svc": connection refused';
    const status = {
      lastAttemptedRevision: digest,
      handled: requested,
      ready: ["False", "ReconciliationFailed", message],
    };
    assert.equal(kustomizationProgress(kustomization(status as unknown as Status), wanted).state, "retry");
  });
});

describe("readiness of a policy", () => {
  const legacy = (status: object) => ({ apiVersion: "kyverno.io/v1", kind: "ClusterPolicy", metadata: {}, status });
  const cel = (status: object) => ({
    apiVersion: "policies.kyverno.io/v1",
    kind: "ValidatingPolicy",
    metadata: {},
    status,
  });

  it("is its condition Ready, or the field that CEL policies have instead", () => {
    const conditions = [{ type: "Ready", status: "True", reason: "Succeeded", message: "Ready" }];
    assert.equal(policyProgress(legacy({ conditions })).state, "ready");
    assert.equal(policyProgress(legacy({ ready: true })).state, "waiting");
    assert.equal(policyProgress(cel({ conditionStatus: { ready: true } })).state, "ready");
    assert.equal(policyProgress(cel({ conditions })).state, "waiting");
  });

  it("is never final, as Kyverno takes a policy up in its own time, and says what it waits for", () => {
    const conditions = [{ type: "Ready", status: "False", reason: "Failed", message: "Not Ready" }];
    assert.deepEqual(policyProgress(legacy({ conditions })), { state: "waiting", seen: "Failed: Not Ready" });
    const seen = policyProgress(cel({ conditionStatus: { ready: false, message: "webhook not configured" } }));
    assert.deepEqual(seen, { state: "waiting", seen: "not ready: webhook not configured" });
    assert.equal(policyProgress(undefined).state, "waiting");
  });

  it("is being there, for kinds that have no readiness", () => {
    assert.equal(policyProgress({ apiVersion: "kyverno.io/v2", kind: "PolicyException", metadata: {} }).state, "ready");
  });
});

describe("readiness rules", () => {
  it("take any answer of a cluster, and call nothing ready that lacks this digest at this generation", () => {
    const status = fc.record({
      observedGeneration: fc.oneof(fc.constantFrom(1, 2), fc.jsonValue()),
      artifact: fc.oneof(fc.record({ revision: fc.constantFrom(digest, other, "") }), fc.jsonValue()),
      lastAppliedRevision: fc.constantFrom(digest, other, null),
      lastAttemptedRevision: fc.constantFrom(digest, other, null),
      lastHandledReconcileAt: fc.constantFrom(requested, "run-0", 5),
      conditions: fc.oneof(
        fc.jsonValue(),
        fc.array(
          fc.record({
            type: fc.constantFrom("Ready", "Stalled", "Reconciling"),
            status: fc.constantFrom("True", "False", "Unknown"),
            reason: fc.constantFrom("Succeeded", "BuildFailed", "DependencyNotReady"),
            message: fc.oneof(fc.constant("connection refused"), fc.string()),
            observedGeneration: fc.constantFrom(1, 2),
          }),
        ),
      ),
    });
    const any = fc.record({
      metadata: fc.oneof(fc.constant({ generation: 2 }), fc.jsonValue()),
      spec: fc.oneof(fc.constant({ ref: { digest } }), fc.jsonValue()),
      status: fc.oneof(status, fc.jsonValue()),
    });
    fc.assert(
      fc.property(any, (found) => {
        const answer = found as unknown as Observed & { status: any; metadata: any };
        const [sourced, applied] = [
          sourceProgress(answer, { digest, requested }),
          kustomizationProgress(answer, { revision: digest, requested }),
        ];
        if (sourced.state === "ready") assert.equal(digestOf(answer.status.artifact.revision), digest);
        if (applied.state === "ready") assert.equal(answer.status.lastAppliedRevision, digest);
        for (const { state } of [sourced, applied])
          if (state === "ready") {
            assert.equal(answer.status.observedGeneration, answer.metadata.generation);
            const ready = answer.status.conditions.find(({ type }: { type: string }) => type === "Ready");
            assert.deepEqual([ready.status, ready.observedGeneration], ["True", answer.metadata.generation]);
          }
        policyProgress(answer);
      }),
    );
  });

  it("read the digest at the end of a revision alone", () => {
    assert.equal(digestOf(digest), digest);
    assert.equal(digestOf(`latest@${digest}`), digest);
    for (const text of ["", "latest", `${digest}0`, `main@sha1:${"a".repeat(40)}`]) assert.equal(digestOf(text), "");
  });
});
