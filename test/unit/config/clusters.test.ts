// `clusters`: what one cluster may say, what may not stand beside what, and that its one secret reaches no message.
import assert from "node:assert/strict";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import fc from "fast-check";
import semver from "semver";
import { semverRange } from "../../../config/clusterGrammar";
import { fromPulumi, fromStackFile } from "../../../config/load";
import { parseSettings, problemsOf } from "../../../config/parse";
import { Secret } from "../../../config/problems";
import type { RawConfiguration } from "../../../config/settings";
import { times } from "../../support/counts";
import { keepVariables } from "../../support/environment";
import { hex, problemsAfter, projectDir, spoiled } from "./valid";

const context = { stack: "dev", projectDir };
const commit = "0123456789abcdef0123456789abcdef01234567";
const chart = `oci://registry.example.com/charts/kyverno@sha256:${hex("c")}`;

/** A configuration with one cluster, of environment dev unless it says more. */
const withCluster = (keys: object) => spoiled(["clusters"], { dev: { environment: "dev", ...keys } });
const problemsOfCluster = (keys: object) => problemsOf(withCluster(keys), context);
const codes = (keys: object) =>
  problemsOfCluster(keys).map(({ code, key }) => `${code} ${key.slice("policy-platform:clusters".length)}`);

/** A configuration of a stack that promotes. */
const promoting = (clusters: unknown): RawConfiguration => ({
  registry: { address: "127.0.0.1:5001" },
  promotion: {
    from: "127.0.0.1:5000/releases/policy-platform",
    version: "v1.0.0",
    digest: `sha256:${hex("d")}`,
    commit: "0123456789ab",
  },
  clusters,
});

