// The life of a delivery under the real engine, on the real control plane: taken, enforced, changed by hand, mended, pruned, gone.
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { deliveryFacts, sourceName } from "../../lib/flux/delivery";
import type { Enforcement } from "../../lib/flux/enforcement";
import { type ClusterClient, connectCluster } from "../../lib/kubernetes/client";
import { type DeliveryProject, deliveryProject } from "../support/deliveryProject";
import { configMapPolicy as policy, pushPolicies } from "../support/pushPolicies";
import { startRegistry, type TestRegistry } from "../support/registry";
import { testCluster } from "../support/testCluster";

const { kubeconfig, name: context } = testCluster;
const [sourceApi, kustomizeApi] = ["source.toolkit.fluxcd.io/v1", "kustomize.toolkit.fluxcd.io/v1"];
const flux = { namespace: "flux-system", name: "life" };
/** What a delivery has of Flux's: the Kustomization, and the source that it names. */
const sourceOf = (digest: string) => ({
  apiVersion: sourceApi!,
  kind: "OCIRepository",
  ...flux,
  name: sourceName({ name: flux.name, digest }),
});
const kustomization = { apiVersion: kustomizeApi!, kind: "Kustomization", ...flux };
const policyNamed = (name: string) => ({ apiVersion: "kyverno.io/v1", kind: "ClusterPolicy", name });

