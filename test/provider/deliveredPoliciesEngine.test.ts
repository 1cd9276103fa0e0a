// What people read of a cluster through the real engine, against a stand-in of a cluster and the real registry.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fluxArtifact } from "../../lib/flux/artifact";
import { artifactFiles } from "../../lib/flux/content";
import { ownerLabels } from "../../lib/flux/owners";
import { pushArtifact } from "../../lib/flux/push";
import { RegistryClient } from "../../lib/oci/client";
import { parseRepository } from "../../lib/oci/reference";
import { type EngineProject, engineProject } from "../support/engine";
import { startRegistry } from "../support/registry";
import { type StandInCluster, startStandInCluster } from "../support/standInCluster";

const own = { namespace: "flux-system", name: "policies" };
const policy = {
  apiVersion: "kyverno.io/v1",
  kind: "ClusterPolicy",
  metadata: { name: "no-latest" },
  spec: { validationFailureAction: "Audit", rules: [{ name: "r", validate: { message: "no latest" } }] },
};

describe("stand-in: a cluster through the engine", function () {
  this.timeout(60_000);
  let registry: Awaited<ReturnType<typeof startRegistry>>;
  let cluster: StandInCluster;
  let project: EngineProject;
  let digest: string;

  /** One of Flux's objects, ready where it has a revision. */
  const flux = (kind: string, revision: string, spec: object = {}) => {
    const isSource = kind === "OCIRepository";
    const condition = { type: "Ready", reason: "Progressing", message: "building artifact", observedGeneration: 1 };
    const conditions = [{ ...condition, status: revision ? "True" : "Unknown" }];
    cluster.put({
      apiVersion: `${isSource ? "source" : "kustomize"}.toolkit.fluxcd.io/v1`,
      kind,
      metadata: { ...own, generation: 1 },
      spec: { interval: "10m", suspend: false, ...(isSource && { ref: { digest } }), ...spec },
      status: { observedGeneration: 1, conditions, artifact: { revision }, lastAppliedRevision: revision },
    });
  };
  const live = (name: string, message: string, metadata: object = { labels: ownerLabels(own) }) => {
    const rules = [{ name: "r", validate: { message } }];
    const status = { conditions: [{ type: "Ready", status: "True", reason: "Succeeded", message: "Ready" }] };
    cluster.put({
      ...policy,
      metadata: { name, ...metadata },
      spec: { ...policy.spec, background: true, rules },
      status,
    });
  };

  before(async () => {
    registry = await startRegistry();
    cluster = await startStandInCluster();
    project = await engineProject();
    const repository = `${registry.host}/releases/policies/dev`;
    const text = Buffer.from(JSON.stringify(policy));
    const artifact = fluxArtifact(artifactFiles({ repositories: { r: new Map([["p.yaml", text]]) } }).files);
    digest = artifact.digest;
    await pushArtifact(new RegistryClient(), parseRepository(repository), artifact);
    writeFileSync(join(project.dir, "kubeconfig"), cluster.kubeconfig);
    const place = { kubeconfig: "kubeconfig", namespace: "flux-system", kustomization: "policies" };
    const what = { repository, digest, enforcement: "asAuthored" };
    const policies = { "ClusterPolicy/no-latest": "as delivered" };
    project.write([
      { type: "DeliveryCheck", name: "check", args: { ...place, ...what } },
      { type: "DeliveredPolicies", name: "dev", args: { ...place, ...what, source: "policies", policies } },
    ]);
  });
  after(async () => {
    project?.dispose();
    await cluster?.stop();
    await registry?.stop();
  });

  it("is waited for, and a run that is killed meanwhile leaves nothing that the next one stumbles over", async () => {
    flux("OCIRepository", "");
    flux("Kustomization", "");
    const { child, result } = project.start("up", "--yes", "--skip-preview");
    while (!cluster.lines().some((line) => line.includes("ocirepositories/"))) await sleep(100);
    child.kill("SIGKILL");
    await result;
    for (let left = 20; project.plugins().length > 0 && left > 0; left--) await sleep(100);
    assert.deepEqual(project.plugins(), []);
    await project.run("cancel", "--yes");
    await project.run("refresh", "--clear-pending-creates", "--yes", "--skip-preview");

    for (const kind of ["OCIRepository", "Kustomization"]) flux(kind, digest);
    live("no-latest", "no latest");
    live("of-others", "x", {});
    await project.up();
    const { dev } = await project.outputs();
    assert.deepEqual([dev!.ready, dev!.revision, dev!.others], [true, digest, ["ClusterPolicy/of-others"]]);
    assert.deepEqual(
      cluster.lines().filter((line) => line.startsWith("PATCH") && !line.includes("dryRun")),
      [],
    );
  });

  it("is not asked by a preview in which nothing changes, and is no drift when others bring policies", async () => {
    const before = cluster.lines().length;
    const { code, output } = await project.run("preview", "--expect-no-changes");
    assert.deepEqual([code, cluster.lines().length], [0, before], output);
    live("of-others-too", "x", {});
    const refreshed = await project.run("refresh", "--preview-only", "--expect-no-changes");
    assert.equal(refreshed.code, 0, refreshed.output);
  });

  it("shows an edited policy and a suspended Kustomization by name, from what they are to what they should be", async () => {
    live("no-latest", "edited");
    flux("Kustomization", digest, { suspend: true });
    const { output } = await project.run("preview", "--refresh", "--diff");
    assert.match(output, /~ ClusterPolicy\/no-latest: "edited: spec.rules\[0\].validate.message" => "as delivered"/);
    assert.match(output, /~ Kustomization\/flux-system\/policies: "suspended" => "running"/);
    assert.match(output, /Flux does not put ClusterPolicy\/no-latest right while its Kustomization is suspended/);
    const drift = await project.run("refresh", "--preview-only", "--diff", "--expect-no-changes");
    assert.notEqual(drift.code, 0);
    assert.match(
      drift.output,
      /ClusterPolicy\/no-latest: "as delivered" => "edited: spec.rules\[0\].validate.message"/,
    );
  });

  it("is mended by up --refresh, by one request to Flux", async () => {
    flux("Kustomization", digest);
    cluster.onRequest(() => live("no-latest", "no latest"));
    await project.up("--refresh");
    const asked = cluster.lines().filter((line) => line.startsWith("PATCH") && !line.includes("dryRun"));
    assert.equal(asked.length, 1);
    const { code, output } = await project.run("refresh", "--preview-only", "--expect-no-changes");
    assert.equal(code, 0, output);
  });

  it("fails the refresh while it cannot be asked, and the state stays as it is", async () => {
    cluster.answer(() => ({ status: 500, body: "{}" }));
    const { code, output } = await project.run("refresh", "--yes", "--skip-preview");
    assert.notEqual(code, 0);
    assert.match(output, /answered 500/);
    cluster.answer(() => undefined);
    assert.equal((await project.outputs()).dev!.ready, true);
  });
});