describe("a cluster", () => {
  it("that says nothing has the defaults of the reference, and the only environment of the stack", () => {
    const raw = { ...spoiled(["clusters"], { dev: {} }), artifacts: { environments: ["production"] } };
    assert.deepEqual(parseSettings(raw, context).clusters, {
      dev: {
        environment: "production",
        namespace: "flux-system",
        createNamespace: false,
        name: "policies",
        enforcement: "asAuthored",
        exceptions: [],
        interval: "10m",
        retryInterval: "30s",
        timeout: "2m",
        timeoutSeconds: 180,
        path: "./",
        prune: true,
        dependsOn: [],
      },
    });
  });

  it("may say all of it", () => {
    const keys = {
      kubeconfig: ".local/kubeconfig",
      context: "gke_acme-prod_europe-west1_main",
      namespace: "flux",
      createNamespace: true,
      name: "team-policies",
      enforcement: "enforce",
      exceptions: ["require-replicas", "a.b"],
      secretRef: "registry-login",
      certSecretRef: "registry-ca",
      interval: "1h",
      retryInterval: "45s",
      timeout: "5m",
      path: "./security-policy",
      prune: false,
      dependsOn: ["base"],
      serviceAccount: "policies",
      kyverno: { kind: "flux", git: { url: "https://git.example.com/kyverno", commit, path: "config/release" } },
    };
    assert.deepEqual(problemsOfCluster(keys), []);
    const { kyverno, ...rest } = keys;
    const { dev } = parseSettings(withCluster(keys), context).clusters;
    assert.deepEqual(dev, { environment: "dev", ...rest, timeoutSeconds: 360, kyverno: { git: kyverno.git } });
    assert.deepEqual(codes({ kyverno: { kind: "flux", chart } }), []);
    assert.deepEqual(codes({ provider: "aws", follow: ">=1.2 <2 || 3.x", enforcement: "asAuthored" }), []);
    assert.deepEqual(codes({ render: "clusters/dev" }), []);
  });

  it("of a stack that promotes is one too, whatever environments its release has", () => {
    assert.deepEqual(problemsOf(promoting({ prod: {}, test: { context: "t", environment: "dev" } }), context), []);
    const { clusters } = parseSettings(promoting({ prod: { enforcement: "enforce" } }), context);
    assert.equal(clusters.prod!.environment, undefined);
    assert.equal(clusters.prod!.enforcement, "enforce");
  });

  it("that is wrong in everything is told everything, each with the line that mends it", () => {
    const found = problemsOfCluster({
      environment: "prod",
      context: "two words",
      namespace: "Flux_System",
      interval: "5s",
      timeout: "90",
      retryInterval: "1d",
      path: "../up",
      secretRef: "Login",
      provider: "gpc",
      enforcement: "deny",
      exceptions: ["a", "a"],
      prune: "yes",
      certSecret: "x",
      dependsOn: ["policies"],
      kyverno: { kind: "flux" },
    });
    assert.deepEqual(
      found.map(({ code, key }) => `${code} ${key.slice("policy-platform:clusters.dev.".length)}`).sort(),
      [
        "cluster-depends dependsOn[0]",
        "cluster-exceptions exceptions",
        "cluster-logins provider",
        "context-malformed context",
        "duration-malformed interval",
        "duration-malformed retryInterval",
        "duration-malformed timeout",
        "environment-unknown environment",
        "key-unknown certSecret",
        "kyverno-forms kyverno",
        "name-malformed namespace",
        "name-malformed secretRef",
        "name-repeated exceptions[1]",
        "path-malformed path",
        "value-wrong enforcement",
        "value-wrong provider",
        "value-wrong prune",
      ].sort(),
    );
    for (const { fix } of found) assert.match(fix, /pulumi config (set|rm)|^rename it to certSecretRef/);
    assert.ok(found.some(({ fix }) => fix.includes("'policy-platform:clusters.dev.timeout' '90s'")));
  });

  it("names an environment of the stack, and must where there are several", () => {
    const missing = problemsAfter(["clusters"], { dev: {} });
    assert.deepEqual(
      missing.map(({ code, fix }) => [code, fix]),
      [
        [
          "environment-missing",
          "pulumi config set --path 'policy-platform:clusters.dev.environment' 'dev' --stack dev",
        ],
      ],
    );
    const none = problemsOf({ ...spoiled(["clusters"], { dev: {} }), artifacts: {} }, context);
    assert.match(none[0]!.what, /the stack has none$/);
    assert.match(none[0]!.fix, /'policy-platform:artifacts\.environments\[0\]' 'production'/);
    assert.match(problemsOfCluster({ environment: "prodction" })[0]!.fix, /'production'/);
  });

  it("that follows a range neither audits nor enforces by a patch", () => {
    for (const enforcement of ["audit", "enforce"])
      assert.deepEqual(codes({ follow: "1.x", enforcement }), ["cluster-follows .dev.follow"]);
    assert.match(
      problemsOfCluster({ follow: "1.x", enforcement: "enforce" })[0]!.what,
      /follows a range of versions, in a cluster that enforces$/,
    );
  });

  it("takes Kyverno of a digest or a commit alone, and of one of them", () => {
    const of = (kyverno: object) => problemsOfCluster({ kyverno }).map(({ code }) => code);
    const git = { url: "https://git.example.com/kyverno", commit, path: "config/release" };
    assert.deepEqual(of({ kind: "flux", chart, git }), ["kyverno-forms"]);
    assert.deepEqual(of({ chart }), ["kyverno-forms"]);
    assert.deepEqual(of({ kind: "flux", chart: "oci://registry.example.com/charts/kyverno:3.3.4" }), [
      "chart-unpinned",
    ]);
    assert.deepEqual(of({ kind: "flux", git: { ...git, commit: "v1.13.2" } }), ["commit-moving"]);
    assert.deepEqual(of({ kind: "flux", git: { ...git, url: "git@git.example.com:kyverno" } }).length, 1);
    assert.deepEqual(
      problemsOfCluster({ name: "kyverno", kyverno: { kind: "flux", chart } })[0]!.code,
      "kyverno-forms",
    );
    const [tagged] = problemsOfCluster({
      kyverno: { kind: "flux", chart: `registry.example.com/kyverno:3@sha256:${hex("c")}` },
    });
    assert.ok(tagged!.fix.includes(`'oci://registry.example.com/kyverno@sha256:${hex("c")}'`), tagged!.fix);
  });

  it("pulls from a registry of its cloud where it logs in by workload identity", () => {
    const at = (registry: object, provider = "gcp") =>
      problemsOf({ ...withCluster({ provider }), registry } as never, context).map(({ code, key }) => `${code} ${key}`);
    for (const address of ["europe-west1-docker.pkg.dev/acme/policy", "gcr.io/acme", "eu.gcr.io/acme"])
      assert.deepEqual(at({ address }), [], address);
    for (const address of ["ghcr.io/acme", "gcr.io.example.com/acme", "docker.pkg.dev.example.com", "127.0.0.1:5000"])
      assert.deepEqual(at({ address }), ["cluster-identity policy-platform:clusters.dev.provider"], address);
    assert.deepEqual(at({ kind: "artifactRegistry", project: "acme-dev", location: "europe-west1" }), []);
    assert.deepEqual(at({ address: "registry.example.com" }, "azure"), []);
    const { fix } = problemsOfCluster({ provider: "gcp" })[0]!;
    assert.match(fix, /config rm .*clusters\.dev\.provider.* && pulumi config set .*clusters\.dev\.secretRef/);
  });

  it("pulls over TLS, or on the loopback", () => {
    const at = (registry: object, clusters: object) =>
      problemsOf({ ...spoiled(["clusters"], clusters), registry } as never, context).map(({ code, key }) => [
        code,
        key,
      ]);
    const two = { a: { environment: "dev", context: "a" }, b: { environment: "dev", context: "b" } };
    const plain = { address: "registry.example.com/platform", insecure: true };
    assert.deepEqual(at(plain, two), [["cluster-insecure", "policy-platform:registry.insecure"]]);
    assert.deepEqual(at(plain, {}), []);
    assert.deepEqual(at({ address: "127.0.0.1:5000", insecure: true }, two), []);
  });

  it("is rendered into a folder of its own in the project, and then spoken to by nobody", () => {
    const render = (...folders: string[]) =>
      problemsOf(
        spoiled(
          ["clusters"],
          Object.fromEntries(folders.map((one, i) => [`c${i}`, { environment: "dev", render: one }])),
        ),
        context,
      ).map(({ code }) => code);
    assert.deepEqual(render("clusters/a", "clusters/b"), []);
    assert.deepEqual(render("../outside"), ["path-malformed"]);
    assert.deepEqual(render("/tmp/outside"), ["path-malformed"]);
    assert.deepEqual(render("clusters/a", "clusters/a"), ["render-taken"]);
    assert.deepEqual(render("clusters/a", "clusters/a/deeper"), ["render-taken", "render-taken"]);
    assert.deepEqual(render("policies/security-policy/flux"), ["render-taken"]);
    assert.deepEqual(render("policies"), ["render-taken"]);
    const beside = problemsOfCluster({
      render: "clusters/dev",
      context: "dev",
      pullSecret: new Secret("user:hunter2"),
    });
    assert.deepEqual(
      beside.map(({ code }) => code),
      ["render-beside", "render-beside"],
    );
    assert.ok(beside.some(({ fix }) => fix.includes("secretRef")));
  });

  it("is one place: two of the same words are refused", () => {
    const two = spoiled(["clusters"], { a: { environment: "dev" }, b: { environment: "dev" } });
    assert.deepEqual(
      problemsOf(two, context).map(({ code, key }) => [code, key]),
      [["cluster-taken", "policy-platform:clusters.b"]],
    );
  });

  it("by the thousand costs a moment", () => {
    const many = Object.fromEntries(
      Array.from({ length: 1000 }, (_, i) => [`c${i}`, { environment: "dev", render: `clusters/c${i}` }]),
    );
    const started = performance.now();
    assert.equal(Object.keys(parseSettings(spoiled(["clusters"], many), context).clusters).length, 1000);
    assert.ok(performance.now() - started < 3000);
  });
});

