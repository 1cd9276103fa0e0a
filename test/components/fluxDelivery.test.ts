// What a cluster's delivery declares, in which order, and what of it a preview can say.
import assert from "node:assert/strict";
import { existsSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { FluxDelivery } from "../../components/fluxDelivery";
import type { FluxDeliveryArgs } from "../../components/fluxDeliveryArgs";
import { Kyverno } from "../../components/kyverno";
import { RenderedClusters } from "../../components/renderedClusters";
import { deliveryFacts } from "../../lib/flux/delivery";
import type { PolicyDocument } from "../../lib/flux/documents";
import { keptContents } from "../../lib/flux/renderedContents";
import { parseWaitFor } from "../../local/plugins/kubernetes/conditions";
import { keepVariables } from "../support/environment";
import { only, type Recorded, record } from "../support/mocks";
import { useOwnCache } from "../support/ownCache";
import { documentOf } from "../support/policyDocuments";
import { unwrap } from "../support/unwrap";

const digest = `sha256:${"a".repeat(64)}`;
const own = "policies-aaaaaaaaaaaa";
const document = documentOf("kyverno.io/v1", "ClusterPolicy", "no-latest", { rules: [{ name: "r", validate: {} }] });
const documents = [document as PolicyDocument];
const enforcing = deliveryFacts(documents, { enforcement: "enforce" });
const args: FluxDeliveryArgs = {
  repository: "127.0.0.1:5000/releases/policies/dev",
  digest,
  policies: enforcing,
  enforcement: "enforce",
};
const types = {
  provider: "pulumi:providers:kubernetes",
  namespace: "kubernetes:core/v1:Namespace",
  secret: "kubernetes:core/v1:Secret",
  source: "kubernetes:source.toolkit.fluxcd.io/v1:OCIRepository",
  git: "kubernetes:source.toolkit.fluxcd.io/v1:GitRepository",
  kustomization: "kubernetes:kustomize.toolkit.fluxcd.io/v1:Kustomization",
  release: "kubernetes:helm.toolkit.fluxcd.io/v2:HelmRelease",
  delivered: "policychain:index:DeliveredPolicies",
};
const specOf = (recorded: readonly Recorded[], type: string, name: string) =>
  only(recorded, type, name).inputs.spec as Record<string, unknown>;

for (const preview of [false, true]) {
  describe(`a cluster's delivery${preview ? " in a preview" : ""}`, () => {
    let restore: () => void;
    before(() => {
      restore = keepVariables();
      delete process.env.KUBECONFIG; // the SDK takes it for the provider's own
    });
    after(() => restore());

    async function declared(more: Partial<FluxDeliveryArgs> = {}) {
      const recorded = await record(preview, {
        [types.delivered]: () => (preview ? {} : { revision: digest, ready: true }),
        [types.source]: () => ({ metadata: { namespace: "flux-system", name: "policies", uid: "s", generation: 2 } }),
        [types.kustomization]: () => ({
          metadata: { namespace: "flux-system", name: "policies", uid: "k", generation: 3 },
        }),
      });
      const delivery = new FluxDelivery("dev", { ...args, ...more });
      const revision = await unwrap(delivery.revision);
      return { recorded, delivery, revision };
    }

    it("declares a source of the digest, then the Kustomization of it with its patches, then waits for both", async () => {
      const { recorded, revision } = await declared();
      assert.deepEqual(
        recorded.map(({ type, name }) => `${type.split(":").at(-1)} ${name}`),
        [
          "FluxDelivery dev",
          "kubernetes dev-cluster",
          "DeliveryCheck dev-check",
          "OCIRepository dev-source",
          "Kustomization dev-kustomization",
          "DeliveredPolicies dev-policies",
        ],
      );
      const applies = specOf(recorded, types.kustomization, "dev-kustomization");
      assert.deepEqual(applies.patches, enforcing.patches);
      assert.deepEqual(applies.sourceRef, { kind: "OCIRepository", name: own });
      assert.deepEqual(only(recorded, types.source, "dev-source").inputs.metadata, {
        name: own,
        namespace: "flux-system",
      });
      const source = specOf(recorded, types.source, "dev-source");
      assert.deepEqual([source.ref, source.insecure, source.suspend], [{ digest }, true, false]);
      assert.deepEqual(only(recorded, types.delivered, "dev-policies").inputs, {
        cluster: "dev-cluster-id",
        namespace: "flux-system",
        source: own,
        kustomization: "policies",
        owner: "policy-platform/test/dev",
        objects: { OCIRepository: "s 2", Kustomization: "k 3" },
        repository: args.repository,
        digest,
        path: "./",
        enforcement: "enforce",
        exceptions: [],
        policies: { "ClusterPolicy/no-latest": "as delivered" },
      });
      assert.equal(revision, preview ? undefined : digest);
    });

    it("reaches the cluster by path and context, so that no kubeconfig comes into the state", async () => {
      const { recorded } = await declared({ kubeconfig: ".local/kubeconfig", context: "dev" });
      const { inputs } = only(recorded, types.provider, "dev-cluster");
      assert.deepEqual([inputs.kubeconfig, inputs.context], [".local/kubeconfig", "dev"]);
      const delivered = only(recorded, types.delivered, "dev-policies").inputs;
      assert.deepEqual([delivered.kubeconfig, delivered.context], [".local/kubeconfig", "dev"]);
    });

    it("makes a namespace and a pull secret first, and the secret stays one", async () => {
      const seen: unknown[] = [];
      const { recorded } = await declared({
        createNamespace: true,
        pullSecret: pulumi.secret("user:hunter2").apply((text) => {
          seen.push(text);
          return text;
        }),
      });
      const order = recorded.map(({ type }) => type).filter((type) => type.startsWith("kubernetes:"));
      assert.deepEqual(order, [types.namespace, types.secret, types.source, types.kustomization]);
      const { inputs } = only(recorded, types.secret, "dev-pull-secret");
      const text = JSON.stringify(inputs);
      assert.ok(!text.includes("hunter2"));
      assert.deepEqual(specOf(recorded, types.source, "dev-source").secretRef, { name: "policies-pull" });
      assert.match(text, /4dabf18193072939515e22adb298388d/, "the data is marked as a secret");
      assert.deepEqual(seen, ["user:hunter2"]);
    });

    it("takes back what others changed in its objects, changes a pull secret in place, and adopts nothing", async () => {
      const { recorded } = await declared();
      assert.deepEqual(only(recorded, types.provider, "dev-cluster").inputs, {
        enablePatchForce: "true",
        enableSecretMutable: "true",
      });
    });

    it("that follows a range names no digest, to Flux or to what waits", async () => {
      const { recorded } = await declared({ follow: "1.x", enforcement: "asAuthored" });
      assert.deepEqual(specOf(recorded, types.source, "dev-source").ref, { semver: "1.x" });
      assert.deepEqual(specOf(recorded, types.kustomization, "dev-kustomization").sourceRef, {
        kind: "OCIRepository",
        name: "policies",
      });
      assert.equal("digest" in only(recorded, types.delivered, "dev-policies").inputs, false);
    });

    it("installs Kyverno of a commit before, which the policies depend on", async () => {
      const git = { url: "https://git.example.com/kyverno", commit: "0".repeat(40), path: "config/release" };
      const { recorded } = await declared({ kyverno: { git } });
      only(recorded, types.git, "dev-kyverno-source");
      const install = only(recorded, types.kustomization, "dev-kyverno-install").inputs;
      assert.deepEqual((install.metadata as { annotations: unknown }).annotations, {
        "pulumi.com/waitFor": `["condition=Ready","jsonpath={.status.lastAppliedRevision}=sha1:${git.commit}"]`,
      });
      assert.deepEqual(specOf(recorded, types.kustomization, "dev-kustomization").dependsOn, [{ name: "kyverno" }]);
      const names = recorded.map(({ name }) => name);
      assert.ok(names.indexOf("dev-kyverno-install") < names.indexOf("dev-kustomization"), names.join(" "));
      assert.ok(names.indexOf("dev-kyverno-install") < names.indexOf("dev-check"), names.join(" "));
    });
  });

  describe(`rendered clusters${preview ? " in a preview" : ""}`, () => {
    useOwnCache();

    it("speak to no cluster, are one resource, and are not written by the program, which a destroy may run too", async () => {
      const before = process.cwd();
      process.chdir(mkdtempSync(join(tmpdir(), "delivery-")));
      try {
        const recorded = await record(preview);
        const clusters = Object.fromEntries(["a", "b"].map((one) => [one, { ...args, folder: `clusters/${one}` }]));
        const { revisions } = new RenderedClusters("rendered", { clusters });
        assert.deepEqual([await unwrap(revisions.a!), await unwrap(revisions.b!)], [digest, digest]);
        assert.deepEqual(
          recorded.map(({ name }) => name),
          ["rendered", "rendered-files"],
        );
        assert.equal(existsSync("clusters"), false);
        const { folders } = only(recorded, "policychain:index:ClusterFiles", "rendered-files").inputs as {
          folders: Record<string, string>;
        };
        const contents = await keptContents(process.cwd(), pulumi.getStack(), folders);
        assert.deepEqual(Object.keys(contents), ["clusters/a", "clusters/b"]);
        assert.equal(Object.keys(contents["clusters/b"]!).length, 3);
        assert.match(contents["clusters/a"]!["policies.yaml"]!, /for cluster a;.*value: "Enforce"/s);
      } finally {
        process.chdir(before);
      }
    });
  });

  describe(`Kyverno${preview ? " in a preview" : ""}`, () => {
    it("that is there already declares nothing", async () => {
      const recorded = await record(preview);
      await unwrap(new Kyverno("kyverno").urn);
      assert.deepEqual(
        recorded.map(({ type }) => type),
        ["policychain:index:Kyverno"],
      );
    });

    it("of a chart is a HelmRelease that is waited for, as mocks see it", async () => {
      const recorded = await record(preview);
      const kyverno = new Kyverno("kyverno", { chart: `oci://registry.example.com/charts/kyverno@${digest}` });
      await unwrap(kyverno.urn);
      for (let turn = 0; turn < 1000 && recorded.length < 3; turn++) await new Promise(setImmediate);
      assert.deepEqual(specOf(recorded, types.source, "kyverno-source").ref, { digest });
      assert.deepEqual(specOf(recorded, types.release, "kyverno-install").chartRef, {
        kind: "OCIRepository",
        name: "kyverno",
      });
    });

    it("is waited for after an upgrade too: an old one that is ready is not the new one", async () => {
      const waits = async (args: ConstructorParameters<typeof Kyverno>[1], ready: object, old: object) => {
        const recorded = await record(preview);
        await unwrap(new Kyverno("kyverno", args).urn);
        for (let turn = 0; turn < 1000 && recorded.length < 3; turn++) await new Promise(setImmediate);
        const { metadata } = recorded.find(({ name }) => name === "kyverno-install")!.inputs;
        const conditions = parseWaitFor((metadata as any).annotations["pulumi.com/waitFor"]);
        const met = (status: object) =>
          conditions.every(
            (one) =>
              one.look({
                apiVersion: "v1",
                kind: "X",
                metadata: { name: "kyverno", generation: 1 },
                status: { ...status, observedGeneration: 1, conditions: [{ type: "Ready", status: "True" }] },
              }).met,
          );
        assert.deepEqual([met(ready), met(old)], [true, false]);
      };
      const chart = (which: string) => ({ chart: `oci://registry.example.com/charts/kyverno@${which}` });
      const attempted = (which: string) => ({ lastAttemptedRevisionDigest: which });
      await waits(chart(digest), attempted(digest), attempted(digest.replace(/.$/, "0")));
      const git = (commit: string) => ({ git: { url: "https://git.example.com/kyverno", commit, path: "config" } });
      const applied = (hash: string) => ({ lastAppliedRevision: hash });
      await waits(git("1".repeat(40)), applied(`sha1:${"1".repeat(40)}`), applied(`sha1:${"0".repeat(40)}`));
      await waits(git("1".repeat(64)), applied(`sha256:${"1".repeat(64)}`), applied(`sha256:${"0".repeat(64)}`));
    });

    it("of both a chart and a commit is refused", async () => {
      await record(preview);
      const git = { url: "https://git.example.com/kyverno", commit: "0".repeat(40), path: "config" };
      assert.throws(() => new Kyverno("kyverno", { chart: "x", git }), /chart or git, not both/);
    });
  });
}

describe("a cluster's delivery whose artifact is not known yet", () => {
  it("leaves digest, name of the source and patches unknown in a preview, and renders nothing", async () => {
    const recorded = await record(true);
    const unknown = <T>() => pulumi.output(pulumi.unknown as T) as pulumi.Output<T>;
    const delivery = new FluxDelivery("dev", {
      ...args,
      digest: unknown<string>(),
      policies: unknown<typeof enforcing>(),
    });
    await unwrap(delivery.revision);
    assert.equal("patches" in (specOf(recorded, types.kustomization, "dev-kustomization") ?? {}), false);
    assert.deepEqual((specOf(recorded, types.source, "dev-source") as { url: string }).url, `oci://${args.repository}`);
    const { name } = only(recorded, types.source, "dev-source").inputs.metadata as { name: unknown };
    assert.ok(pulumi.isUnknown(name));
    const b = { ...args, digest: unknown<string>(), folder: "clusters/b" };
    assert.equal(await unwrap(new RenderedClusters("rendered", { clusters: { b } }).revisions.b!), undefined);
  });
});
