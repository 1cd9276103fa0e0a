// The handlers of the closed-network plugin `kubernetes` against the real API server.
import assert from "node:assert/strict";
import { parse } from "yaml";
import { type ClusterClient, connectCluster } from "../../lib/kubernetes/client";
import type { KubernetesObject } from "../../lib/kubernetes/objects";
import { checkConfiguration, configure, diffConfiguration } from "../../local/plugins/kubernetes/configure";
import { resourceOf } from "../../local/plugins/kubernetes/resource";
import {
  isSecret,
  type ResourceContext,
  type ResourceHandler,
  secret,
  UNKNOWN,
  Unfinished,
  type Values,
} from "../../provider/host";
import { type ApiServer, sourceDefinitions, startApiServer } from "../support/apiServer";
import { refused } from "../support/refused";

const warnings: string[] = [];
const context = (name: string, more: Partial<ResourceContext> = {}): ResourceContext => ({
  urn: `urn:pulumi:dev::policy-platform::kubernetes:x/v1:X::${name}`,
  preview: false,
  signal: new AbortController().signal,
  timeoutSeconds: 0,
  configuration: {},
  progress: () => {},
  info: () => {},
  warn: (text) => warnings.push(text),
  ...more,
});
const preview = { preview: true };

describe("an object of a cluster", function () {
  this.timeout(60_000);
  let server: ApiServer;
  let client: ClusterClient;
  const never = new AbortController().signal;
  const use = (more: Values = {}) => configure({ kubeconfig: server.kubeconfig, ...more }, never);

  before(async () => {
    server = await startApiServer();
    client = await connectCluster({ kubeconfig: server.kubeconfig });
    const definition = parse(sourceDefinitions("ocirepositories")) as KubernetesObject;
    await client.apply(definition, { fieldManager: "test" });
    while (!(await client.served("source.toolkit.fluxcd.io/v1", "OCIRepository"))) await new Promise(setImmediate);
  });
  after(() => server?.stop());
  beforeEach(() => {
    warnings.length = 0;
    use();
  });

  const of = (token: string): ResourceHandler => resourceOf(token)!;
  const namespaces = of("kubernetes:core/v1:Namespace");
  const secrets = of("kubernetes:core/v1:Secret");
  const sources = of("kubernetes:source.toolkit.fluxcd.io/v1:OCIRepository");
  const named = (name: string, more: Values = {}): Values => ({ metadata: { name, namespace: "default", ...more } });
  const source = (name: string, spec: Values = {}, metadata: Values = {}): Values => ({
    apiVersion: "source.toolkit.fluxcd.io/v1",
    kind: "OCIRepository",
    ...named(name, metadata),
    spec: { url: "oci://127.0.0.1:5000/releases", interval: "10m", suspend: false, ...spec },
  });
  const login = (name: string, password: string): Values => ({
    apiVersion: "v1",
    kind: "Secret",
    ...named(name),
    type: "Opaque",
    stringData: secret({ password }),
  });
  const checked = async (handler: ResourceHandler, inputs: Values) => {
    const { inputs: result, failures } = await handler.check!(context("x"), undefined, inputs);
    assert.deepEqual(failures, []);
    return result;
  };
  const edit = (name: string, patch: object, fieldManager = "kubectl-edit") =>
    client.mergePatch(
      { apiVersion: "source.toolkit.fluxcd.io/v1", kind: "OCIRepository", name, namespace: "default" },
      patch,
      { fieldManager },
    );

  it("is made once, and its state has the official plugin's shape", async () => {
    const inputs = source("made");
    const { id, outputs } = await sources.create(context("made"), inputs);
    assert.equal(id, "default/made");
    assert.deepEqual(outputs.__inputs, inputs);
    assert.equal(outputs.__initialApiVersion, "source.toolkit.fluxcd.io/v1");
    assert.match(String(outputs.__fieldManager), /^pulumi-kubernetes-[0-9a-f]{8}$/);
    assert.equal((outputs.metadata as Values).generation, 1);
    assert.deepEqual((await sources.diff!(context("made"), id, inputs, outputs, inputs)).changes, {});
    const read = await sources.read!(context("made"), id, inputs, outputs);
    assert.deepEqual(read, { id, inputs, outputs });
  });

  it("is only dry-run in a preview, which knows what it cannot know", async () => {
    const { id, outputs } = await sources.create(context("dry", preview), source("dry"));
    const { uid, name } = outputs.metadata as Values;
    assert.deepEqual([id, name, uid, outputs.status], ["", "dry", UNKNOWN, undefined]);
    assert.equal(await sources.read!(context("dry"), "default/dry", source("dry"), {}), undefined);
  });

  it("that the API server refuses is refused in the preview already", async () => {
    const error = await refused("cluster-refused", () =>
      sources.create(context("bad", preview), source("bad", { interval: "soon" })),
    );
    assert.match(error.message, /spec\.interval.*"soon"/);
  });

  it("with a field that its kind does not have is refused in the preview already", async () => {
    const error = await refused("cluster-refused", () =>
      sources.create(context("typo", preview), source("typo", { intervall: "1m" })),
    );
    assert.match(error.message, /\.spec\.intervall: field not declared in schema/);
  });

  it("is read with what somebody else changed in it, and put right again by force only", async () => {
    const inputs = source("edited");
    const { id, outputs } = await sources.create(context("edited"), inputs);
    await edit("edited", { spec: { suspend: true, timeout: "5m" }, metadata: { labels: { theirs: "yes" } } });
    const read = (await sources.read!(context("edited"), id, inputs, outputs))!;
    assert.deepEqual(read.inputs, source("edited", { suspend: true }));
    assert.deepEqual((await sources.diff!(context("edited"), id, read.inputs, read.outputs, inputs)).changes, {
      "spec.suspend": "update",
    });
    const update = (news: Values) => sources.update(context("edited"), id, read.inputs, read.outputs, news);
    const conflict = await refused("field-conflict", () => update(inputs));
    assert.match(conflict.message, /\.spec\.suspend \(conflict with "kubectl-edit" using/);
    const forced = await update(source("edited", {}, { annotations: { "pulumi.com/patchForce": "true" } }));
    assert.deepEqual([(forced.spec as Values).suspend, (forced.spec as Values).timeout], [false, "5m"]);
  });

  it("that another stack has made is not taken over", async () => {
    await sources.create(context("one"), source("shared"));
    for (const more of [preview, {}]) {
      const error = await refused("object-exists", () =>
        sources.create(context("two", more), source("shared", { interval: "1m" })),
      ).catch((reason) => (more === preview ? undefined : Promise.reject(reason)));
      if (error)
        assert.match(error.message, /has OCIRepository default\/shared already, managed by pulumi-kubernetes-/);
    }
    use({ upsertExistingObjects: "true" });
    await refused("field-conflict", () => sources.create(context("two"), source("shared", { interval: "1m" })));
  });

  it("that an interrupted run has made is finished by the next one", async () => {
    await sources.create(context("again"), source("again"));
    const { id } = await sources.create(context("again"), source("again", { interval: "1m" }));
    assert.equal(id, "default/again");
  });

  it("that `kubectl apply` or the official plugin has changed is taken over by an update", async () => {
    const { id, outputs } = await sources.create(context("taken"), source("taken"));
    for (const manager of ["kubectl", "pulumi-kubernetes"]) {
      await edit("taken", { spec: { interval: "7m" } }, manager);
      const made = await sources.update(context("taken"), id, source("taken"), outputs, source("taken"));
      assert.equal((made.spec as Values).interval, "10m");
    }
  });

  it("lets go of its fields when its manager gets another name", async () => {
    const { id, outputs } = await sources.create(context("renamed"), source("renamed"));
    const news = source("renamed", {}, { annotations: { "pulumi.com/patchFieldManager": "team" } });
    await sources.update(context("renamed"), id, source("renamed"), outputs, news);
    const live = await client.get({
      apiVersion: "source.toolkit.fluxcd.io/v1",
      kind: "OCIRepository",
      name: "renamed",
      namespace: "default",
    });
    assert.deepEqual([...new Set(live!.metadata.managedFields!.map(({ manager }) => manager))], ["team"]);
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
      client.apply(
        {
          ...(source("slow") as unknown as KubernetesObject),
          spec: undefined,
          status: { observedGeneration, conditions: [{ ...condition, status: state, observedGeneration }] },
        } as KubernetesObject,
        { fieldManager: "controller", force: true, subresource: "status" },
      );
    const first = sources.create(context("slow"), waiting("condition=Ready"));
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
      sources.update(context("slow"), failed.id, waiting("x"), failed.outputs, waiting(wanted));
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
      sources.create(context("stopped", { signal: controller.signal }), inputs),
      (error: unknown) => {
        assert.ok(error instanceof Unfinished);
        assert.match(error.message, /was not waited for to the end/);
        return true;
      },
    );
  });

  it("is deleted, and waited for until what holds it is gone", async () => {
    const inputs = source(
      "held",
      {},
      { finalizers: ["test.dev/held"], annotations: { "pulumi.com/timeoutSeconds": "1" } },
    );
    const { id, outputs } = await sources.create(context("held"), inputs);
    const error = await refused("object-not-deleted", () => sources.delete!(context("held"), id, outputs));
    assert.match(error.message, /held by the finalizers .*test\.dev\/held/);
    await edit("held", { metadata: { finalizers: null } });
    await sources.delete!(context("held"), id, outputs);
    await sources.delete!(context("held"), id, outputs);
  });

  it("of the kind Secret never shows its data, and is replaced or changed by it as the provider says", async () => {
    const inputs = await checked(secrets, login("login", "hunter2"));
    assert.deepEqual(Object.keys(inputs).sort(), ["apiVersion", "data", "kind", "metadata", "type"]);
    const { id, outputs } = await secrets.create(context("login"), inputs);
    assert.ok(isSecret(inputs.data) && isSecret(outputs.data) && isSecret((outputs.__inputs as Values).data));
    const shown = JSON.stringify({ ...outputs, data: 0, __inputs: { ...(outputs.__inputs as Values), data: 0 } });
    assert.doesNotMatch(shown, /hunter2|aHVudGVyMg/);
    assert.deepEqual((await secrets.read!(context("login"), id, inputs, outputs))!.inputs, inputs);
    const rotated = await checked(secrets, login("login", "hunter3"));
    const diff = () => secrets.diff!(context("login"), id, inputs, outputs, rotated);
    assert.deepEqual(await diff(), { changes: { "data.password": "update-replace" }, deleteBeforeReplace: true });
    use({ enableSecretMutable: "true" });
    assert.deepEqual(await diff(), { changes: { "data.password": "update" }, deleteBeforeReplace: false });
  });

  it("with a secret in it is refused without the secret", async () => {
    const url = { url: secret("https://ann:hunter2@registry") };
    const error = await refused("cluster-refused", () => sources.create(context("leak"), source("leak", url)));
    assert.doesNotMatch(error.message, /hunter2/);
    assert.match(error.message, /\[secret\]/);
  });

  it("is replaced where its name or namespace changes, and only there", async () => {
    const diff = async (news: Values) => sources.diff!(context("x"), "default/x", source("x"), {}, news);
    assert.deepEqual((await diff(source("y"))).changes, { "metadata.name": "update-replace" });
    assert.deepEqual((await diff(source("x", {}, { namespace: "a" }))).changes, {
      "metadata.namespace": "add-replace",
    });
    assert.deepEqual((await diff(source("x", {}, { namespace: undefined }))).changes, {});
  });

  it("in a namespace that the same update makes has no preview, and no warning", async () => {
    const inputs = source("later", {}, { namespace: "later" });
    assert.deepEqual(await sources.create(context("later", preview), inputs), { id: "", outputs: inputs });
    assert.deepEqual(warnings, []);
    const namespace = { apiVersion: "v1", kind: "Namespace", metadata: { name: "later" } };
    const { id, outputs } = await namespaces.create(context("later"), namespace);
    await sources.create(context("later-source"), inputs);
    await namespaces.delete!(context("later"), id, outputs);
    assert.equal(await namespaces.read!(context("later"), id, namespace, outputs), undefined);
  });

  it("of a kind that is not served is warned of in a preview and refused by an update, with what to install", async () => {
    const kustomizations = of("kubernetes:kustomize.toolkit.fluxcd.io/v1:Kustomization");
    const inputs = {
      apiVersion: "kustomize.toolkit.fluxcd.io/v1",
      kind: "Kustomization",
      ...named("policies"),
      spec: {},
    };
    assert.equal((await kustomizations.create(context("k", preview), inputs)).outputs, inputs);
    assert.match(warnings[0]!, /does not serve the kind Kustomization.*flux install/);
    await refused("kind-unserved", () => kustomizations.create(context("k"), inputs));
    assert.equal(await kustomizations.read!(context("k"), "default/policies", inputs, {}), undefined);
    await kustomizations.delete!(context("k"), "default/policies", {});
  });

  for (const [user, code, words] of [
    ["weak", "cluster-forbidden", /answered 403 .*User "weak" cannot/],
    ["nobody", "cluster-unauthorized", /answered 401/],
  ] as const)
    it(`of a user ${user === "weak" ? "without the right" : "that the cluster does not know"} is refused by an update, and does not stop a preview`, async () => {
      use({ context: user });
      await sources.create(context(user, preview), source(user));
      assert.match(warnings[0]!, words);
      await refused(code, () => sources.create(context(user), source(user)));
      await refused(code, () => sources.read!(context(user), `default/${user}`, source(user), {}));
    });

  it("of a cluster that is gone is not forgotten, unless the user says so", async () => {
    const gone = server.kubeconfig;
    const kubeconfig = JSON.stringify({
      "current-context": "a",
      clusters: [{ name: "a", cluster: { server: "https://127.0.0.1:1" } }],
      users: [{ name: "a", user: {} }],
      contexts: [{ name: "a", context: { cluster: "a", user: "a" } }],
    });
    use({ kubeconfig });
    await refused("cluster-unreachable", () => sources.read!(context("x"), "default/x", source("x"), {}));
    await sources.create(context("x", preview), source("x"));
    assert.match(warnings[0]!, /cannot be reached/);
    use({ kubeconfig, deleteUnreachable: "true" });
    assert.equal(await sources.read!(context("x"), "default/x", source("x"), {}), undefined);
    await sources.delete!(context("x"), "default/x", {});
    assert.deepEqual((await diffConfiguration({ kubeconfig: gone }, { kubeconfig })).changes, {
      kubeconfig: "update-replace",
    });
  });

  it("gets the provider's namespace where it names none", async () => {
    use({ namespace: "team" });
    const { apiVersion, kind, spec } = source("x");
    const { inputs } = await sources.check!(context("x"), undefined, {
      apiVersion,
      kind,
      spec,
      metadata: { name: "x" },
    });
    assert.deepEqual(inputs.metadata, { name: "x", namespace: "team" });
    const namespace = { apiVersion: "v1", kind: "Namespace", metadata: { name: "x" } };
    assert.deepEqual((await checked(namespaces, namespace)).metadata, { name: "x" });
  });

  it("without a name, of another kind than its type, or with a condition that nobody understands is refused by the check", async () => {
    const failures = async (inputs: Values) =>
      (await sources.check!(context("x"), undefined, inputs)).failures!.map(({ property }) => property);
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
