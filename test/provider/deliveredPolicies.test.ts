// What one cluster has taken of an artifact, against a stand-in of a cluster and the real registry.
import assert from "node:assert/strict";
import { fluxArtifact } from "../../lib/flux/artifact";
import { artifactFiles } from "../../lib/flux/content";
import { ownerLabels } from "../../lib/flux/owners";
import { pushArtifact } from "../../lib/flux/push";
import { RegistryClient } from "../../lib/oci/client";
import { sha256 } from "../../lib/oci/digest";
import { parseRepository } from "../../lib/oci/reference";
import { deliveredPolicies } from "../../provider/deliveredPolicies";
import { deliveryCheck } from "../../provider/deliveryCheck";
import { type ResourceContext, UNKNOWN, type Values } from "../../provider/host";
import { startRegistry } from "../support/registry";
import { resourceContext } from "../support/resourceContext";
import { json, refusedWith } from "../support/scriptedCluster";
import { type StandInCluster, startStandInCluster } from "../support/standInCluster";

const own = { namespace: "flux-system", name: "policies" };
const policy = (name: string) => ({
  apiVersion: "kyverno.io/v1",
  kind: "ClusterPolicy",
  metadata: { name },
  spec: { validationFailureAction: "Audit", rules: [{ name: "r", validate: { message: `no ${name}` } }] },
});

