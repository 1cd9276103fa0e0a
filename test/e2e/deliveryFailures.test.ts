// A delivery to the real control plane: what DeliveredPolicies says of each thing that can go wrong on the way, and after it.
import assert from "node:assert/strict";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { exec } from "../../lib/exec";
import { deliveryFacts, deliveryObjects } from "../../lib/flux/delivery";
import type { EnforcementChoice } from "../../lib/flux/enforcement";
import { type ClusterClient, connectCluster } from "../../lib/kubernetes/client";
import type { KubernetesObject } from "../../lib/kubernetes/objects";
import { RegistryClient } from "../../lib/oci/client";
import { type Digest, sha256 } from "../../lib/oci/digest";
import { registryCredentials } from "../../lib/oci/registryCredentials";
import { runningComponents } from "../../local/controlPlane/running";
import { deliveredPolicies } from "../../provider/deliveredPolicies";
import type { Values } from "../../provider/host";
import { type Outside, startOutside } from "../support/outside";
import { type PushedPolicies, pushPolicies } from "../support/pushPolicies";
import { dockerConfig, startRegistry, type TestRegistry } from "../support/registry";
import { resourceContext } from "../support/resourceContext";
import { testCluster } from "../support/testCluster";

const root = join(__dirname, "..", "..");
const { kubeconfig } = testCluster;
const [sourceApi, kustomizeApi] = ["source.toolkit.fluxcd.io/v1", "kustomize.toolkit.fluxcd.io/v1"];

/** A policy about nothing that anybody has. */
const policy = (name: string, spec: object = {}) => ({
  apiVersion: "kyverno.io/v1",
  kind: "ClusterPolicy",
  metadata: { name },
  spec: {
    validationFailureAction: "Audit",
    rules: [
      {
        name: "r",
        match: { any: [{ resources: { kinds: ["ConfigMap"], names: [`${name}-only`] } }] },
        validate: { message: `no ${name}`, pattern: { data: { allowed: "yes" } } },
      },
    ],
    ...spec,
  },
});

/** What a test has in place of what a stack declares. */
interface Stage {
  readonly source?: object;
  readonly kustomization?: object;
  readonly digest?: Digest;
  readonly dependsOn?: readonly string[];
  readonly choice?: EnforcementChoice;
}

