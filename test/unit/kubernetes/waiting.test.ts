// stand-in: waiting for an object while its cluster is away for a moment, against a scripted server.
import assert from "node:assert/strict";
import { type ClusterClient, connectCluster } from "../../../lib/kubernetes/client";
import type { KubernetesObject } from "../../../lib/kubernetes/objects";
import { parseWaitFor } from "../../../local/plugins/kubernetes/conditions";
import { NotReady, untilGone, untilReady } from "../../../local/plugins/kubernetes/waiting";
import type { ResourceContext } from "../../../provider/host";
import { json, notFound, refusedWith, type ScriptedCluster, startScriptedCluster } from "../../support/scriptedCluster";

describe("stand-in: waiting for an object of a cluster that is away for a moment", () => {
  let cluster: ScriptedCluster;
  let client: ClusterClient;
  let lines: string[];
  before(async () => {
    cluster = await startScriptedCluster();
    client = await connectCluster({ kubeconfig: cluster.kubeconfig });
  });
  after(() => cluster.stop());

  const object: KubernetesObject = {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "settings", namespace: "apps", uid: "u-1" },
  };
  const ready = { ...object, data: { ready: "yes" } };
  const context = (signal = new AbortController().signal) => {
    lines = [];
    return { signal, progress: (text: string) => lines.push(text) } as unknown as ResourceContext;
  };
  const conditions = parseWaitFor("jsonpath={.data.ready}=yes");
  const away = [() => ({ reset: true }), () => refusedWith(500, "InternalError", "etcdserver: leader changed")];
  /** What the cluster answers to one look after the other. */
  const answers = (...list: Parameters<ScriptedCluster["answer"]>[0][]) => {
    let asked = 0;
    cluster.answer((request) => list[Math.min(asked++, list.length - 1)]!(request));
  };

  it("goes on until the object is ready", async () => {
    answers(...away, () => json(ready));
    assert.deepEqual(await untilReady(client, context(), object, conditions, 5000), ready);
    assert.ok(lines.some((line) => /nothing there yet\); since then .*leader changed/.test(line)));
  });

  it("says at its end what was seen last, and that the cluster was away", async () => {
    answers(() => ({ reset: true }));
    await assert.rejects(untilReady(client, context(), object, conditions, 300), (error: unknown) => {
      assert.ok(error instanceof NotReady);
      assert.match(String(error.cause), /is not ready after 0.3 s: .*nothing there yet.*cannot be reached/);
      return true;
    });
  });

  it("ends at once where the cluster refuses", async () => {
    answers(() => refusedWith(403, "Forbidden", "configmaps is forbidden"));
    await assert.rejects(untilReady(client, context(), object, conditions, 60_000), (error: unknown) => {
      assert.ok(error instanceof NotReady);
      assert.match(String(error.cause), /is forbidden/);
      return true;
    });
  });

  it("goes on until the object is gone, and no longer than it is told", async () => {
    const which = { ...object.metadata, apiVersion: "v1", kind: "ConfigMap" };
    answers(...away, () => notFound("settings"));
    await untilGone(client, context(), which, "u-1", 5000);
    answers(() => ({ reset: true }));
    await assert.rejects(untilGone(client, context(), which, "u-1", 200), /cannot be reached/);
  });
});
