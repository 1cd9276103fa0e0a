import assert from "node:assert/strict";
import type { Observed } from "../../../lib/flux/observed";
import { ownerLabels, sharedObjects } from "../../../lib/flux/owners";
import type { Identified } from "../../../lib/kyverno/identity";

const own = { namespace: "flux-system", name: "policies" };
const theirs = { namespace: "team-b", name: "rules" };
const latest = { apiVersion: "kyverno.io/v1", kind: "ClusterPolicy", namespace: "", name: "no-latest" };
const scoped = { apiVersion: "kyverno.io/v1", kind: "Policy", namespace: "apps", name: "quota" };

const kustomization = (metadata: object, ids: readonly string[] = []): Observed => ({
  metadata,
  status: { inventory: { entries: ids.map((id) => ({ id, v: "v1" })) } },
});
const owners = (kustomizations: Observed[], metadata?: object) =>
  sharedObjects([latest, scoped], own, {
    kustomizations,
    live: ({ name }: Identified) => (name === "no-latest" && metadata ? { metadata } : undefined),
  }).map(({ object, owner }) => `${object.name}: ${owner}`);

describe("owners of a policy", () => {
  it("are the Kustomizations that list it, cluster-wide or in a namespace", () => {
    const listed = kustomization(theirs, [
      "_no-latest_kyverno.io_ClusterPolicy",
      "apps_quota_kyverno.io_Policy",
      "_x_y_Z",
    ]);
    assert.deepEqual(owners([listed]), ["no-latest: Kustomization team-b/rules", "quota: Kustomization team-b/rules"]);
  });

  it("leave out our own Kustomization, and policies of other names", () => {
    const mine = kustomization(own, ["_no-latest_kyverno.io_ClusterPolicy"]);
    const others = kustomization(theirs, ["_another_kyverno.io_ClusterPolicy"]);
    assert.deepEqual(owners([mine, others], { labels: ownerLabels(own) }), []);
  });

  it("are told by the policy's labels while that Kustomization exists", () => {
    const labels = ownerLabels(theirs);
    assert.deepEqual(owners([kustomization(theirs)], { labels }), ["no-latest: Kustomization team-b/rules"]);
    assert.deepEqual(owners([], { labels }), []);
  });

  it("are told by the labels alone where Kustomizations may not be listed", () => {
    const cluster = { kustomizations: undefined, live: () => ({ metadata: { labels: ownerLabels(theirs) } }) };
    const [shared] = sharedObjects([latest], own, cluster);
    assert.equal(shared!.owner, "Kustomization team-b/rules");
    const mine = { ...cluster, live: () => ({ metadata: { labels: ownerLabels(own) } }) };
    assert.deepEqual(sharedObjects([latest], own, mine), []);
  });

  it("are Helm releases and applications of Argo CD too", () => {
    const helm = { "meta.helm.sh/release-name": "kyverno-policies", "meta.helm.sh/release-namespace": "kyverno" };
    assert.deepEqual(owners([], { annotations: helm }), ["no-latest: Helm release kyverno/kyverno-policies"]);
    const argo = { "argocd.argoproj.io/tracking-id": "platform:kyverno.io/ClusterPolicy:/no-latest" };
    assert.deepEqual(owners([], { annotations: argo }), ["no-latest: Argo CD application platform"]);
  });

  it("are none for a policy that nobody manages: it is taken over", () => {
    assert.deepEqual(owners([kustomization(theirs)], { labels: { team: "x" } }), []);
  });
});
