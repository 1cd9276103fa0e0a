// The objects of a cluster: what each choice adds, and that nothing stands there without a value.
import assert from "node:assert/strict";
import { type DeliveryArgs, deliveryFacts, deliveryObjects } from "../../../lib/flux/delivery";
import type { PolicyDocument } from "../../../lib/flux/documents";
import { dockerConfigJson, pullSecretName } from "../../../lib/flux/pullSecret";
import { documentOf } from "../../support/policyDocuments";

const digest = `sha256:${"a".repeat(64)}`;
const smallest: DeliveryArgs = {
  name: "policies",
  namespace: "flux-system",
  createNamespace: false,
  repository: "registry.example.com/releases/policies/dev",
  digest,
  interval: "10m",
  retryInterval: "30s",
  timeout: "2m",
  path: "./",
  prune: true,
  dependsOn: [],
};
const none = { patches: [], healthCheckExprs: [] };
const objects = (args: Partial<DeliveryArgs> = {}) => deliveryObjects({ ...smallest, ...args }, none);
const document = (apiVersion: string, kind: string, spec = {}) =>
  documentOf(apiVersion, kind, "p", spec) as PolicyDocument;

describe("the objects of a cluster", () => {
  it("are a source by digest and a Kustomization of it, neither of which is suspended", () => {
    assert.deepEqual(objects(), {
      source: {
        apiVersion: "source.toolkit.fluxcd.io/v1",
        kind: "OCIRepository",
        metadata: { name: "policies-aaaaaaaaaaaa", namespace: "flux-system" },
        spec: {
          interval: "10m",
          url: "oci://registry.example.com/releases/policies/dev",
          ref: { digest },
          layerSelector: { mediaType: "application/vnd.cncf.flux.content.v1.tar+gzip", operation: "extract" },
          suspend: false,
        },
      },
      kustomization: {
        apiVersion: "kustomize.toolkit.fluxcd.io/v1",
        kind: "Kustomization",
        metadata: { name: "policies", namespace: "flux-system" },
        spec: {
          interval: "10m",
          retryInterval: "30s",
          timeout: "2m",
          sourceRef: { kind: "OCIRepository", name: "policies-aaaaaaaaaaaa" },
          path: "./",
          prune: true,
          wait: true,
          suspend: false,
        },
      },
    });
  });

  it("speak plain http to a registry on loopback, and to no other", () => {
    for (const [registry, insecure] of [
      ["127.0.0.1:5000", true],
      ["localhost:5000", true],
      ["registry.internal:5000", undefined],
      ["127.0.0.1.example.com", undefined],
    ] as const) {
      const { spec } = objects({ repository: `${registry}/releases/policies/dev` }).source;
      assert.equal((spec as { insecure?: boolean }).insecure, insecure, registry);
    }
  });

  it("have what was asked for and no key without a value", () => {
    const all = objects({
      createNamespace: true,
      follow: "1.x",
      provider: "gcp",
      certSecretRef: "ca",
      verify: { provider: "cosign", secretRef: { name: "keys" } },
      serviceAccount: "policies",
      dependsOn: ["base"],
    });
    assert.deepEqual(all.namespace, { apiVersion: "v1", kind: "Namespace", metadata: { name: "flux-system" } });
    const { spec } = all.source;
    assert.deepEqual(spec.ref, { semver: "1.x" });
    assert.deepEqual([all.source.metadata.name, all.kustomization.spec.sourceRef.name], ["policies", "policies"]);
    assert.deepEqual(spec.provider, "gcp");
    assert.deepEqual(spec.certSecretRef, { name: "ca" });
    assert.deepEqual(spec.verify, { provider: "cosign", secretRef: { name: "keys" } });
    assert.equal(all.kustomization.spec.serviceAccountName, "policies");
    assert.deepEqual(all.kustomization.spec.dependsOn, [{ name: "base" }]);
    assert.deepEqual(objects({ secretRef: "login" }).source.spec.secretRef, { name: "login" });
    assert.deepEqual(JSON.parse(JSON.stringify(all)), all);
    assert.ok(!/null|status"/.test(JSON.stringify(all)));
  });

  it("wait for the readiness of CEL policies, each kind by an expression of its own", () => {
    const documents = [
      document("policies.kyverno.io/v1", "ValidatingPolicy"),
      document("policies.kyverno.io/v1", "ValidatingPolicy"),
      document("policies.kyverno.io/v1beta1", "MutatingPolicy"),
      document("policies.kyverno.io/v1", "PolicyException"),
      document("kyverno.io/v1", "ClusterPolicy"),
    ];
    const { healthCheckExprs, patches } = deliveryFacts(documents, { enforcement: "asAuthored" });
    assert.deepEqual(patches, []);
    assert.deepEqual(
      healthCheckExprs.map(({ apiVersion, kind }) => `${apiVersion} ${kind}`),
      ["policies.kyverno.io/v1 ValidatingPolicy", "policies.kyverno.io/v1beta1 MutatingPolicy"],
    );
    const { spec } = deliveryObjects(smallest, { healthCheckExprs, patches }).kustomization;
    assert.deepEqual(spec.healthCheckExprs, healthCheckExprs);
    assert.equal("patches" in spec, false);
  });

  it("are about the documents of the folder that is applied, and no others", () => {
    const documents = ["a", "b"].map(
      (name) =>
        ({
          ...documentOf("kyverno.io/v1", "Policy", name, { rules: [{ name: "r", validate: {} }] }, "team"),
          path: `${name}/x.yaml`,
        }) as unknown as PolicyDocument,
    );
    const facts = (path?: string) => deliveryFacts(documents, { enforcement: "enforce", path });
    assert.deepEqual(facts().names, ["Policy/team/a", "Policy/team/b"]);
    assert.deepEqual(facts("./b").names, ["Policy/team/b"]);
    assert.deepEqual(facts("./b/").patches, facts("./b").patches);
    assert.equal(facts("./b").patches.length, 1);
    assert.throws(() => deliveryFacts(documents, { enforcement: "enforce", path: "./b", exceptions: ["a"] }), {
      code: "exception-unknown",
    });
  });

  it("install Kyverno of a commit by a Kustomization that the policies wait for", () => {
    const git = { url: "https://git.example.com/kyverno", commit: "0".repeat(40), path: "config/release" };
    const { kyverno, kustomization } = objects({ kyverno: { git }, dependsOn: ["kyverno", "base"] });
    assert.deepEqual(kustomization.spec.dependsOn, [{ name: "kyverno" }, { name: "base" }]);
    assert.deepEqual((kyverno!.source as unknown as { spec: unknown }).spec, {
      interval: "10m",
      url: git.url,
      ref: { commit: git.commit },
      ignore: "/*\n!/config/\n",
      suspend: false,
    });
    assert.equal(kyverno!.install.kind, "Kustomization");
  });

  it("install Kyverno of a chart by digest by a HelmRelease, which no Kustomization can wait for", () => {
    const chart = `oci://registry.example.com/charts/kyverno@${digest}`;
    const { kyverno, kustomization } = objects({ kyverno: { chart } });
    assert.equal("dependsOn" in kustomization.spec, false);
    const source = kyverno!.source as ReturnType<typeof objects>["source"];
    assert.deepEqual(source.spec.ref, { digest });
    assert.equal(source.spec.url, "oci://registry.example.com/charts/kyverno");
    assert.equal(source.spec.layerSelector.operation, "copy");
    assert.equal(kyverno!.install.kind, "HelmRelease");
  });
});

describe("a pull secret", () => {
  const repository = "registry.example.com:5000/releases/policies/dev";
  const auth = Buffer.from("user:pass:word").toString("base64");

  it("of a user and a password becomes a docker config for the registry of the artifact", () => {
    assert.deepEqual(JSON.parse(dockerConfigJson("user:pass:word", repository)), {
      auths: { "registry.example.com:5000": { auth } },
    });
    assert.deepEqual(JSON.parse(dockerConfigJson("user:pass:word", "docker.io/acme/dev")), {
      auths: { "https://index.docker.io/v1/": { auth } },
    });
  });

  it("that is a docker config stays as it is", () => {
    assert.equal(pullSecretName("policies"), "policies-pull");
    const config = JSON.stringify({ auths: { "https://registry.example.com:5000/v2/": { auth } } });
    assert.equal(dockerConfigJson(config, repository), config);
  });

  it("that is neither, or for another registry, is refused without being shown", () => {
    for (const wrong of [
      "hunter2",
      ":hunter2",
      "hunter2:",
      "a:hunter2\n",
      '{"auths":["hunter2"]}',
      '{"hunter2',
      '{"auths":{"other.example.com":{"auth":"hunter2"}}}',
    ])
      assert.throws(
        () => dockerConfigJson(wrong, repository),
        (error: Error & { code: string }) =>
          error.code === "pull-secret-malformed" && !error.message.includes("hunter2"),
      );
  });
});
