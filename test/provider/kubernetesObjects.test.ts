// The life of an object by the closed-network plugin `kubernetes`, against the real API server.
import assert from "node:assert/strict";
import { isSecret, type ResourceHandler, secret, UNKNOWN, type Values } from "../../provider/host";
import {
  inPreview,
  namespaces,
  type ObjectStand,
  secrets,
  source,
  sources,
  sourceType,
  startObjectStand,
} from "../support/clusterObjects";
import { refused } from "../support/refused";

describe("an object of a cluster", function () {
  this.timeout(60_000);
  let stand: ObjectStand;
  before(async () => {
    stand = await startObjectStand();
  });
  after(() => stand?.stop());
  beforeEach(() => stand.use());

  const login = (name: string, password: string): Values => ({
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name, namespace: "default" },
    type: "Opaque",
    stringData: secret({ password }),
  });
  const checked = async (handler: ResourceHandler, inputs: Values) => {
    const { inputs: result, failures } = await handler.check!(stand.context("x"), undefined, inputs);
    assert.deepEqual(failures, []);
    return result;
  };

  it("is made once, and its state has the official plugin's shape", async () => {
    const inputs = source("made");
    const { id, outputs } = await sources.create(stand.context("made"), inputs);
    assert.equal(id, "default/made");
    assert.deepEqual(outputs.__inputs, inputs);
    assert.equal(outputs.__initialApiVersion, "source.toolkit.fluxcd.io/v1");
    assert.match(String(outputs.__fieldManager), /^pulumi-kubernetes-[0-9a-f]{8}$/);
    assert.equal((outputs.metadata as Values).generation, 1);
    assert.deepEqual((await sources.diff!(stand.context("made"), id, inputs, outputs, inputs)).changes, {});
    const read = await sources.read!(stand.context("made"), id, inputs, outputs);
    assert.deepEqual(read, { id, inputs, outputs });
  });

  it("is only dry-run in a preview, which knows what it cannot know", async () => {
    const { id, outputs } = await sources.create(stand.context("dry", inPreview), source("dry"));
    const { uid, name } = outputs.metadata as Values;
    assert.deepEqual([id, name, uid, outputs.status], ["", "dry", UNKNOWN, undefined]);
    assert.equal(await sources.read!(stand.context("dry"), "default/dry", source("dry"), {}), undefined);
  });

  it("is read with what somebody else changed in it, and put right again by force only", async () => {
    const inputs = source("edited");
    const { id, outputs } = await sources.create(stand.context("edited"), inputs);
    await stand.edit("edited", { spec: { suspend: true, timeout: "5m" }, metadata: { labels: { theirs: "yes" } } });
    const read = (await sources.read!(stand.context("edited"), id, inputs, outputs))!;
    assert.deepEqual(read.inputs, source("edited", { suspend: true }));
    assert.deepEqual((await sources.diff!(stand.context("edited"), id, read.inputs, read.outputs, inputs)).changes, {
      "spec.suspend": "update",
    });
    const update = (news: Values) => sources.update(stand.context("edited"), id, read.inputs, read.outputs, news);
    const conflict = await refused("field-conflict", () => update(inputs));
    assert.match(conflict.message, /\.spec\.suspend \(conflict with "kubectl-edit" using/);
    const forced = await update(source("edited", {}, { annotations: { "pulumi.com/patchForce": "true" } }));
    assert.deepEqual([(forced.spec as Values).suspend, (forced.spec as Values).timeout], [false, "5m"]);
  });

  it("that an interrupted run has made is finished by the next one", async () => {
    await sources.create(stand.context("again"), source("again"));
    const { id } = await sources.create(stand.context("again"), source("again", { interval: "1m" }));
    assert.equal(id, "default/again");
  });

  it("that `kubectl apply` or the official plugin has changed is taken over by an update", async () => {
    const { id, outputs } = await sources.create(stand.context("taken"), source("taken"));
    for (const manager of ["kubectl", "pulumi-kubernetes"]) {
      await stand.edit("taken", { spec: { interval: "7m" } }, manager);
      const made = await sources.update(stand.context("taken"), id, source("taken"), outputs, source("taken"));
      assert.equal((made.spec as Values).interval, "10m");
    }
  });

  it("lets go of its fields when its manager gets another name", async () => {
    const { id, outputs } = await sources.create(stand.context("renamed"), source("renamed"));
    const news = source("renamed", {}, { annotations: { "pulumi.com/patchFieldManager": "team" } });
    await sources.update(stand.context("renamed"), id, source("renamed"), outputs, news);
    const live = await stand.client.get({ ...sourceType, name: "renamed", namespace: "default" });
    assert.deepEqual([...new Set(live!.metadata.managedFields!.map(({ manager }) => manager))], ["team"]);
  });

  it("is deleted, and waited for until what holds it is gone", async () => {
    const inputs = source(
      "held",
      {},
      { finalizers: ["test.dev/held"], annotations: { "pulumi.com/timeoutSeconds": "1" } },
    );
    const { id, outputs } = await sources.create(stand.context("held"), inputs);
    const error = await refused("object-not-deleted", () => sources.delete!(stand.context("held"), id, outputs));
    assert.match(error.message, /held by the finalizers .*test\.dev\/held/);
    await stand.edit("held", { metadata: { finalizers: null } });
    await sources.delete!(stand.context("held"), id, outputs);
    await sources.delete!(stand.context("held"), id, outputs);
  });

  it("of the kind Secret never shows its data, and is replaced or changed by it as the provider says", async () => {
    const inputs = await checked(secrets, login("login", "hunter2"));
    assert.deepEqual(Object.keys(inputs).sort(), ["apiVersion", "data", "kind", "metadata", "type"]);
    const { id, outputs } = await secrets.create(stand.context("login"), inputs);
    assert.ok(isSecret(inputs.data) && isSecret(outputs.data) && isSecret((outputs.__inputs as Values).data));
    const shown = JSON.stringify({ ...outputs, data: 0, __inputs: { ...(outputs.__inputs as Values), data: 0 } });
    assert.doesNotMatch(shown, /hunter2|aHVudGVyMg/);
    assert.deepEqual((await secrets.read!(stand.context("login"), id, inputs, outputs))!.inputs, inputs);
    const rotated = await checked(secrets, login("login", "hunter3"));
    const diff = () => secrets.diff!(stand.context("login"), id, inputs, outputs, rotated);
    assert.deepEqual(await diff(), { changes: { "data.password": "update-replace" }, deleteBeforeReplace: true });
    stand.use({ enableSecretMutable: "true" });
    assert.deepEqual(await diff(), { changes: { "data.password": "update" }, deleteBeforeReplace: false });
  });

  it("is replaced where its name or namespace changes, and only there", async () => {
    const diff = async (news: Values) => sources.diff!(stand.context("x"), "default/x", source("x"), {}, news);
    assert.deepEqual((await diff(source("y"))).changes, { "metadata.name": "update-replace" });
    assert.deepEqual((await diff(source("x", {}, { namespace: "a" }))).changes, {
      "metadata.namespace": "add-replace",
    });
    assert.deepEqual((await diff(source("x", {}, { namespace: undefined }))).changes, {});
  });

  it("in a namespace that the same update makes has no preview, and no warning", async () => {
    const inputs = source("later", {}, { namespace: "later" });
    assert.deepEqual(await sources.create(stand.context("later", inPreview), inputs), { id: "", outputs: inputs });
    assert.deepEqual(stand.warnings, []);
    const namespace = { apiVersion: "v1", kind: "Namespace", metadata: { name: "later" } };
    const { id, outputs } = await namespaces.create(stand.context("later"), namespace);
    await sources.create(stand.context("later-source"), inputs);
    await namespaces.delete!(stand.context("later"), id, outputs);
    assert.equal(await namespaces.read!(stand.context("later"), id, namespace, outputs), undefined);
  });

  it("gets the provider's namespace where it names none", async () => {
    stand.use({ namespace: "team" });
    const { apiVersion, kind, spec } = source("x");
    const { inputs } = await sources.check!(stand.context("x"), undefined, {
      apiVersion,
      kind,
      spec,
      metadata: { name: "x" },
    });
    assert.deepEqual(inputs.metadata, { name: "x", namespace: "team" });
    const namespace = { apiVersion: "v1", kind: "Namespace", metadata: { name: "x" } };
    assert.deepEqual((await checked(namespaces, namespace)).metadata, { name: "x" });
  });
});
