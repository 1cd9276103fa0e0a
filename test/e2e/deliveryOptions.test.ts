// What a delivery may be told beside digest and enforcement, on the real control plane: a range of versions that a cluster follows by
// itself, the service account that Flux applies as, and the authority of a company's own registry.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { deliveryFacts } from "../../lib/flux/delivery";
import { type ClusterClient, connectCluster } from "../../lib/kubernetes/client";
import type { KubernetesObject } from "../../lib/kubernetes/objects";
import { type Authority, makeAuthority } from "../support/authority";
import { type DeliveryProject, deliveryProject } from "../support/deliveryProject";
import { type Outside, startOutside } from "../support/outside";
import { configMapPolicy, type PushedPolicies, pushPolicies } from "../support/pushPolicies";
import { startRegistry, type TestRegistry } from "../support/registry";
import { testCluster } from "../support/testCluster";

const { kubeconfig, name: context } = testCluster;

describe("a delivery on a real cluster", function () {
  this.timeout(120_000);
  let registry: TestRegistry;
  let cluster: ClusterClient;
  const projects: DeliveryProject[] = [];

  const newProject = async (name: string, environment?: NodeJS.ProcessEnv) => {
    const project = await deliveryProject(name, environment);
    projects.push(project);
    return project;
  };
  /** Writes a program that delivers what was pushed, as `asAuthored`. */
  const deliver = (project: DeliveryProject, name: string, pushed: PushedPolicies, more: object = {}) => {
    const { repository, digest, documents } = pushed;
    const names = documents.map(({ kind, name: policy }) => `${kind}/${policy}`);
    const policies = { ...deliveryFacts(documents, { enforcement: "asAuthored" }), names };
    const place = { kubeconfig, context, name, timeoutSeconds: 30, timeout: "15s" };
    project.write({ ...place, repository, digest, policies, ...more });
  };
  const refused = async (project: DeliveryProject, says: RegExp) => {
    const { code, output } = await project.run("up", "--yes", "--skip-preview");
    assert.notEqual(code, 0);
    assert.match(output, says);
  };
  const apply = (object: KubernetesObject & object) => cluster.apply(object, { fieldManager: "admin", force: true });
  const policyNamed = (name: string) => cluster.get({ apiVersion: "kyverno.io/v1", kind: "ClusterPolicy", name });

  before(async () => {
    registry = await startRegistry();
    cluster = await connectCluster({ kubeconfig, context, namespace: "flux-system" });
  });
  after(async () => {
    for (const project of projects) {
      await project.run("destroy", "--yes", "--skip-preview");
      project.dispose();
    }
    for (const kind of ["ClusterRole", "ClusterRoleBinding"])
      await cluster.delete({ apiVersion: "rbac.authorization.k8s.io/v1", kind, name: "policies-only" });
    for (const [kind, name] of [
      ["ServiceAccount", "policies-only"],
      ["Secret", "registry-authority"],
    ] as const)
      await cluster.delete({ apiVersion: "v1", kind, name, namespace: "flux-system" });
    await registry?.stop();
  });

  it("follows a range: a release is taken without a run, which is no drift, and one outside of the range is not", async () => {
    const repository = `${registry.host}/releases/policies/follow`;
    const release = (tag: string, message: string) =>
      pushPolicies(repository, [configMapPolicy("follow-a", message)], { tag });
    const first = await release("v1.0.0", "first words");
    const project = await newProject("follow");
    deliver(project, "follow", first, {
      follow: ">=1.0.0 <2.0.0",
      interval: "2s",
      policies: { patches: [], healthCheckExprs: [], names: [] },
    });
    await project.up();
    const { revision, ready, policies } = await project.outputs();
    assert.deepEqual([revision, ready], [`v1.0.0@${first.digest}`, true]);
    assert.deepEqual(policies, [{ kind: "ClusterPolicy", name: "follow-a", action: "audit", ready: true }]);
    await release("v2.0.0", "words of another major");
    await release("v1.1.0", "second words");
    const words = async () => JSON.stringify((await policyNamed("follow-a"))?.spec);
    for (let left = 200; left > 0 && !(await words()).includes("second words"); left--) await sleep(100);
    assert.match(await words(), /second words/);
    const { code, output } = await project.run("refresh", "--preview-only", "--expect-no-changes", "--diff");
    assert.equal(code, 0, output);
    await project.up("--refresh", "--expect-no-changes");
  });

  it("applies as the service account that it names, whose missing right is told in the cluster's own words", async () => {
    await apply({
      apiVersion: "v1",
      kind: "ServiceAccount",
      metadata: { name: "policies-only", namespace: "flux-system" },
    });
    const policies = await pushPolicies(`${registry.host}/releases/policies/account`, [configMapPolicy("account-a")]);
    const project = await newProject("account");
    deliver(project, "account", policies, { serviceAccount: "policies-only" });
    await refused(project, /system:serviceaccount:flux-system:policies-only.*cannot .* resource "clusterpolicies"/s);
    assert.equal(await policyNamed("account-a"), undefined);
    const role = { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "policies-only" };
    const verbs = ["get", "list", "watch", "create", "update", "patch", "delete"];
    await apply({
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "ClusterRole",
      metadata: { name: role.name },
      rules: [{ apiGroups: ["kyverno.io"], resources: ["clusterpolicies"], verbs }],
    } as KubernetesObject);
    await apply({
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "ClusterRoleBinding",
      metadata: { name: role.name },
      roleRef: role,
      subjects: [{ kind: "ServiceAccount", name: role.name, namespace: "flux-system" }],
    } as KubernetesObject);
    await project.up();
    assert.equal((await project.outputs()).ready, true);
    assert.ok(await policyNamed("account-a"));
  });

  describe("from a registry of a company's own authority", () => {
    let authority: Authority;
    let secured: TestRegistry;
    let outside: Outside;
    let pushed: PushedPolicies;
    let project: DeliveryProject;
    before(async () => {
      authority = await makeAuthority(hostname());
      const { certificate, key } = authority;
      secured = await startRegistry({ storage: `${registry.dir}/storage`, tls: { certificate, key } });
      const path = "releases/policies/authority";
      pushed = await pushPolicies(`${registry.host}/${path}`, [configMapPolicy("authority-a")]);
      outside = await startOutside(secured.host);
      pushed = { ...pushed, repository: `${outside.host}/${path}` };
      project = await newProject("authority", { NODE_EXTRA_CA_CERTS: authority.file });
    });
    after(async () => {
      outside?.stop();
      await secured?.stop();
      authority?.remove();
    });

    it("says that its certificate is unknown while the cluster has no secret with the authority", async () => {
      deliver(project, "authority", pushed);
      await refused(project, /certificate signed by unknown authority/);
    });

    it("is pulled once certSecretRef names one", async () => {
      await apply({
        apiVersion: "v1",
        kind: "Secret",
        metadata: { name: "registry-authority", namespace: "flux-system" },
        stringData: { "ca.crt": readFileSync(authority.file, "utf8") },
      } as KubernetesObject);
      deliver(project, "authority", pushed, { certSecretRef: "registry-authority" });
      await project.up();
      assert.deepEqual([(await project.outputs()).revision], [pushed.digest]);
      assert.ok(await policyNamed("authority-a"));
    });
  });
});