describe("a range of versions that a cluster follows", () => {
  it("is one that Go and npm read alike", () => {
    for (const good of [
      "1.x",
      "*",
      "1",
      "^1.2.3",
      "~1.2",
      ">=1.2.0 <2",
      ">= 1.2",
      "1.2.3 - 2.3",
      "v1.*",
      "1.x || 3.x",
    ]) {
      assert.equal(semverRange.refuse(good), undefined, good);
      assert.notEqual(semver.validRange(good), null, good);
    }
    for (const bad of ["", "latest", "!=1.2", "1.x-0", "^1.2.3-beta", "1.x.3", "x.1", ">1,,<2", "01.2", "1 ||2", "1\n"])
      assert.notEqual(semverRange.refuse(bad), undefined, bad);
    assert.equal(semverRange.refuse(">=1.2, <2")!.meant, ">=1.2 <2");
    assert.equal(semverRange.refuse("=>1.2")!.meant, ">=1.2");
  });

  it("whatever it is, npm reads what passes", () => {
    const part = fc.constantFrom("1", "0", "x", "*", ".", " ", "||", "-", "^", "~", ">", "<", "=", "v", ",", "!", "10");
    fc.assert(
      fc.property(fc.array(part, { maxLength: 9 }), (parts) => {
        const range = parts.join("");
        return semverRange.refuse(range) !== undefined || semver.validRange(range) !== null;
      }),
      { numRuns: times(2000) },
    );
  });
});

