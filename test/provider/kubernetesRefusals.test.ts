// What the closed-network plugin `kubernetes` does when an object cannot be as it was declared, against the real API server.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { type ClusterClient, connectCluster } from "../../lib/kubernetes/client";
import type { KubernetesObject } from "../../lib/kubernetes/objects";
import { checkConfiguration, diffConfiguration } from "../../local/plugins/kubernetes/configure";
import { secret, Unfinished, type Values } from "../../provider/host";
import {
  handler,
  inPreview,
  type ObjectStand,
  source,
  sources,
  sourceType,
  startObjectStand,
} from "../support/clusterObjects";
import { refused } from "../support/refused";
import { json, startScriptedCluster } from "../support/scriptedCluster";

describe("an object that a cluster does not take", function () {
  this.timeout(60_000);
  let stand: ObjectStand;
  before(async () => {
    stand = await startObjectStand();
  });
  after(() => stand?.stop());
  beforeEach(() => stand.use());

  it("that the API server refuses is refused in the preview already", async () => {
    const error = await refused("cluster-refused", () =>
      sources.create(stand.context("bad", inPreview), source("bad", { interval: "soon" })),
    );
    assert.match(error.message, /spec\.interval.*"soon"/);
  });

  it("with a field that its kind does not have is refused in the preview already", async () => {
    const error = await refused("cluster-refused", () =>
      sources.create(stand.context("typo", inPreview), source("typo", { intervall: "1m" })),
    );
    assert.match(error.message, /\.spec\.intervall: field not declared in schema/);
  });

  it("that another stack has made is not taken over, which a preview warns of", async () => {
    await sources.create(stand.context("one"), source("shared"));
    const other = source("shared", { interval: "1m" });
    const words = /has OCIRepository default\/shared already, managed by pulumi-kubernetes-/;
    await sources.create(stand.context("two", inPreview), other);
    assert.match(stand.warnings[0]!, words);
    const error = await refused("object-exists", () => sources.create(stand.context("two"), other));
    assert.match(error.message, words);
    stand.use({ upsertExistingObjects: "true" });
    await refused("field-conflict", () => sources.create(stand.context("two"), other));
  });

  it("that this resource has made under a provider that is replaced is not taken for its own", async () => {
    const used = (id: string) => stand.use({}, id);
    used("old");
    const { outputs } = await sources.create(stand.context("moved"), source("moved"));
    await sources.create(stand.context("moved"), source("moved"));
    used("new");
    const words = /default\/moved already, .*this very resource has made it, by another way to the cluster/;
    await sources.create(stand.context("moved", inPreview), source("moved"));
    assert.match(stand.warnings[0]!, words);
    const error = await refused("object-exists", () => sources.create(stand.context("moved"), source("moved")));
    assert.match(error.message, words);
    await sources.update(stand.context("moved"), "default/moved", source("moved"), outputs, source("moved"));
  });

  it("is not deleted where somebody else has made another one under its name", async () => {
    const { id, outputs } = await sources.create(stand.context("anew"), source("anew"));
    const which = { ...sourceType, name: "anew", namespace: "default" };
    const make = (fieldManager: string) =>
      stand.client.apply(source("anew") as unknown as KubernetesObject, { fieldManager });
    await stand.client.delete(which);
    await make("kubectl");
    await sources.delete!(stand.context("anew"), id, outputs);
    assert.match(stand.warnings[0]!, /OCIRepository default\/anew stays in the cluster: it is not the one/);
    assert.ok(await stand.client.get(which));
    await stand.client.delete(which);
    await make(String(outputs.__fieldManager));
    await sources.delete!(stand.context("anew"), id, outputs);
    assert.equal(await stand.client.get(which), undefined);
  });

  it("is waited for as its annotation says, at its own generation, and kept with the reason when it does not come", async () => {
    const waiting = (wanted: string) =>
      source("slow", {}, { annotations: { "pulumi.com/waitFor": wanted, "pulumi.com/timeoutSeconds": "1" } });
    const condition = {
      type: "Ready",
      status: "False",
      reason: "Failed",
      message: "no such host",
      lastTransitionTime: "2026-01-01T00:00:00Z",
    };
    const status = (observedGeneration: number, state: string) =>
      stand.client.apply(
        {
          ...(source("slow") as unknown as KubernetesObject),
          spec: undefined,
          status: { observedGeneration, conditions: [{ ...condition, status: state, observedGeneration }] },
        } as KubernetesObject,
        { fieldManager: "controller", force: true, subresource: "status" },
      );
    const first = sources.create(stand.context("slow"), waiting("condition=Ready"));
    const failed = await first.then(
      () => assert.fail("nothing made it ready"),
      (error: unknown) => error,
    );
    assert.ok(failed instanceof Unfinished);
    assert.match(
      failed.message,
      /OCIRepository default\/slow is not ready after 1 s: condition=Ready \(found no condition Ready yet\)/,
    );
    assert.equal(failed.id, "default/slow");
    const update = (wanted: string) =>
      sources.update(stand.context("slow"), failed.id, waiting("x"), failed.outputs, waiting(wanted));
    await status(1, "False");
    await assert.rejects(update("condition=Ready"), /Ready=False \(Failed: no such host\)/);
    await status(0, "True");
    await assert.rejects(update("condition=Ready"), /of generation 0/);
    await status(1, "True");
    await update('["condition=Ready", "jsonpath={.status.observedGeneration}=1"]');
  });

  it("is not waited for any more when the run is stopped", async () => {
    const controller = new AbortController();
    const inputs = source("stopped", {}, { annotations: { "pulumi.com/waitFor": "condition=Ready" } });
    setTimeout(() => controller.abort(new Error("cancelled")), 300);
    await assert.rejects(
      sources.create(stand.context("stopped", { signal: controller.signal }), inputs),
      (error: unknown) => {
        assert.ok(error instanceof Unfinished);
        assert.match(error.message, /was not waited for to the end/);
        return true;
      },
    );
  });

  it("with a secret in it is refused without the secret", async () => {
    const url = { url: secret("https://ann:hunter2@registry") };
    const error = await refused("cluster-refused", () => sources.create(stand.context("leak"), source("leak", url)));
    assert.doesNotMatch(error.message, /hunter2/);
    assert.match(error.message, /\[secret\]/);
  });

  it("of a kind that is not served is warned of in a preview and refused by an update, with what to install", async () => {
    const kustomizations = handler("kubernetes:kustomize.toolkit.fluxcd.io/v1:Kustomization");
    const inputs = {
      apiVersion: "kustomize.toolkit.fluxcd.io/v1",
      kind: "Kustomization",
      metadata: { name: "policies", namespace: "default" },
      spec: {},
    };
    assert.equal((await kustomizations.create(stand.context("k", inPreview), inputs)).outputs, inputs);
    assert.match(stand.warnings[0]!, /does not serve the kind Kustomization.*flux install/);
    await refused("kind-unserved", () => kustomizations.create(stand.context("k"), inputs));
    assert.equal(await kustomizations.read!(stand.context("k"), "default/policies", inputs, {}), undefined);
    await kustomizations.delete!(stand.context("k"), "default/policies", {});
  });

  for (const [user, code, words] of [
    ["weak", "cluster-forbidden", /answered 403 .*User "weak" cannot/],
    ["nobody", "cluster-unauthorized", /answered 401/],
  ] as const)
    it(`of a user ${user === "weak" ? "without the right" : "that the cluster does not know"} is refused by an update, and does not stop a preview`, async () => {
      stand.use({ context: user });
      await sources.create(stand.context(user, inPreview), source(user));
      assert.match(stand.warnings[0]!, words);
      await refused(code, () => sources.create(stand.context(user), source(user)));
      await refused(code, () => sources.read!(stand.context(user), `default/${user}`, source(user), {}));
    });

  it("of a cluster whose certificate the kubeconfig does not vouch for is not sent there", async () => {
    const kubeconfig = JSON.parse(readFileSync(stand.server.kubeconfig, "utf8"));
    delete kubeconfig.clusters[0].cluster["certificate-authority"];
    stand.use({ kubeconfig: JSON.stringify(kubeconfig) });
    const error = await refused("cluster-unreachable", () => sources.create(stand.context("x"), source("x")));
    assert.match(error.message, /its certificate is of an authority that the kubeconfig does not name/);
  });

  it("of a cluster that hangs is an error in time, and there again once that answers", async () => {
    const { kubeconfig } = stand.server;
    const look = (client: ClusterClient) => client.get({ apiVersion: "v1", kind: "Namespace", name: "default" });
    const limits = { connectMs: 300, answerMs: 300 };
    const known = await connectCluster({ kubeconfig, limits });
    await look(known);
    await stand.server.whileItHangs(async () => {
      await refused("cluster-slow", () => look(known));
      await refused("cluster-unreachable", async () => look(await connectCluster({ kubeconfig, limits })));
    });
    assert.ok(await look(await connectCluster({ kubeconfig })));
  });

  it("of a cluster that is gone is not forgotten, unless the user says so", async () => {
    const gone = stand.server.kubeconfig;
    const kubeconfig = JSON.stringify({
      "current-context": "a",
      clusters: [{ name: "a", cluster: { server: "https://127.0.0.1:1" } }],
      users: [{ name: "a", user: {} }],
      contexts: [{ name: "a", context: { cluster: "a", user: "a" } }],
    });
    stand.use({ kubeconfig });
    await refused("cluster-unreachable", () => sources.read!(stand.context("x"), "default/x", source("x"), {}));
    await sources.create(stand.context("x", inPreview), source("x"));
    assert.match(stand.warnings[0]!, /cannot be reached/);
    stand.use({ kubeconfig, deleteUnreachable: "true" });
    assert.equal(await sources.read!(stand.context("x"), "default/x", source("x"), {}), undefined);
    await sources.delete!(stand.context("x"), "default/x", {});
    assert.deepEqual(
      (await diffConfiguration({ kubeconfig: gone }, { kubeconfig }, stand.context("x").signal)).changes,
      {
        kubeconfig: "update-replace",
      },
    );
  });

  it("is replaced where the way to its cluster becomes one to another cluster, and only there", async () => {
    const written = readFileSync(stand.server.kubeconfig, "utf8");
    /** A text, which finds no files, with one change in its cluster and one in its user. */
    const way = (cluster: object, user = "admin") => {
      const kubeconfig = JSON.parse(written);
      const { server } = kubeconfig.clusters[0].cluster;
      kubeconfig.clusters[0].cluster = { server, "insecure-skip-tls-verify": true, ...cluster };
      return { kubeconfig: JSON.stringify({ ...kubeconfig, "current-context": user }) };
    };
    const name = { server: JSON.parse(written).clusters[0].cluster.server.replace("127.0.0.1", "localhost") };
    const diff = async (olds: Values, news: Values) =>
      (await diffConfiguration(olds, news, stand.context("x").signal)).changes.kubeconfig;
    const file = { kubeconfig: stand.server.kubeconfig };
    assert.equal(await diff(file, way({})), "update");
    assert.equal(await diff(way({}), way(name)), "update");
    assert.equal(await diff(way({ server: "https://127.0.0.1:1" }), way({})), "update-replace");
    assert.equal(await diff(way({}), way(name, "weak")), "update-replace");
    const other = await startScriptedCluster(() =>
      json({ apiVersion: "v1", kind: "Namespace", metadata: { name: "kube-system", uid: "another" } }),
    );
    assert.equal(await diff(file, { kubeconfig: other.kubeconfig }), "update-replace");
    await other.stop();
  });

  it("without a name, of another kind than its type, or with a condition that nobody understands is refused by the check", async () => {
    const failures = async (inputs: Values) =>
      (await sources.check!(stand.context("x"), undefined, inputs)).failures!.map(({ property }) => property);
    assert.deepEqual(await failures({ ...source("x"), kind: "HelmRepository", metadata: {} }), [
      "kind",
      "metadata.name",
    ]);
    assert.deepEqual(await failures(source("x", {}, { annotations: { "pulumi.com/waitFor": "Ready" } })), [
      'metadata.annotations["pulumi.com/waitFor"]',
    ]);
    assert.deepEqual(
      checkConfiguration({ renderYamlToDirectory: "x", enableServerSideApply: "false" }).failures?.length,
      2,
    );
  });
});