describe("stand-in: the policies delivered to a cluster", () => {
  let registry: Awaited<ReturnType<typeof startRegistry>>;
  let cluster: StandInCluster;
  let repository: string;
  let digest: string;
  let said: string[];

  const context = (more: Partial<ResourceContext> = {}) =>
    resourceContext({
      urn: "urn:pulumi:dev::policy-platform::policychain:index:DeliveredPolicies::dev",
      progress: (text) => void said.push(`progress: ${text}`),
      info: (text) => void said.push(`info: ${text}`),
      warn: (text) => void said.push(`warn: ${text}`),
      ...more,
    });
  const given = (more: Values = {}): Values => ({
    ...{ kubeconfig: cluster.kubeconfig, namespace: "flux-system", source: "policies", kustomization: "policies" },
    ...{ repository, digest, enforcement: "asAuthored", timeoutSeconds: 2 },
    policies: { "ClusterPolicy/a": "as delivered", "ClusterPolicy/b": "as delivered" },
    ...more,
  });
  const checked = async (more?: Values) => {
    const { inputs, failures } = await deliveredPolicies.check!(context(), undefined, given(more));
    assert.deepEqual(failures, []);
    return inputs;
  };
  const create = async (more?: Values, call?: Partial<ResourceContext>) =>
    (await deliveredPolicies.create(context(call), await checked(more))).outputs as any;
  const refused = async (code: string, says: RegExp, more?: Values, call?: Partial<ResourceContext>) =>
    assert.rejects(create(more, call), (error: any) => {
      assert.equal(error.code, code, error.stack);
      assert.match(error.message, says);
      return true;
    });

  /** An object of Flux with its status. */
  const flux = (kind: string, status: any = {}, spec: any = {}) => {
    const group = kind === "OCIRepository" ? "source" : "kustomize";
    const { ready = ["True", "Succeeded", ""], handled, ...more } = status;
    const [state, reason, message] = ready;
    cluster.put({
      apiVersion: `${group}.toolkit.fluxcd.io/v1`,
      kind,
      metadata: { ...own, generation: 1 },
      spec: { interval: "10m", suspend: false, ...(kind === "OCIRepository" && { ref: { digest } }), ...spec },
      status: {
        observedGeneration: 1,
        lastHandledReconcileAt: handled,
        conditions: [{ type: "Ready", status: state, reason, message, observedGeneration: 1 }],
        ...more,
      },
    });
  };
  const source = (status: any = {}, spec: any = {}) =>
    flux("OCIRepository", { artifact: { revision: digest }, ...status }, spec);
  const kustomization = (status: any = {}, spec: any = {}) =>
    flux("Kustomization", { lastAppliedRevision: digest, lastAttemptedRevision: digest, ...status }, spec);
  const live = (name: string, change: (object: any) => void = () => undefined) => {
    const object: any = policy(name);
    object.metadata = { name, uid: name, labels: ownerLabels(own), managedFields: [] };
    object.spec.background = true;
    object.status = { conditions: [{ type: "Ready", status: "True", reason: "Succeeded", message: "Ready" }] };
    change(object);
    cluster.put(object);
  };
  /** A controller that fails the same way each time it is asked. */
  const failsWhenAsked = (kind: "OCIRepository" | "Kustomization", reason: string, message: string) => {
    const fail = () => {
      const status = { ready: ["False", reason, message], handled: request(kind) };
      if (kind === "OCIRepository") source({ ...status, artifact: undefined });
      else kustomization({ ...status, lastAppliedRevision: "" });
    };
    fail();
    cluster.onRequest(fail);
  };
  /** What a controller was asked last. */
  const request = (kind: string) =>
    cluster.object(kind, "policies")?.metadata.annotations?.["reconcile.fluxcd.io/requestedAt"];
  const asked = () => cluster.lines().filter((line) => line.startsWith("PATCH") && !line.includes("dryRun"));

  const push = async (...objects: readonly object[]) => {
    const text = objects.map((object) => JSON.stringify(object)).join("\n---\n");
    const repositories = { security: new Map([["policies/p.yaml", Buffer.from(text)]]) };
    const artifact = fluxArtifact(artifactFiles({ repositories, allow: ["ConfigMap"] }).files);
    await pushArtifact(new RegistryClient(), parseRepository(repository), artifact);
    return artifact.digest;
  };
  /** The cluster as it is once it has applied an artifact. */
  const appliedNow = (revision: string) => {
    source({ artifact: { revision } }, { ref: { digest: revision } });
    kustomization({ lastAppliedRevision: revision, lastAttemptedRevision: revision });
  };

  before(async () => {
    registry = await startRegistry();
    repository = `${registry.host}/releases/policies/dev`;
    digest = await push(policy("a"), policy("b"));
  });
  after(() => registry?.stop());
  beforeEach(async () => {
    said = [];
    cluster = await startStandInCluster();
    source();
    kustomization();
    live("a");
    live("b");
  });
  afterEach(() => cluster.stop());

  describe("when a run delivers", () => {
    it("are there at once when the cluster has them, and nothing is written", async () => {
      live("c", ({ metadata }) => delete metadata.labels);
      const { ready, revision, delivered, others } = await create();
      assert.deepEqual([ready, revision], [true, digest]);
      const names = ["a", "b"].map((name) => ({ kind: "ClusterPolicy", name, action: "audit", ready: true }));
      assert.deepEqual([delivered, others], [names, ["ClusterPolicy/c"]]);
      assert.deepEqual(asked(), []);
    });

    it("are there although one names a namespace, which a policy of the whole cluster has none of", async () => {
      const named = await push(policy("a"), { ...policy("b"), metadata: { name: "b", namespace: "shop" } });
      appliedNow(named);
      const { delivered, others } = await create({ digest: named });
      assert.deepEqual([delivered.map(({ name }: any) => name), others], [["a", "b"], []]);
    });

    it("are beside a ConfigMap that is asked for by its name alone: of those of others nothing is read or kept", async () => {
      const settings = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "settings", namespace: "shop" } };
      const withSettings = await push(policy("a"), policy("b"), { ...settings, data: { strict: "yes" } });
      appliedNow(withSettings);
      live("c", ({ metadata }) => delete metadata.labels);
      let data = { strict: "yes" };
      const kind = { kind: "ConfigMap", name: "configmaps", namespaced: true, verbs: ["get", "patch"] };
      cluster.answer(({ path, method }) => {
        if (path === "/api/v1") return json({ kind: "APIResourceList", resources: [kind] });
        if (!path.startsWith("/api/v1/")) return undefined;
        if (!path.startsWith("/api/v1/namespaces/shop/configmaps/settings")) return refusedWith(403, "Forbidden", "no");
        return json({ ...settings, data: method === "GET" ? data : { strict: "yes" } });
      });
      const { delivered, others } = await create({ digest: withSettings });
      assert.deepEqual([delivered.length, others], [3, ["ClusterPolicy/c"]]);
      data = { strict: "no" };
      const inputs = await checked({ digest: withSettings });
      const found = await deliveredPolicies.read!(context(), "x", inputs, inputs);
      const { policies } = found!.inputs as any;
      assert.equal(policies["ConfigMap/shop/settings"], "edited: data.strict");
    });

    it("are waited for step by step, without a request while Flux is at work", async () => {
      source({ ready: ["Unknown", "Progressing", "building artifact"], artifact: undefined });
      kustomization({ ready: ["False", "ArtifactFailed", "Source artifact not found"], lastAppliedRevision: "" });
      live("b", ({ status }) => (status.conditions[0].status = "False"));
      const steps: [waited: string, done: () => void][] = [
        ["OCIRepository/flux-system/policies", () => source()],
        ["Kustomization/flux-system/policies", () => kustomization()],
        ["ClusterPolicy/b", () => live("b")],
      ];
      // Each step is done once it was waited for: a busy machine may miss one that is done after a time.
      const timer = setInterval(() => {
        const [next] = steps;
        if (!next || !said.some((line) => line.startsWith(`progress: waiting for ${next[0]}`))) return;
        steps.shift();
        next[1]();
      }, 20);
      try {
        assert.equal((await create()).ready, true);
      } finally {
        clearInterval(timer);
      }
      assert.deepEqual(asked(), []);
      assert.deepEqual(steps, []);
    });

    it("are tried again after a failure of an earlier run, by one request", async () => {
      source({ ready: ["False", "OCIArtifactPullFailed", "UNAUTHORIZED"], artifact: undefined });
      cluster.onRequest((kind) => source({ handled: request(kind) }));
      assert.equal((await create()).ready, true);
      assert.equal(asked().length, 1);
      assert.match(asked()[0]!, /ocirepositories\/policies\?fieldManager=policychain$/);
    });

    it("are pulled once more when their login is another one, which has to work although all is there", async () => {
      const objects = (login: string) => ({ OCIRepository: "u 1", Secret: login });
      const again = async (old: string, now: string) => {
        const [olds, news] = await Promise.all([
          checked({ objects: objects(old) }),
          checked({ objects: objects(now) }),
        ]);
        return deliveredPolicies.update!(context(), "x", olds, olds, news);
      };
      await again("s 1", "s 1");
      assert.deepEqual(asked(), []);
      cluster.onRequest((kind) => source({ handled: request(kind) }));
      await again("s 1", "s 2");
      assert.equal(asked().length, 1);
      failsWhenAsked("OCIRepository", "OCIArtifactPullFailed", "UNAUTHORIZED: authentication required");
      source();
      await assert.rejects(again("s 2", "s 3"), (error: any) => error.code === "flux-login-refused");
    });

    it("are put right by Flux when one was edited or deleted", async () => {
      live("a", ({ spec }) => (spec.rules[0].validate.message = "edited"));
      cluster.remove("ClusterPolicy", "b");
      cluster.onRequest(() => ["a", "b"].forEach((name) => void live(name)));
      assert.equal((await create()).ready, true);
      assert.match(asked().join(), /kustomizations\/policies/);
    });

    const pulls: [string, string, string, string, RegExp][] = [
      [
        "no secret",
        "flux-secret-missing",
        "AuthenticationFailed",
        `failed to get credential: failed to get secret 'flux-system/x': secrets "x" not found`,
        /create that Secret in namespace flux-system/,
      ],
      [
        "a wrong secret",
        "flux-login-refused",
        "OCIArtifactPullFailed",
        "failed to pull artifact from 'oci://r': GET http://r: UNAUTHORIZED: authentication required",
        /secretRef, pullSecret and provider/,
      ],
      [
        "a digest that is gone",
        "flux-artifact-gone",
        "OCIArtifactPullFailed",
        "GET http://r: MANIFEST_UNKNOWN: manifest unknown",
        /publish it again/,
      ],
      [
        "a registry without TLS",
        "flux-registry-insecure",
        "OCIArtifactPullFailed",
        "Get https://r/v2/: http: server gave HTTP response to HTTPS client",
        /put a certificate/,
      ],
      [
        "a certificate that nobody trusts",
        "flux-registry-untrusted",
        "OCIArtifactPullFailed",
        "tls: failed to verify certificate: x509: certificate signed by unknown authority",
        /certSecretRef/,
      ],
    ];
    for (const [title, code, reason, message, fix] of pulls)
      it(`are refused in Flux's own words with ${title}`, async () => {
        failsWhenAsked("OCIRepository", reason, message);
        await refused(code, fix);
        await refused(code, new RegExp(message.slice(0, 30).replace(/[()'/.]/g, ".")));
      });

    const applies: [string, string, string, RegExp][] = [
      [
        "a policy that breaks the schema",
        "flux-policy-invalid",
        `ClusterPolicy/a dry-run failed (Invalid): ClusterPolicy.kyverno.io "a" is invalid: spec.rules: Required value`,
        /spec.rules: Required value/,
      ],
      [
        "a policy that a webhook denies",
        "flux-policy-denied",
        'ClusterPolicy/a dry-run failed (Forbidden): admission webhook "validate-policy.kyverno.svc" denied the request: path: spec',
        /denied the request: path: spec/,
      ],
      [
        "a service account without rights",
        "flux-apply-forbidden",
        'clusterpolicies.kyverno.io "a" is forbidden: User "system:serviceaccount:x:y" cannot patch resource',
        /serviceAccount a role/,
      ],
      [
        "a policy that Kyverno does not take up",
        "flux-policy-unready",
        "timeout waiting for: [ClusterPolicy/a status: 'InProgress']",
        /logs deployment/,
      ],
    ];
    for (const [title, code, message, says] of applies)
      it(`are refused in Flux's own words with ${title}`, async () => {
        const reason = code === "flux-policy-unready" ? "HealthCheckFailed" : "ReconciliationFailed";
        failsWhenAsked("Kustomization", reason, message);
        await refused(code, says);
      });

    it("say at the time-out what was seen last, and that the next run goes on from there", async () => {
      kustomization({
        ready: ["False", "DependencyNotReady", "dependency 'flux-system/kyverno' is not ready"],
        lastAppliedRevision: "",
      });
      await refused(
        "delivery-timeout",
        /flux-system\/kyverno' is not ready.*take it out of clusters.<name>.dependsOn.*goes on from there/,
        {
          timeoutSeconds: 1,
        },
      );
    });

    it("end with Flux's own message and its advice where it fails for a reason that does not pass in time", async () => {
      failsWhenAsked(
        "Kustomization",
        "ReconciliationFailed",
        'no matches for kind "ClusterPolicy" in version "kyverno.io/v1"',
      );
      await refused("flux-kind-unknown", /no matches for kind.*install the Kyverno/, { timeoutSeconds: 1 });
    });

    it("tell a controller that does not answer from one that fails", async () => {
      source({ ready: ["False", "OCIArtifactPullFailed", "UNAUTHORIZED"], artifact: undefined });
      await refused(
        "delivery-timeout",
        /has not answered the request.*before: OCIArtifactPullFailed.*see that Flux runs/,
        {
          timeoutSeconds: 1,
        },
      );
    });

    it("are refused while somebody has suspended Flux's objects, or they are gone", async () => {
      kustomization({}, { suspend: true });
      await refused("flux-suspended", /it is suspended.*pulumi up --refresh --stack dev, which resumes it/);
      cluster.remove("OCIRepository", "policies");
      await refused("flux-object-changed", /it is not in the cluster/);
    });

    it("are refused before anything is asked of Flux when the cluster serves no such kind, with what to install", async () => {
      cluster.serve("kyverno.io/v1", false);
      await refused("kind-unserved", /does not serve ClusterPolicy of kyverno.io\/v1;.*install Kyverno/);
      cluster.serve("source.toolkit.fluxcd.io/v1", false);
      await refused("kind-unserved", /OCIRepository of source.toolkit.fluxcd.io\/v1.*install Flux/);
      assert.deepEqual(asked(), []);
    });

    it("are refused when another Kustomization delivers one of them, which is named", async () => {
      const id = { id: "_a_kyverno.io_ClusterPolicy", v: "v1" };
      const other = { metadata: { namespace: "team-b", name: "rules" }, status: { inventory: { entries: [id] } } };
      cluster.put({ apiVersion: "kustomize.toolkit.fluxcd.io/v1", kind: "Kustomization", ...other });
      await refused("policy-shared", /ClusterPolicy\/a \(Kustomization team-b\/rules\)/);
    });

    it("are refused when an exception names no policy, before anything is written", async () => {
      const exceptions = { enforcement: "enforce", exceptions: ["a", "c"] };
      await refused("exception-unknown", /no policy of the artifact.*"c"/, exceptions);
      assert.deepEqual(asked(), []);
    });

    it("are as the cluster is to enforce them: a patch that is gone is an edit", async () => {
      const enforced = { enforcement: "enforce", exceptions: ["b"] };
      live("a", ({ spec }) => (spec.validationFailureAction = "Enforce"));
      const { delivered } = await create(enforced);
      assert.deepEqual(
        delivered.map(({ action }: any) => action),
        ["enforce", "audit"],
      );
      live("a");
      await refused("delivery-timeout", /ClusterPolicy\/a .*edited: spec.validationFailureAction/, {
        ...enforced,
        timeoutSeconds: 1,
      });
    });

    it("are those of one folder where the Kustomization applies no more", async () => {
      const { delivered } = await create({ path: "./security/policies/p" });
      assert.deepEqual(delivered, []);
      assert.equal((await create({ path: "./security" })).delivered.length, 2);
    });

    it("are refused while a field of another manager stays beside theirs", async () => {
      const fieldsV1 = { "f:spec": { "f:failurePolicy": {} } };
      live("a", ({ metadata, spec }) => {
        metadata.managedFields = [{ manager: "lens", operation: "Update", fieldsV1 }];
        spec.failurePolicy = "Ignore";
      });
      await refused("policy-edited", /ClusterPolicy\/a .* edited: spec.failurePolicy \(by lens\)/);
    });

    it("cannot be called delivered where the cluster would not take one of their documents", async () => {
      cluster.answer(({ path }) =>
        path.includes("dryRun=All")
          ? refusedWith(400, "BadRequest", "admission webhook denied the request")
          : undefined,
      );
      const started = Date.now();
      await refused("policy-uncompared", /ClusterPolicy\/a .* dry run of it is refused: .*denied the request/);
      assert.ok(Date.now() - started < 1500);
    });

    it("are refused before anything is asked of Flux where this login may not compare them", async () => {
      cluster.answer(({ path }) => (path.includes("dryRun=All") ? refusedWith(403, "Forbidden", "no") : undefined));
      await refused("cluster-forbidden", /answered 403/);
      assert.equal(cluster.lines().filter((line) => line.includes("kustomizations/")).length, 0);
    });

    it("are an error in time where the cluster answers too slowly", async () => {
      source({ ready: ["Unknown", "Progressing", ""], artifact: undefined });
      let looks = 0;
      cluster.answer(({ path }) =>
        path.includes("ocirepositories/") && ++looks > 1 ? { status: 503, delay: 10_000 } : undefined,
      );
      const started = Date.now();
      await refused("delivery-timeout", /OCIRepository\/flux-system\/policies .* is not ready after 1 s/, {
        timeoutSeconds: 1,
      });
      assert.ok(Date.now() - started < 2500);
    });

    it("need the cluster: one that is away is an error, one that goes away for a moment is not", async () => {
      source({ ready: ["Unknown", "Progressing", ""], artifact: undefined });
      let looks = 0;
      cluster.answer(({ path }) =>
        path.includes("ocirepositories/") && ++looks === 2 ? { status: 503, body: "{}" } : undefined,
      );
      setTimeout(source, 700);
      assert.equal((await create()).ready, true);
      await cluster.stop();
      await refused("cluster-unreachable", /cannot be reached/);
      cluster = await startStandInCluster();
      cluster.answer(() => refusedWith(403, "Forbidden", "no"));
      await refused("cluster-forbidden", /answered 403/);
    });

    it("stop at once when the run is killed, and the next run goes on", async () => {
      source({ ready: ["Unknown", "Progressing", ""], artifact: undefined });
      const stop = new AbortController();
      setTimeout(() => stop.abort(new Error("cancelled")), 300);
      const started = Date.now();
      await assert.rejects(create({}, { signal: stop.signal }), /cancelled/);
      assert.ok(Date.now() - started < 1000);
      source();
      assert.equal((await create()).ready, true);
      assert.deepEqual(asked(), []);
    });
  });

  describe("when a cluster follows a range", () => {
    it("are those of the digest that Flux chose", async () => {
      source({ artifact: { revision: `v1.2.0@${digest}` } }, { ref: { semver: "1.x" } });
      kustomization({ lastAppliedRevision: `v1.2.0@${digest}` });
      const { revision, delivered } = await create({ digest: undefined, policies: undefined });
      assert.equal(revision, `v1.2.0@${digest}`);
      assert.equal(delivered.length, 2);
    });
  });

  describe("in a preview", () => {
    it("are known by digest, and the cluster is not asked for anything", async () => {
      const outputs = await create({}, { preview: true });
      assert.deepEqual([outputs.revision, outputs.ready], [digest, UNKNOWN]);
      assert.deepEqual(cluster.lines(), []);
    });
  });

  describe("before anything is written for them", () => {
    const looked = async (preview: boolean, more: Values = {}) => {
      const { source: _, policies: __, timeoutSeconds: ___, ...inputs } = given(more);
      assert.deepEqual((await deliveryCheck.check!(context(), undefined, inputs)).failures, []);
      return (await deliveryCheck.create(context({ preview }), inputs)).outputs;
    };
    const shared = () => {
      const id = { id: "_a_kyverno.io_ClusterPolicy", v: "v1" };
      const other = { metadata: { namespace: "team-b", name: "rules" }, status: { inventory: { entries: [id] } } };
      cluster.put({ apiVersion: "kustomize.toolkit.fluxcd.io/v1", kind: "Kustomization", ...other });
    };

    it("are looked at again where another context is named, though not where another kubeconfig is", async () => {
      const changes = async (more: Values) => {
        const found = await deliveryCheck.diff!(context(), "", given(), {}, given(more));
        return Object.keys(found.changes);
      };
      assert.deepEqual(await changes({ context: "nowhere" }), ["context"]);
      assert.deepEqual(await changes({ kubeconfig: "elsewhere" }), []);
      const inputs = given({ context: "nowhere" });
      await assert.rejects(Promise.resolve(deliveryCheck.create(context(), inputs)), (error: any) => {
        return error.code === "kubeconfig-malformed" && /it has no context "nowhere"/.test(error.message);
      });
    });

    it("are found possible where Flux's objects are still to come", async () => {
      cluster.remove("OCIRepository", "policies");
      cluster.remove("Kustomization", "policies");
      assert.equal((await looked(false)).digest, digest);
      assert.deepEqual(asked(), []);
    });

    it("are refused in a preview and in an update when they have another owner or an exception names none", async () => {
      shared();
      for (const preview of [true, false]) {
        await assert.rejects(looked(preview), { code: "policy-shared" });
        const exceptions = { enforcement: "enforce", exceptions: ["c"] };
        await assert.rejects(looked(preview, exceptions), { code: "exception-unknown" });
      }
    });

    it("are refused in an update when the cluster lacks their kinds or is away, of which a preview warns", async () => {
      cluster.serve("kyverno.io/v1", false);
      await looked(true);
      await assert.rejects(looked(false), { code: "kind-unserved" });
      await cluster.stop();
      await looked(true);
      await assert.rejects(looked(false), { code: "cluster-unreachable" });
      assert.match(
        said.join("\n"),
        /^warn: this update needs more[^\n]*install Kyverno[^\n]*\nwarn: not known before the update[^\n]*$/,
      );
      cluster = await startStandInCluster();
    });

    it("are not looked at in a preview while their digest is unknown, or their artifact is still to be pushed", async () => {
      await looked(true, { digest: UNKNOWN });
      await looked(true, { digest: sha256("not pushed yet") });
      assert.deepEqual([cluster.lines(), said], [[], []]);
    });
  });

  describe("at a refresh", () => {
    const read = async (more?: Values) => {
      const inputs = await checked(more);
      const outputs = { ...inputs, ready: true, revision: digest, delivered: [], others: [] };
      const found = await deliveredPolicies.read!(context(), "flux-system/policies", inputs, outputs);
      const { changes } = await deliveredPolicies.diff!(context(), "", found!.inputs, found!.outputs, inputs);
      return { ...found!, changes: Object.keys(changes) } as any;
    };

    it("show nothing when all is as delivered, and nothing is written", async () => {
      const { changes, outputs } = await read();
      assert.deepEqual([changes, outputs.ready, asked(), said], [[], true, [], []]);
    });

    it("are named when they are edited or missing, with what Flux does about it by itself", async () => {
      live("a", ({ spec }) => (spec.rules[0].validate.message = "edited"));
      cluster.remove("ClusterPolicy", "b");
      const { inputs, changes, outputs } = await read();
      const policies = { "ClusterPolicy/a": "edited: spec.rules[0].validate.message", "ClusterPolicy/b": "missing" };
      assert.deepEqual(inputs.policies, policies);
      assert.deepEqual(changes, ['policies["ClusterPolicy/a"]', 'policies["ClusterPolicy/b"]']);
      assert.equal(outputs.ready, false);
      assert.match(said.join(), /Flux puts ClusterPolicy\/a, ClusterPolicy\/b right by itself within 10m/);
    });

    it("are named alone where the program does not list what is delivered", async () => {
      cluster.remove("ClusterPolicy", "b");
      const { inputs, changes } = await read({ policies: undefined });
      assert.deepEqual([inputs.policies, changes], [{ "ClusterPolicy/b": "missing" }, ["policies"]]);
    });

    it("say which of Flux's objects is suspended or missing, and that nothing is put right meanwhile", async () => {
      kustomization({}, { suspend: true });
      cluster.remove("ClusterPolicy", "b");
      const suspended = await read();
      assert.deepEqual(suspended.inputs.flux, {
        "OCIRepository/flux-system/policies": "running",
        "Kustomization/flux-system/policies": "suspended",
      });
      assert.match(said.join(), /does not put ClusterPolicy\/b right while its Kustomization is suspended/);
      cluster.remove("OCIRepository", "policies");
      assert.equal((await read()).inputs.flux["OCIRepository/flux-system/policies"], "missing");
    });

    it("say what fails now, in Flux's own words", async () => {
      kustomization({ ready: ["False", "BuildFailed", "kustomize build failed: no"] });
      const { inputs } = await read();
      assert.match(
        inputs.flux["Kustomization/flux-system/policies"],
        /^failing: BuildFailed: kustomize build failed: no$/,
      );
    });

    it("are told apart from their artifact, which may be gone and is pushed again by the next update", async () => {
      const { inputs, changes } = await read({ digest: `sha256:${"0".repeat(64)}` });
      assert.match(inputs.flux["OCIRepository/flux-system/policies"], /not in the registry any more/);
      assert.deepEqual(changes, ['flux["OCIRepository/flux-system/policies"]']);
    });

    it("are read as the cluster is reached now, however it was when they were delivered", async () => {
      const inputs = await checked();
      const outputs = {
        ...inputs,
        kubeconfig: "/nowhere/kubeconfig",
        ready: true,
        revision: digest,
        delivered: [],
        others: [],
      };
      const found = await deliveredPolicies.read!(context(), "flux-system/policies", inputs, outputs);
      assert.equal((found!.outputs as any).ready, true);
    });

    it("are no drift when they belong to others", async () => {
      live("c", ({ metadata }) => delete metadata.labels);
      assert.deepEqual((await read()).changes, []);
    });

    it("are not known when the cluster cannot be asked: the command fails and the state stays", async () => {
      const inputs = await checked();
      await cluster.stop();
      await assert.rejects(deliveredPolicies.read!(context(), "x", inputs, inputs), (error: any) => {
        return error.code === "cluster-unreachable";
      });
      cluster = await startStandInCluster();
    });

    it("are all missing, and no error, when the cluster has lost their kinds", async () => {
      for (const kinds of ["kyverno.io/v1", "kustomize.toolkit.fluxcd.io/v1"]) cluster.serve(kinds, false);
      const { inputs } = await read();
      assert.deepEqual(Object.values(inputs.policies), ["missing", "missing"]);
      assert.equal(inputs.flux["Kustomization/flux-system/policies"], "missing");
    });
  });

  it("are not left behind by a Kustomization that is deleted while it is suspended", async () => {
    const remove = async () => deliveredPolicies.delete!(context(), "flux-system/policies", await checked());
    await remove();
    kustomization({}, { suspend: true, prune: true });
    await assert.rejects(remove(), (error: any) => error.code === "flux-suspended" && /would stay/.test(error.message));
    kustomization({}, { suspend: true, prune: false });
    await remove();
    assert.deepEqual(asked(), []);
  });

  it("are checked before anything is asked: names, enforcement, texts", async () => {
    const wrong = { namespace: "Not a name", enforcement: "Enforce", policies: { "ClusterPolicy/a": "edited" } };
    const { failures } = await deliveredPolicies.check!(context(), undefined, given(wrong));
    assert.deepEqual(
      failures!.map(({ property }) => property),
      ["namespace", "enforcement", 'policies["ClusterPolicy/a"]'],
    );
  });
});