describe("a delivery to a cluster", function () {
  this.timeout(120_000);
  let registry: TestRegistry;
  let cluster: ClusterClient;
  let outside: Outside | undefined;
  let count = 0;
  const staged: KubernetesObject[] = [];
  const dockerConfigBefore = process.env.DOCKER_CONFIG;

  const context = (signal?: AbortSignal) => resourceContext(signal && { signal });
  /** Pushes policies as an artifact of their own. */
  const push = (...policies: readonly object[]) => {
    const client = new RegistryClient({ credentials: registryCredentials() });
    return pushPolicies(`${registry.host}/releases/policies/${++count}`, policies, { client });
  };
  const apply = (object: object) => cluster.apply(object as KubernetesObject, { fieldManager: "stack", force: true });
  /** Declares Flux's objects as a stack does, and gives what DeliveredPolicies is told about them. */
  const stage = async (name: string, pushed: PushedPolicies, more: Stage = {}) => {
    const { repository, digest, documents } = { ...pushed, ...(more.digest && { digest: more.digest }) };
    const { choice = { enforcement: "asAuthored" }, dependsOn = [] } = more;
    const place = { name, namespace: "flux-system", createNamespace: false, path: "./", prune: true, dependsOn };
    const times = { interval: "10m", retryInterval: "30s", timeout: "20s" };
    const args = { ...place, ...times, repository, digest, secretRef: "login" };
    const { source, kustomization } = deliveryObjects(args, deliveryFacts(documents, choice));
    await apply({ ...source, spec: { ...source.spec, ...more.source } });
    await apply({ ...kustomization, spec: { ...kustomization.spec, ...more.kustomization } });
    staged.push(source, kustomization);
    const inputs = {
      ...{
        kubeconfig,
        context: testCluster.name,
        namespace: "flux-system",
        source: source.metadata.name,
        kustomization: name,
      },
      ...{ repository, digest, ...choice, timeoutSeconds: 40 },
    } as Values;
    return (await deliveredPolicies.check!(context(), undefined, inputs)).inputs;
  };
  const create = async (inputs: Values, signal?: AbortSignal) =>
    (await deliveredPolicies.create(context(signal), inputs)).outputs as any;
  const refused = (inputs: Values, code: string, says: RegExp) =>
    assert.rejects(create(inputs), (error: any) => {
      assert.equal(error.code, code, error.stack);
      assert.match(error.message, says);
      return true;
    });
  const read = async (inputs: Values, outputs: Values) =>
    (await deliveredPolicies.read!(context(), "x", inputs, outputs))!.inputs as any;
  const edit = (name: string, change: object, manager = "kubectl-edit") =>
    cluster.mergePatch({ apiVersion: "kyverno.io/v1", kind: "ClusterPolicy", name }, change, { fieldManager: manager });
  const suspend = (kind: "OCIRepository" | "Kustomization", name: string, suspended: boolean) =>
    cluster.mergePatch(
      { apiVersion: kind === "Kustomization" ? kustomizeApi : sourceApi, kind, name },
      { spec: { suspend: suspended } },
      { fieldManager: "flux" },
    );

  before(async () => {
    registry = await startRegistry({ basic: true });
    process.env.DOCKER_CONFIG = dockerConfig(registry.host);
    cluster = await connectCluster({ kubeconfig, context: testCluster.name, namespace: "flux-system" });
    const login = (name: string, password: string) => ({
      ...{ apiVersion: "v1", kind: "Secret", metadata: { name, namespace: "flux-system" } },
      type: "kubernetes.io/dockerconfigjson",
      stringData: {
        ".dockerconfigjson": JSON.stringify({ auths: { [registry.host]: { username: "tester", password } } }),
      },
    });
    await apply(login("login", "secret"));
    await apply(login("wrong", "guess"));
  });
  after(async () => {
    for (const { apiVersion, kind, metadata } of staged) {
      const { name } = metadata;
      if (kind === "Kustomization") await suspend(kind, name, false).catch(() => undefined);
      await cluster.delete({ apiVersion, kind, name });
    }
    for (const name of ["login", "wrong"]) await cluster.delete({ apiVersion: "v1", kind: "Secret", name });
    process.env.DOCKER_CONFIG = dockerConfigBefore;
    outside?.stop();
    await registry?.stop();
  });

  it("ends when the cluster has the policies, each taken up by Kyverno", async () => {
    const inputs = await stage("first", await push(policy("first-a"), policy("first-b")));
    const { ready, revision, delivered } = await create(inputs);
    assert.deepEqual([ready, revision], [true, inputs.digest]);
    const names = ["first-a", "first-b"].map((name) => ({ kind: "ClusterPolicy", name, action: "audit", ready: true }));
    assert.deepEqual(delivered, names);
  });

  describe("that the cluster cannot pull", () => {
    it("names the Secret that is not there, and goes through once it is", async () => {
      const pushed = await push(policy("pull-a"));
      const inputs = await stage("pull", pushed, { source: { secretRef: { name: "absent" } } });
      await refused(inputs, "flux-secret-missing", /AuthenticationFailed: .*"absent" not found/);
      await stage("pull", pushed);
      assert.equal((await create(inputs)).ready, true);
    });

    it("says that the login is refused", async () => {
      const inputs = await stage("wrong", await push(policy("wrong-a")), {
        source: { secretRef: { name: "wrong" } },
      });
      await refused(inputs, "flux-login-refused", /UNAUTHORIZED/);
    });

    it("says that the digest is gone", async () => {
      const pushed = await push(policy("gone-a"));
      const inputs = await stage("gone", pushed, { digest: sha256("gone") });
      // Our own look at the registry would tell first: here the cluster alone is asked.
      const { digest: _, ...followed } = inputs;
      await refused(followed, "flux-artifact-gone", /MANIFEST_UNKNOWN/);
      await refused(inputs, "artifact-missing", /is not in/);
    });

    it("says that the registry speaks no TLS", async () => {
      const pushed = await push(policy("plain-a"));
      outside = await startOutside(registry.host);
      const url = `oci://${outside.host}/releases/plain`;
      const inputs = await stage("plain", pushed, { source: { url, insecure: false } });
      await refused(inputs, "flux-registry-insecure", /server gave HTTP response to HTTPS client/);
    });
  });

  describe("that the cluster does not take", () => {
    it("says which field the schema refuses", async () => {
      const inputs = await stage("schema", await push(policy("schema-a", { enforced: "always" })));
      await refused(inputs, "flux-policy-invalid", /spec.enforced/);
    });

    it("gives the words of the webhook that denies a policy", async () => {
      const rules = [
        { name: "r", match: { any: [{ resources: { kinds: ["NoSuchKind"] } }] }, validate: { message: "x", deny: {} } },
      ];
      const inputs = await stage("denied", await push(policy("denied-a", { rules })));
      await refused(inputs, "flux-policy-denied", /admission webhook ".*kyverno.*" denied the request/);
    });

    it("names the kinds that the cluster does not serve, and what to install", async () => {
      const cel = {
        apiVersion: "policies.kyverno.io/v1",
        kind: "ValidatingPolicy",
        metadata: { name: "cel-a" },
        spec: {},
      };
      const inputs = await stage("kinds", await push(cel));
      await refused(inputs, "kind-unserved", /ValidatingPolicy of policies.kyverno.io\/v1.*install Kyverno.*1\.17/);
    });

    it("names what it depends on", async () => {
      const inputs = await stage("depends", await push(policy("depends-a")), { dependsOn: ["nobody"] });
      await refused({ ...inputs, timeoutSeconds: 4 }, "delivery-timeout", /DependencyNotReady.*nobody/);
    });

    it("names the other Kustomization that delivers the same policy", async () => {
      await create(await stage("owner", await push(policy("owned-a"))));
      const inputs = await stage("second", await push(policy("owned-a"), policy("owned-b")), {
        kustomization: { suspend: true },
      });
      await refused(inputs, "policy-shared", /ClusterPolicy\/owned-a \(Kustomization flux-system\/owner\)/);
    });
  });

  describe("that was made", () => {
    let inputs: Values;
    let outputs: Values;
    before(async () => {
      inputs = await stage("kept", await push(policy("kept-a"), policy("kept-b")));
      outputs = await create(inputs);
    });

    it("shows no difference while nobody changes anything", async () => {
      const { policies, flux } = await read(inputs, outputs);
      assert.equal(policies, undefined);
      assert.deepEqual(flux, inputs.flux);
    });

    it("names a policy that was edited and one that was deleted, and puts both right", async () => {
      await edit("kept-a", { spec: { background: false, failurePolicy: "Ignore" } });
      await cluster.delete({ apiVersion: "kyverno.io/v1", kind: "ClusterPolicy", name: "kept-b" });
      const found = await read(inputs, outputs);
      assert.deepEqual(Object.keys(found.policies), ["ClusterPolicy/kept-a", "ClusterPolicy/kept-b"]);
      assert.match(found.policies["ClusterPolicy/kept-a"], /^edited: /);
      assert.equal(found.policies["ClusterPolicy/kept-b"], "missing");
      assert.equal((await create(inputs)).ready, true);
      assert.equal((await read(inputs, outputs)).policies, undefined);
    });

    it("names a field that another manager keeps beside ours, and says who", async () => {
      await edit("kept-a", { spec: { webhookTimeoutSeconds: 7 } }, "lens");
      const found = await read(inputs, outputs);
      assert.deepEqual(found.policies, { "ClusterPolicy/kept-a": "edited: spec.webhookTimeoutSeconds (by lens)" });
      await refused(inputs, "policy-edited", /webhookTimeoutSeconds \(by lens\)/);
      await edit("kept-a", { spec: { webhookTimeoutSeconds: null } }, "lens");
      assert.equal((await create(inputs)).ready, true);
    });

    for (const kind of ["OCIRepository", "Kustomization"] as const)
      it(`names a suspended ${kind}, and refuses to call it delivered`, async () => {
        const name = String(kind === "Kustomization" ? inputs.kustomization : inputs.source);
        await suspend(kind, name, true);
        const { flux } = await read(inputs, outputs);
        assert.equal(flux[`${kind}/flux-system/${name}`], "suspended");
        await refused(inputs, "flux-suspended", new RegExp(`${kind} flux-system/${name}`));
        await suspend(kind, name, false);
        assert.equal((await create(inputs)).ready, true);
      });
  });

  describe("that enforces", () => {
    const choice = { enforcement: "enforce", exceptions: ["enforced-b"] } as const;
    let pushed: PushedPolicies;
    let inputs: Values;
    before(async () => {
      pushed = await push(policy("enforced-a"), policy("enforced-b"));
      inputs = await stage("enforced", pushed, { choice });
    });

    it("ends with each policy as this cluster is to enforce it", async () => {
      const { delivered } = await create(inputs);
      assert.deepEqual(
        delivered.map(({ action }: any) => action),
        ["enforce", "audit"],
      );
    });

    it("names the policy that somebody's removal of a patch made weaker, although Flux is content", async () => {
      const kustomization = { apiVersion: kustomizeApi, kind: "Kustomization", name: "enforced" };
      await cluster.mergePatch(kustomization, { spec: { patches: null } }, { fieldManager: "kubectl-edit" });
      const weaker = { "ClusterPolicy/enforced-a": "edited: spec.validationFailureAction" };
      let found: unknown;
      for (let left = 40; left > 0 && JSON.stringify(found) !== JSON.stringify(weaker); left--) {
        await sleep(250);
        found = (await read(inputs, inputs)).policies;
      }
      assert.deepEqual(found, weaker);
      await stage("enforced", pushed, { choice });
      assert.equal((await create(inputs)).ready, true);
    });
  });

  it("ends when a controller was killed in the middle of it and came back", async () => {
    const { identity } = runningComponents(testCluster).find(({ component }) => component === "kustomize-controller")!;
    process.kill(identity.pid, "SIGKILL");
    const inputs = await stage("orphan", await push(policy("orphan-a")));
    await refused({ ...inputs, timeoutSeconds: 2 }, "delivery-timeout", /no controller has looked.*see that Flux runs/);
    const created = create({ ...inputs, timeoutSeconds: 60 });
    const which = ["--cluster", "--cluster-name", testCluster.name];
    const args = ["dist/local/main.js", "env", "--json", "--only", "toolchain", ...which];
    const { code, stderr } = await exec(process.execPath, args, { cwd: root, timeout: 60_000 });
    assert.equal(code, 0, stderr);
    assert.equal((await created).ready, true);
  });

  it("goes on in the next run when a run was killed while it waited", async () => {
    const pushed = await push(policy("killed-a"));
    const inputs = await stage("killed", pushed, { dependsOn: ["nobody"] });
    const stop = new AbortController();
    setTimeout(() => stop.abort(new Error("killed")), 1000);
    await assert.rejects(create(inputs, stop.signal), /killed/);
    await stage("killed", pushed);
    assert.equal((await create(inputs)).ready, true);
  });
});