describe("a cluster's pull secret", () => {
  const password = "hunter2-never-printed";

  it("is in the settings, and in nothing that prints them", () => {
    const settings = parseSettings(withCluster({ pullSecret: new Secret(`user:${password}`) }), context);
    assert.equal(settings.clusters.dev!.pullSecret!.reveal(), `user:${password}`);
    for (const shown of [JSON.stringify(settings), inspect(settings, { depth: 9, showHidden: true }), String(settings)])
      assert.ok(!shown.includes(password), shown);
  });

  it("that stands in clear is refused without being shown, with the line that asks for it", () => {
    for (const value of [password, 5, { auths: password }]) {
      const found = problemsOfCluster({ pullSecret: value });
      assert.deepEqual(
        found.map(({ code, fix }) => [code, fix]),
        [["secret-plain", "pulumi config set --secret --path 'policy-platform:clusters.dev.pullSecret' --stack dev"]],
      );
      assert.ok(!JSON.stringify(found).includes(password));
    }
  });

  it("comes from the engine, which tells of the whole key alone that it is secret", () => {
    const given = {
      dev: { environment: "dev", pullSecret: `user:${password}` },
      test: { environment: "dev", context: "t" },
    };
    const restore = withEngine({ "policy-platform:clusters": JSON.stringify(given) }, ["policy-platform:clusters"]);
    try {
      const { clusters } = fromPulumi() as { clusters: typeof given };
      assert.equal((clusters.dev.pullSecret as unknown as Secret).reveal(), `user:${password}`);
      assert.deepEqual(clusters.test, given.test);
      assert.ok(!inspect(clusters, { depth: 9 }).includes(password));
    } finally {
      restore();
    }
  });

  it("of one cluster does not hide that another one's stands in clear, or that another key is secret", () => {
    const folder = mkdtempSync(join(tmpdir(), "clusters-"));
    const clusters = {
      a: { environment: "dev", context: "a", pullSecret: new Secret("u:1") },
      b: { environment: "dev", context: "b", pullSecret: new Secret(`u:${password}`) },
    };
    writeFileSync(
      join(folder, "Pulumi.dev.yaml"),
      `config:\n  policy-platform:clusters:\n    a: {context: {secure: v1:abc}, pullSecret: {secure: v1:abc}}\n    b: {context: b, pullSecret: "u:${password}"}\n`,
    );
    const found = problemsOf({ ...spoiled(["clusters"], clusters), policies: undefined } as never, {
      stack: "dev",
      projectDir: folder,
    });
    assert.deepEqual(
      found.filter(({ key }) => key.includes("clusters")).map(({ code, key }) => [code, key]),
      [
        ["secret-unexpected", "policy-platform:clusters.a.context"],
        ["secret-plain", "policy-platform:clusters.b.pullSecret"],
      ],
    );
    assert.ok(!JSON.stringify(found).includes(password));
  });

  it("is known to be there offline, and nothing more is", () => {
    const folder = mkdtempSync(join(tmpdir(), "clusters-"));
    const file = join(folder, "Pulumi.dev.yaml");
    writeFileSync(file, "config:\n  policy-platform:clusters: {dev: {pullSecret: {secure: v1:abc}}}\n");
    const { clusters } = fromStackFile(file, "dev").raw as { clusters: { dev: { pullSecret: Secret } } };
    assert.equal(clusters.dev.pullSecret.isKnown, false);
    assert.deepEqual(codes({ pullSecret: clusters.dev.pullSecret }), []);
  });
});

/** Puts keys into the SDK's configuration, as the engine does; returns what takes them away. */
function withEngine(config: Record<string, string>, secret: string[]): () => void {
  const restore = keepVariables();
  const { runtime } = require("@pulumi/pulumi") as typeof import("@pulumi/pulumi");
  const setAll = (runtime as unknown as { setAllConfig(all: object, keys?: string[]): void }).setAllConfig;
  setAll(config, secret);
  return () => {
    setAll({}, []);
    restore();
  };
}
