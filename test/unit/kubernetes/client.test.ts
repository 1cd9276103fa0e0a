// stand-in: the client of a cluster against a scripted API server.
import assert from "node:assert/strict";
import { type ClusterClient, type ClusterOptions, connectCluster } from "../../../lib/kubernetes/client";
import { refused } from "../../support/refused";
import {
  json,
  kubeconfigOf,
  notFound,
  refusedWith,
  type ScriptedCluster,
  startScriptedCluster,
} from "../../support/scriptedCluster";
import { startScriptedServer } from "../../support/scriptedServer";

const settings = { apiVersion: "v1", kind: "ConfigMap", name: "settings", namespace: "apps" };
const found = {
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name: "settings", namespace: "apps" },
  data: { a: "1" },
};

describe("stand-in: the client of a cluster", () => {
  let cluster: ScriptedCluster;
  const connect = (options: ClusterOptions = {}): Promise<ClusterClient> =>
    connectCluster({ kubeconfig: cluster.kubeconfig, ...options });

  before("the library, which is unbundled here, is loaded once", async function () {
    this.timeout(30_000);
    await import("@kubernetes/client-node/dist/config.js");
  });
  beforeEach(async () => {
    cluster = await startScriptedCluster();
  });
  afterEach(() => cluster.stop());

  it("reads an object, with the token of its kubeconfig", async () => {
    cluster.answer(() => json(found));
    assert.deepEqual(await (await connect()).get(settings), found);
    assert.deepEqual(cluster.lines(), ["GET /api/v1/namespaces/apps/configmaps/settings"]);
    assert.equal(cluster.server.requests.at(-1)!.headers.authorization, "Bearer stand-in-token");
  });

  it("answers undefined for an object that is not there", async () => {
    cluster.answer(() => notFound("settings"));
    assert.equal(await (await connect()).get(settings), undefined);
  });

  it("takes the namespace of the options for an object that names none, and none for a kind without", async () => {
    cluster.answer(() => notFound("x"));
    const client = await connect({ namespace: "team" });
    await client.get({ apiVersion: "v1", kind: "Secret", name: "login" });
    await client.get({ apiVersion: "v1", kind: "Namespace", name: "team" });
    assert.deepEqual(cluster.lines(), ["GET /api/v1/namespaces/team/secrets/login", "GET /api/v1/namespaces/team"]);
  });

  it("asks for the kinds of a version once", async () => {
    cluster.answer(() => notFound("settings"));
    const client = await connect();
    await client.get(settings);
    await client.get(settings);
    assert.equal(cluster.server.lines().filter((line) => line === "GET /api/v1").length, 1);
  });

  it("applies an object as a field manager, by force and as a dry run when it is told to", async () => {
    cluster.answer(() => json(found));
    const client = await connect();
    await client.apply(found, { fieldManager: "ours" });
    await client.apply(found, { fieldManager: "ours", dryRun: true, force: true });
    const path = "PATCH /api/v1/namespaces/apps/configmaps/settings";
    assert.deepEqual(cluster.lines(), [`${path}?fieldManager=ours`, `${path}?fieldManager=ours&dryRun=All&force=true`]);
    const { headers, body } = cluster.server.requests.at(-1)!;
    assert.equal(headers["content-type"], "application/apply-patch+yaml");
    assert.deepEqual(JSON.parse(body.toString()), found);
  });

  it("changes single fields by a merge patch", async () => {
    cluster.answer(() => json(found));
    await (await connect()).mergePatch(settings, { data: { a: null } }, { fieldManager: "ours" });
    assert.equal(cluster.server.requests.at(-1)!.headers["content-type"], "application/merge-patch+json");
  });

  it("deletes the object with one uid only, and says whether there was one", async () => {
    cluster.answer(({ index }) => (index === 1 ? json(found) : notFound("settings")));
    const client = await connect();
    assert.equal(await client.delete(settings, { propagation: "Foreground", uid: "u-1" }), true);
    assert.equal(await client.delete(settings), false);
    assert.deepEqual(JSON.parse(cluster.server.requests[1]!.body.toString()), {
      apiVersion: "v1",
      kind: "DeleteOptions",
      propagationPolicy: "Foreground",
      preconditions: { uid: "u-1" },
    });
  });

  it("lists all pages, and gives each item the kind that the list does not repeat", async () => {
    const { apiVersion: _, kind: __, ...item } = found;
    cluster.answer(({ path }) =>
      path.includes("continue=more")
        ? json({ kind: "ConfigMapList", metadata: {}, items: [item] })
        : json({ kind: "ConfigMapList", metadata: { continue: "more" }, items: [item] }),
    );
    const list = await (await connect()).list({ apiVersion: "v1", kind: "ConfigMap", labelSelector: "a=b" });
    assert.deepEqual(list, [found, found]);
    assert.match(cluster.lines()[0]!, /^GET \/api\/v1\/configmaps\?limit=500&labelSelector=a%3Db$/);
  });

  it("does not ask for ever for a list that has no end", async () => {
    const page = (token: string) => json({ kind: "ConfigMapList", metadata: { continue: token }, items: [] });
    const list = async () => (await connect()).list({ apiVersion: "v1", kind: "ConfigMap" });
    for (const [token, pages] of [
      [() => "again", 2],
      [(index: number) => `token-${index}`, 200],
    ] as const) {
      const before = cluster.lines().length;
      cluster.answer(({ index }) => page(token(index)));
      assert.match((await refused("cluster-answer-malformed", list)).message, /a list without an end/);
      assert.equal(cluster.lines().length, before + pages);
    }
  });

  it("ends at once when one call is stopped, also while it looks for the kind", async () => {
    const { host, stop } = await startScriptedServer(() => ({ delay: 5000 }));
    const client = await connect({ kubeconfig: kubeconfigOf(`http://${host}`) });
    for (const call of [
      (signal: AbortSignal) => client.list({ apiVersion: "v1", kind: "ConfigMap", signal }),
      (signal: AbortSignal) => client.get(settings, { signal }),
      (signal: AbortSignal) => client.apply(found, { fieldManager: "ours", signal }),
      (signal: AbortSignal) => client.delete(settings, { signal }),
      (signal: AbortSignal) => client.served("v1", "ConfigMap", { signal }),
      (signal: AbortSignal) => client.servedVersions("kyverno.io", { signal }),
    ]) {
      const controller = new AbortController();
      setTimeout(() => controller.abort(new Error("stopped")), 20);
      await assert.rejects(call(controller.signal), /^Error: stopped$/);
    }
    await stop();
  });

  it("says which controller brings a kind that is not served", async () => {
    const client = await connect();
    const reference = { apiVersion: "kustomize.toolkit.fluxcd.io/v1", kind: "Kustomization", name: "policies" };
    assert.equal(await client.served(reference.apiVersion, reference.kind), undefined);
    const error = await refused("kind-unserved", () => client.get(reference));
    assert.match(
      error.message,
      /does not serve the kind Kustomization of kustomize\.toolkit\.fluxcd\.io\/v1; .*flux install/,
    );
  });

  it("says which versions of a group are served instead", async () => {
    const reference = { apiVersion: "source.toolkit.fluxcd.io/v1beta2", kind: "OCIRepository", name: "policies" };
    const error = await refused("kind-unserved", async () => (await connect()).get(reference));
    assert.match(error.message, /it serves source\.toolkit\.fluxcd\.io\/v1\)/);
  });

  it("takes up a kind that was not served a moment ago", async () => {
    const client = await connect();
    assert.equal(await client.served("v1", "Widget"), undefined);
    assert.deepEqual((await client.served("v1", "Secret"))?.plural, "secrets");
  });

  it("names manager and field of a conflict", async () => {
    const causes = [
      { reason: "FieldManagerConflict", message: 'conflict with "kubectl-edit" using v1', field: ".data.a" },
    ];
    cluster.answer(() => refusedWith(409, "Conflict", "Apply failed with 1 conflict", { causes }));
    const error = await refused("field-conflict", async () => (await connect()).apply(found, { fieldManager: "ours" }));
    assert.match(error.message, /\.data\.a \(conflict with "kubectl-edit" using v1\)/);
  });

  const answers: readonly [code: number, error: string, message: RegExp][] = [
    [401, "cluster-unauthorized", /answered 401/],
    [403, "cluster-forbidden", /configmaps is forbidden/],
    [404, "cluster-refused", /namespaces "apps" not found/],
    [422, "cluster-refused", /is invalid/],
    [500, "cluster-failing", /internal error/],
  ];
  for (const [code, error, message] of answers)
    it(`calls an answer ${code} ${error}, in the cluster's own words`, async () => {
      const words = 'configmaps is forbidden; namespaces "apps" not found; is invalid; internal error\u001b[31m\n';
      cluster.answer(() => refusedWith(code, "Some", words));
      const thrown = await refused(error, async () => (await connect()).apply(found, { fieldManager: "ours" }));
      assert.match(thrown.message, message);
    });

  it("calls the denial of an admission webhook no matter of rights", async () => {
    cluster.answer(() =>
      refusedWith(403, "Forbidden", 'admission webhook "validate.kyverno.svc" denied the request: no'),
    );
    await refused("cluster-refused", async () => (await connect()).apply(found, { fieldManager: "ours" }));
  });

  it("asks an overloaded server again when it is told to come back", async () => {
    cluster.answer(({ index }) => (index < 3 ? json({}, 429, { "retry-after": "0" }) : json(found)));
    assert.deepEqual(await (await connect()).get(settings), found);
  });

  it("says that a cluster cannot be reached", async () => {
    await cluster.stop();
    const error = await refused("cluster-unreachable", async () => (await connect()).get(settings));
    assert.match(error.message, /nothing listens there \(ECONNREFUSED\)/);
    cluster = await startScriptedCluster();
  });

  it("says that a cluster is slow", async () => {
    cluster.answer(() => ({ delay: 5000 }));
    const client = await connect({ limits: { answerMs: 100 } });
    await refused("cluster-slow", () => client.get(settings));
  });

  it("ends at once when it is stopped", async () => {
    cluster.answer(() => ({ delay: 5000 }));
    const controller = new AbortController();
    const client = await connect({ signal: controller.signal });
    setTimeout(() => controller.abort(new Error("stopped")), 50);
    await assert.rejects(client.get(settings), /^Error: stopped$/);
  });

  it("goes on when the server closes a kept connection", async () => {
    cluster.answer(() => json(found));
    const client = await connect();
    await client.get(settings);
    await client.get(settings);
    cluster.answer(({ index }) => (index === 3 ? { reset: true } : json(found)));
    assert.deepEqual(await client.get(settings), found);
  });

  const hostile: readonly [what: string, body: string, status?: number][] = [
    ["no JSON", "<html>login</html>"],
    ["JSON that is no object", "[]"],
    ["an object without a name", JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: {} })],
    ["JSON as deep as a well", `${"[".repeat(100_000)}${"]".repeat(100_000)}`],
    ["nothing at all", ""],
  ];
  for (const [what, body] of hostile)
    it(`does not believe ${what}`, async () => {
      cluster.answer(() => ({ body }));
      await refused("cluster-answer-malformed", async () => (await connect()).get(settings));
    });

  it("does not follow a redirect with its token", async () => {
    cluster.answer(() => ({ status: 302, headers: { location: "http://127.0.0.1:1/" } }));
    await refused("cluster-refused", async () => (await connect()).get(settings));
  });

  it("passes on what the API server warns of", async () => {
    const heard: string[] = [];
    cluster.answer(() => json(found, 200, { warning: '299 - "v1 ComponentStatus is \\"deprecated\\""' }));
    await (await connect()).get(settings, { onWarning: (text) => heard.push(text) });
    assert.deepEqual(heard, ['v1 ComponentStatus is "deprecated"']);
  });

  it("asks as another user where the kubeconfig says so", async () => {
    cluster.answer(() => json(found));
    const kubeconfig = kubeconfigOf(`http://${cluster.server.host}`, { token: "t", as: "ann", "as-groups": ["dev"] });
    await (await connect({ kubeconfig })).get(settings);
    const { headers } = cluster.server.requests.at(-1)!;
    assert.deepEqual([headers["impersonate-user"], headers["impersonate-group"]], ["ann", "dev"]);
  });
});