describe("the life of a delivery", function () {
  this.timeout(120_000);
  let registry: TestRegistry;
  let cluster: ClusterClient;
  let project: DeliveryProject;
  let others: DeliveryProject | undefined;

  /** Pushes policies as an artifact, and writes the program that delivers it. */
  const deliver = async (
    to: DeliveryProject,
    enforcement: Enforcement,
    policies: readonly object[],
    more: object = {},
  ) => {
    const repository = `${registry.host}/releases/policies/dev`;
    const { digest, documents } = await pushPolicies(repository, policies);
    const names = documents.map(({ kind, name }) => `${kind}/${name}`);
    const facts = { ...deliveryFacts(documents, { enforcement }), names };
    const place = { kubeconfig, context, name: "life", timeoutSeconds: 40, timeout: "20s" };
    to.write({ ...place, repository, digest, policies: facts, enforcement, ...more });
    return digest;
  };
  /** Names of the sources that a delivery of that name has in the cluster. */
  const sourcesOf = async (name: string) =>
    (await cluster.list({ apiVersion: sourceApi!, kind: "OCIRepository" }))
      .map(({ metadata }) => metadata.name)
      .filter((one) => one.startsWith(name));
  /** Whether the cluster takes the ConfigMap that a policy is about; else its words. */
  const refusal = (name: string): Promise<string> =>
    cluster
      .apply(
        { apiVersion: "v1", kind: "ConfigMap", metadata: { name, namespace: "default" }, data: { allowed: "no" } },
        { fieldManager: "test", dryRun: true },
      )
      .then(
        () => "",
        (error: Error) => error.message,
      );
  const a = policy("life-a");
  // As some write it; the API server takes the namespace away.
  const b = { ...policy("life-b"), metadata: { name: "life-b", namespace: "default" } };

  before(async () => {
    registry = await startRegistry();
    cluster = await connectCluster({ kubeconfig, context, namespace: "flux-system" });
    project = await deliveryProject("life");
  });
  after(async () => {
    await project?.run("destroy", "--yes", "--skip-preview");
    project?.dispose();
    others?.dispose();
    await registry?.stop();
  });

  it("begins with one run, after which the cluster has the policies, and the next preview has nothing to do", async () => {
    const digest = await deliver(project, "audit", [a, b]);
    await project.up();
    const { revision, ready, policies } = await project.outputs();
    assert.deepEqual([revision, ready], [digest, true]);
    const delivered = ["life-a", "life-b"].map((name) => ({
      kind: "ClusterPolicy",
      name,
      action: "audit",
      ready: true,
    }));
    assert.deepEqual(policies, delivered);
    assert.equal(await refusal("life-a"), "");
    for (const command of [["preview"], ["refresh", "--preview-only"]]) {
      const { code, output } = await project.run(...command, "--expect-no-changes", "--diff");
      assert.equal(code, 0, output);
    }
  });

  it("says nothing of other teams' policies but that they are there, and what Flux puts right by itself", async () => {
    await cluster.apply(policy("life-foreign"), { fieldManager: "team-b" });
    await cluster.delete(policyNamed("life-b"));
    const { output } = await project.run("preview", "--refresh", "--diff");
    assert.match(output, /Flux puts ClusterPolicy\/life-b right by itself within 10m/);
    assert.doesNotMatch(output, /life-foreign/);
    await project.up("--refresh");
    assert.match((await project.run("stack", "export")).output, /"others": \[[^\]]*"ClusterPolicy\/life-foreign"/);
    await cluster.delete(policyNamed("life-foreign"));
  });

  it("goes from audit to enforce by one key, which the preview shows as such", async () => {
    await deliver(project, "enforce", [a, b]);
    const { output } = await project.run("preview", "--diff");
    assert.match(output, /~ enforcement: "audit" => "enforce"/);
    assert.doesNotMatch(output, /digest: |OCIRepository/);
    await project.up();
    assert.match(await refusal("life-a"), /life-a says no/);
  });

  it("shows what people changed by hand, each by its name, and one run puts it right", async () => {
    const by = { fieldManager: "kubectl-edit" };
    await cluster.mergePatch(kustomization, { spec: { suspend: true, patches: null } }, by);
    const { revision } = await project.outputs();
    const source = sourceOf(revision);
    await cluster.mergePatch(source, { spec: { interval: "7h", suspend: true } }, by);
    await cluster.mergePatch(policyNamed("life-a"), { spec: { validationFailureAction: "Audit" } }, by);
    await cluster.delete(policyNamed("life-b"));
    const { output } = await project.run("preview", "--refresh", "--diff");
    assert.match(output, /~ ClusterPolicy\/life-a: "edited: spec.validationFailureAction" => "as delivered"/);
    assert.match(output, /~ ClusterPolicy\/life-b: "missing" => "as delivered"/);
    assert.match(output, /~ Kustomization\/flux-system\/life *: "suspended" => "running"/);
    assert.match(output, new RegExp(`~ OCIRepository/flux-system/${source.name} *: "suspended" => "running"`));
    assert.equal(output.match(/~ suspend *: true => false/g)?.length, 2);
    assert.match(output, /~ interval *: "7h" => "10m"/);
    assert.match(output, /\+ patches *: \[/);
    assert.match(output, /Flux does not put ClusterPolicy\/life-a, ClusterPolicy\/life-b right while .* is suspended/);
    await project.up("--refresh");
    for (const name of ["life-a", "life-b"]) assert.match(await refusal(name), new RegExp(`${name} says no`));
    const clean = await project.run("refresh", "--preview-only", "--expect-no-changes", "--diff");
    assert.equal(clean.code, 0, clean.output);
  });

  it("prunes a policy that left the artifact, and enforces the edited one at once", async () => {
    const digest = await deliver(project, "enforce", [policy("life-a", "life-a says never")]);
    await project.up();
    assert.equal((await project.outputs()).revision, digest);
    assert.equal(await cluster.get(policyNamed("life-b")), undefined);
    assert.match(await refusal("life-a"), /life-a says never/);
    assert.equal(await refusal("life-b"), "");
  });

  it("keeps enforcing while new content, which audits less, cannot be pulled, and after a way back to the old content", async () => {
    const before = [policy("life-a", "life-a says ever"), b];
    const old = await deliver(project, "enforce", before);
    await project.up();
    // As authored the new one enforces, so that it needs no patch; the old one audits without its own.
    const enforcing = { ...a, spec: { ...a.spec, validationFailureAction: "Enforce" } };
    await deliver(project, "enforce", [enforcing], { secretRef: "not-there" });
    const { code, output } = await project.run("up", "--yes", "--skip-preview");
    assert.notEqual(code, 0);
    assert.match(output, /secrets "not-there" not found/);
    await cluster.mergePatch(
      kustomization,
      { metadata: { annotations: { "reconcile.fluxcd.io/requestedAt": new Date().toISOString() } } },
      { fieldManager: "flux" },
    );
    const looked = async () => JSON.stringify(await cluster.get(kustomization));
    for (let left = 100; left > 0 && !/ArtifactFailed/.test(await looked()); left--) await sleep(100);
    assert.match(await refusal("life-a"), /life-a says ever/);
    assert.match(await refusal("life-b"), /life-b says no/, "nor is a policy let go that the new content has no more");
    await deliver(project, "enforce", before);
    await project.up();
    assert.deepEqual(await sourcesOf("life"), [sourceName({ name: "life", digest: old })]);
    assert.match(await refusal("life-a"), /life-a says ever/);
  });

  it("is refused to a second stack before anything of that one is written", async () => {
    others = await deliveryProject("rival");
    await deliver(others, "audit", [policy("life-a"), policy("life-c")], { name: "rival" });
    const { code, output } = await others.run("up", "--yes", "--skip-preview");
    assert.notEqual(code, 0);
    assert.match(output, /ClusterPolicy\/life-a \(Kustomization flux-system\/life\)/);
    assert.equal(await cluster.get({ ...kustomization, name: "rival" }), undefined);
    assert.deepEqual(await sourcesOf("rival"), []);
    assert.match(await refusal("life-a"), /life-a says ever/);
  });

  it("goes on in the next run after one that was killed while it waited", async () => {
    await deliver(project, "enforce", [a, b], { dependsOn: ["nobody"] });
    const { child, result } = project.start("up", "--yes", "--skip-preview");
    const waits = async () => JSON.stringify(await cluster.get(kustomization)).includes("DependencyNotReady");
    for (let left = 200; left > 0 && !(await waits()); left--) await sleep(100);
    child.kill("SIGKILL");
    await result;
    await project.repair();
    const digest = await deliver(project, "enforce", [a, b]);
    await project.up();
    assert.equal((await project.outputs()).revision, digest);
    assert.match(await refusal("life-b"), /life-b says no/);
  });

  it("goes on under another name without a moment in which a policy is gone", async () => {
    const uid = async () => (await cluster.get(policyNamed("life-a")))?.metadata.uid;
    const before = await uid();
    await deliver(project, "enforce", [a, b], { name: "moved" });
    await project.up();
    assert.equal(await uid(), before);
    assert.equal(await cluster.get(kustomization), undefined);
    assert.match(await refusal("life-b"), /life-b says no/);
  });

  it("ends with nothing of it left in the cluster", async () => {
    const { code, output } = await project.run("destroy", "--yes", "--skip-preview");
    assert.equal(code, 0, output);
    for (const name of ["life", "moved"]) {
      assert.equal(await cluster.get({ ...kustomization, name }), undefined);
      assert.deepEqual(await sourcesOf(name), []);
    }
    for (let left = 100; left > 0 && (await cluster.get(policyNamed("life-a"))); left--) await sleep(100);
    for (const name of ["life-a", "life-b"]) assert.equal(await cluster.get(policyNamed(name)), undefined);
  });
});
