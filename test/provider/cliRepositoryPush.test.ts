// `policy-platform repository push` against the real registry, with the real kyverno but where a title says otherwise.
import assert from "node:assert/strict";
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { TestVerdict } from "../../lib/gate/folderTests";
import { RegistryClient } from "../../lib/oci/client";
import { folderLayerImage, readLayerPaths } from "../../lib/oci/layer";
import { parsePinned, parseRepository } from "../../lib/oci/reference";
import { type RegistryProxy, startProxy } from "../provider/pluginRegistry";
import { builtProgram, kyvernoBinary } from "../support/kyverno";
import { startRegistry, type TestRegistry } from "../support/registry";
import { run } from "../unit/cli/run";

const sample = "policies/security-policy";

describe("policy-platform repository push", function () {
  this.timeout(60_000);
  let registry: TestRegistry;
  let proxy: RegistryProxy;
  let dir: string;
  const path = process.env.PATH;
  before(async () => {
    registry = await startRegistry();
    proxy = await startProxy(registry.host);
  });
  after(async () => {
    await proxy.stop();
    await registry.stop();
  });
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "push-"));
    process.env.PATH = `${dirname(kyvernoBinary())}:${path}`;
    proxy.clear();
  });
  afterEach(() => {
    process.env.PATH = path;
    rmSync(dir, { recursive: true });
  });
  const policy = (
    name: string,
    content = `apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {name: ${name}}\nspec: {rules: []}\n`,
  ) => {
    mkdirSync(join(dir, "p/policies"), { recursive: true });
    writeFileSync(join(dir, "p/policies", `${name}.yaml`), content);
    return join(dir, "p");
  };
  const errorOf = (data: Record<string, unknown>) => data.error as { code: string; fix: string };
  const push = (...argv: string[]) => run("repository", "push", ...argv);
  const standIn = (script: string) => {
    mkdirSync(join(dir, "bin"), { recursive: true });
    writeFileSync(
      join(dir, "bin/kyverno"),
      `#!/bin/sh\ncase "$1" in version) echo "Version: 1.13.2"; exit 0;; esac\n${script}\n`,
    );
    chmodSync(join(dir, "bin/kyverno"), 0o755);
    process.env.PATH = `${join(dir, "bin")}:${path}`;
  };

  it("checks, tests and pushes a folder, and prints the pin; the layer image is that of the folder", async () => {
    const { code, stdout, stderr } = await push(sample, `${proxy.host}/teams/security-policy:v1.0.0`);
    assert.equal(code, 0, stderr);
    const { digest } = await folderLayerImage(sample, { at: "/repos/security-policy" });
    assert.equal(stdout, `policies.security-policy.image: ${proxy.host}/teams/security-policy:v1.0.0@${digest}\n`);
    assert.match(stderr, /✔ tests passed: \d+ test files, \d+ results/);
    assert.match(
      stderr,
      /a stack takes it by: pulumi config set --path 'policy-platform:policies\.security-policy\.image' '/,
    );
    const pinned = parsePinned(stdout.slice(stdout.indexOf(": ") + 2).trim());
    const paths = await readLayerPaths(new RegistryClient(), pinned, pinned.digest);
    assert.ok(paths.length > 5 && paths.every((one) => one.startsWith("repos/security-policy/")));
  });

  it("moves no byte the second time, and answers a program in JSON", async () => {
    const folder = policy("one");
    assert.equal((await push(folder, `${proxy.host}/teams/p:v1`)).code, 0);
    proxy.clear();
    const { code, data, stderr } = await push(folder, `${proxy.host}/teams/p:v1`, "-o", "json");
    assert.equal(code, 0);
    assert.match(stderr, /was there already/);
    assert.deepEqual(proxy.writes(), []);
    assert.equal(data.pin, `${proxy.host}/teams/p:v1@${data.digest}`);
    assert.deepEqual(data.tests, { status: "skipped", detail: "no kyverno-test.yaml in its source" });
  });

  it("moves a tag that is there, and says from what", async () => {
    const target = `${proxy.host}/teams/moving:latest`;
    const first = (await push(policy("one"), target, "-o", "json")).data;
    const second = await push(policy("two"), target, "-o", "json");
    assert.match(second.stderr, new RegExp(`tag latest is moved from ${first.digest}`));
    assert.equal(
      (await new RegistryClient().resolve(parseRepository(`${proxy.host}/teams/moving`), "latest"))?.digest,
      second.data.digest,
    );
  });

  it("names the repository in the image as --name says", async () => {
    const { data } = await push(policy("one"), `${proxy.host}/teams/other:v1`, "--name", "team-policy", "-o", "json");
    assert.equal(data.name, "team-policy");
    assert.equal(data.digest, (await folderLayerImage(join(dir, "p"), { at: "/repos/team-policy" })).digest);
  });

  it("refuses a failing test before anything is pushed, and pushes it when the tests are skipped, which is said", async () => {
    cpSync(sample, join(dir, "p"), { recursive: true });
    const file = join(dir, "p/tests/disallow-latest-tag/kyverno-test.yaml");
    const text = readFileSync(file, "utf8");
    writeFileSync(file, text.replace("result: fail", "result: pass"));
    const failing = await push(join(dir, "p"), `${proxy.host}/teams/failing:v1`);
    assert.equal(failing.code, 1);
    assert.match(failing.stderr, /disallow-latest-tag.*Want pass, got fail/s);
    assert.deepEqual(proxy.writes(), []);
    const skipped = await push(join(dir, "p"), `${proxy.host}/teams/failing:v1`, "--skip-tests", "-o", "json");
    assert.equal(skipped.code, 0, skipped.stderr);
    assert.deepEqual(skipped.data.tests, { status: "skipped", detail: "by --skip-tests" });
    assert.match(skipped.stderr, /tests skipped: by --skip-tests/);
  });

  it("refuses a broken policy with file and line, an unknown kind, and one name twice", async () => {
    const broken = await push(policy("bad", "kind: ClusterPolicy\n  x: 1\n"), `${proxy.host}/teams/p:v2`);
    assert.match(broken.stderr, /p\/policies\/bad\.yaml:\d+: /);
    policy("bad", "apiVersion: kyverno.io/v1\nkind: ClusterPolizei\nmetadata: {name: a}\n");
    assert.match((await push(join(dir, "p"), `${proxy.host}/teams/p:v2`)).stderr, /ClusterPolizei/);
    policy("bad", "apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {name: one}\n");
    policy("one");
    assert.match((await push(join(dir, "p"), `${proxy.host}/teams/p:v2`)).stderr, /one is in .* already/);
    assert.deepEqual(proxy.writes(), []);
  });

  it("refuses a folder with tests where there is no kyverno", async () => {
    mkdirSync(join(dir, "empty"));
    process.env.PATH = join(dir, "empty");
    const { code, stderr, data } = await push(sample, `${proxy.host}/teams/p:v3`, "-o", "json");
    assert.equal(code, 1);
    assert.equal(errorOf(data).code, "kyverno-missing");
    assert.match(stderr, /no command kyverno.*--skip-tests/);
  });

  /** A folder whose test file has `rows` (YAML) beside a row that is met. */
  const withRows = (rows: string) => {
    for (const path of ["policies/disallow-latest-tag.yaml", "tests/disallow-latest-tag"])
      cpSync(join(sample, path), join(dir, "p", path), { recursive: true });
    const file = join(dir, "p/tests/disallow-latest-tag/kyverno-test.yaml");
    writeFileSync(file, readFileSync(file, "utf8").replace(/^results:\n/m, `results:\n${rows}`));
    return join(dir, "p");
  };
  const row = (rule: string, result: string) =>
    `  - {policy: disallow-latest-tag, rule: ${rule}, kind: Pod, resources: [version-tags], result: ${result}}\n`;

  it("refuses a row about a rule that is gone, though every other row is met", async () => {
    const gone = await push(withRows(row("renamed-away", "pass")), `${proxy.host}/teams/p:v5`, "-o", "json");
    assert.equal(gone.code, 1);
    assert.equal(errorOf(gone.data).code, "policy-tests-failed");
    assert.match(gone.stderr, /disallow-latest-tag\/kyverno-test\.yaml: disallow-latest-tag\/renamed-away on Pod\//);
    assert.deepEqual(proxy.writes(), []);
  });

  it("refuses a row about an object that is gone, and a test file without a result", async () => {
    const missing = row("image-tag", "pass").replace("version-tags", "nobody");
    const { stderr } = await push(withRows(missing), `${proxy.host}/teams/p:v5`);
    assert.match(stderr, /image-tag on Pod\/nobody/);
    mkdirSync(join(dir, "p/tests/empty"));
    writeFileSync(
      join(dir, "p/tests/empty/kyverno-test.yaml"),
      "apiVersion: cli.kyverno.io/v1alpha1\nkind: Test\nmetadata: {name: x}\npolicies: []\nresources: []\nresults: []\n",
    );
    const empty = await push(join(dir, "p"), `${proxy.host}/teams/p:v5`);
    assert.equal(empty.code, 1);
    assert.match(empty.stderr, /tests\/empty\/kyverno-test\.yaml: has no result/);
    assert.deepEqual(proxy.writes(), []);
  });

  for (const name of ["backend-applications", "devops-policy"]) {
    it(`publishes this project's own ${name} with its tests, its charts rendered by the helm on PATH`, async () => {
      process.env.PATH = `${dirname(builtProgram("helm"))}:${process.env.PATH}`;
      const { code, stderr, data } = await push(`policies/${name}`, `${proxy.host}/teams/${name}:v1`, "-o", "json");
      assert.equal(code, 0, stderr);
      const { status, detail } = data.tests as TestVerdict;
      assert.equal(status, name === "backend-applications" ? "skipped" : "passed", detail);
    });
  }

  it("refuses tests of policies in charts where there is no helm", async () => {
    standIn("exit 0");
    process.env.PATH = join(dir, "bin");
    const { code, data } = await push("policies/devops-policy", `${proxy.host}/teams/p:v6`, "-o", "json");
    assert.equal(code, 1);
    assert.equal(errorOf(data).code, "helm-missing");
    assert.match(errorOf(data).fix, /helm CLI on PATH/);
  });

  it("says why a chart that its tests are about cannot be rendered", async () => {
    process.env.PATH = `${dirname(builtProgram("helm"))}:${process.env.PATH}`;
    cpSync("policies/devops-policy", join(dir, "p"), { recursive: true });
    writeFileSync(join(dir, "p/cd/dev/values.yaml"), "workloads: {minReplicas: none}\n");
    const { code, stderr } = await push(join(dir, "p"), `${proxy.host}/teams/p:v6`);
    assert.equal(code, 1);
    assert.match(stderr, /dev: the values are not what the schema of .*workload-standards allows/);
  });

  const broken: readonly [string, string, RegExp][] = [
    ["crashes", "echo 'panic: boom' >&2; exit 2", /did not print its summary \(code 2\): .*panic: boom/],
    ["prints garbage", "head -c 100000 /dev/urandom; exit 0", /did not print its summary/],
    ["prints no result", "echo 'Test Summary: 0 tests passed and 0 tests failed'", /not in kyverno's results/],
  ];
  for (const [what, script, expected] of broken) {
    it(`stand-in: refuses a kyverno that ${what}`, async () => {
      standIn(script);
      const { code, stderr } = await push(sample, `${proxy.host}/teams/p:v4`);
      assert.equal(code, 1);
      assert.match(stderr, expected);
      assert.deepEqual(proxy.writes(), []);
    });
  }

  it("refuses a reference without a tag or with a digest, and a name that is none", async () => {
    const folder = policy("one");
    for (const [reference, error, expected] of [
      [`${proxy.host}/teams/p`, "push-reference", /has no tag.*:v1\.0\.0/],
      [`${proxy.host}/teams/p:v1@sha256:${"0".repeat(64)}`, "push-reference", /has a digest/],
      [`${proxy.host}/teams/my_policy:v1`, "push-name", /"my_policy" cannot be the name.*--name my-policy/],
    ] as const) {
      const { code, stderr, data } = await push(folder, reference, "-o", "json");
      assert.deepEqual([code, errorOf(data).code], [2, error], stderr);
      assert.match(stderr, expected);
    }
  });

  it("speaks http beyond loopback only when it is told to", async () => {
    const { code, stderr } = await push(policy("one"), "registry.invalid:5000/teams/p:v1");
    assert.equal(code, 1);
    assert.match(stderr, /registry\.invalid/);
  });

  it("publishes ten thousand policies", async () => {
    for (let at = 0; at < 10_000; at++) policy(`p${at}`);
    const started = Date.now();
    const { code, stderr, data } = await push(join(dir, "p"), `${proxy.host}/teams/many:v1`, "-o", "json");
    assert.equal(code, 0, stderr);
    assert.equal(data.files, 10_000);
    assert.ok(Date.now() - started < 30_000, `${Date.now() - started} ms`);
  });
});
