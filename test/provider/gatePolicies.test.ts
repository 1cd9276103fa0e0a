// The gate's look at policies and their tests, by the real kyverno in a real engine; what a broken kyverno does is shown with
// stand-ins. Images are made from the files of each test on one base.
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DockerEngine } from "../../lib/docker/engine";
import type { Check } from "../../lib/gate/check";
import { type GateSpec, runGate } from "../../lib/gate/run";
import { RegistryClient } from "../../lib/oci/client";
import { sha256 } from "../../lib/oci/digest";
import { folderLayerImage } from "../../lib/oci/layer";
import { leftOutFiles } from "../../lib/policies/tests";
import {
  dockerfileContext,
  gateContainersLeft,
  pushFiles,
  shellFiles,
  startDockerEngine,
  type TestEngine,
  textFile,
} from "../support/dockerEngine";
import { kyvernoBinary } from "../support/kyverno";
import { startRegistry, type TestRegistry } from "../support/registry";

const sample = "policies/security-policy";
const path = "/usr/local/bin/kyverno";
const bounds = { timeoutSeconds: 120, memoryBytes: 1024 ** 3, outputBytes: 16 * 1024 * 1024 };
const policy = (name: string, more = "") =>
  `apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {name: ${name}}\nspec:\n  rules:\n    - name: named\n      match: {any: [{resources: {kinds: [Service]}}]}\n      validate: {message: needs a name, pattern: {metadata: {name: "?*"}}}\n${more}`;
const rule = (name: string, rest: string) =>
  `    - name: ${name}\n      match: {any: [{resources: {kinds: [Service]}}]}\n${rest}`;
const service = (name: string) =>
  `apiVersion: v1\nkind: Service\nmetadata: {name: ${name}}\nspec: {ports: [{port: 80}]}\n`;
const test = (results: string, resources = "resources.yaml") =>
  `apiVersion: cli.kyverno.io/v1alpha1\nkind: Test\nmetadata: {name: t}\npolicies: [../a.yaml]\nresources: [${resources}]\nresults:\n${results}`;
const row = (result: string, more = "policy: a, rule: named", resource = "one") =>
  `  - {${more}, kind: Service, resources: [${resource}], result: ${result}}\n`;

describe("the gate on policies", function () {
  this.timeout(180_000);
  let docker: TestEngine;
  let engine: DockerEngine;
  let registry: TestRegistry;
  let client: RegistryClient;
  let base: string;
  let bare: string;
  let memory: string;
  const made = new Set<string>();

  before(async () => {
    [docker, registry] = await Promise.all([startDockerEngine(), startRegistry()]);
    engine = docker.engine;
    client = new RegistryClient();
    memory = mkdtempSync(join(tmpdir(), "gate-memory-"));
    const shell = shellFiles();
    bare = await pushFiles(client, `${registry.host}/layers/bare`, shell);
    const kyverno = textFile(path, readFileSync(kyvernoBinary()), true);
    base = await pushFiles(client, `${registry.host}/layers/base`, [...shell, kyverno]);
  });
  after(async () => {
    for (const name of made) await engine.removeImage(name);
    rmSync(memory, { recursive: true, force: true });
    await registry.stop();
    await docker.stop();
  });
  afterEach(async () => assert.deepEqual(await gateContainersLeft(engine), [], "a container was left behind"));

  const image = async (files: Record<string, string | Buffer>, { from = base, kyverno = "" } = {}) => {
    const entries = Object.entries(files).map(([name, content]) => textFile(`/repos/p/${name}`, content));
    const program = kyverno === "" ? [] : [textFile(path, `#!/bin/bash\n${kyverno}\n`, true)];
    const layer = await pushFiles(client, `${registry.host}/layers/files`, [...entries, ...program]);
    const reference = `${registry.host}/candidates/p:${made.size}`;
    made.add(reference);
    const lines = [`FROM ${layer} AS files`, `FROM ${from}`, "COPY --link --from=files / /"];
    const contextTar = dockerfileContext([
      ...lines,
      "ENV PATH=/usr/local/bin:/bin HOME=/tmp",
      "USER 65532:65532",
      'CMD ["/bin/bash"]',
    ]);
    await engine.build({ contextTar, tags: [reference], buildArgs: { SOURCE_DATE_EPOCH: "0" } });
    const pinned = reference.replace(/:\d+$/, `@${await engine.push(reference)}`);
    made.add(pinned);
    return pinned;
  };
  interface Given {
    readonly files: Record<string, string | Buffer>;
    readonly tests?: Record<string, string | Buffer>;
    readonly kyverno?: string;
    readonly spec?: Partial<GateSpec>;
    readonly digest?: string;
  }
  const gate = async ({ files, tests, kyverno = "", spec = {}, digest }: Given): Promise<Record<string, Check>> => {
    const { checks } = await runGate(
      engine,
      {
        image: await image(files, kyverno === "" ? {} : { from: bare, kyverno }),
        tools: { kyverno: { version: "1.13.2", command: [path, "version"], expect: "v?(1.13.2)" } },
        repositories: {
          p: {
            paths: Object.keys(files)
              .map((name) => `/repos/p/${name}`)
              .sort(),
            ...(tests && { leftOut: new Map(Object.entries(tests).map(([name, text]) => [name, Buffer.from(text)])) }),
          },
        },
        limits: { smoke: bounds, checks: bounds },
        policyTests: "optional",
        environments: [],
        integration: {},
        ...spec,
      },
      { memory, ...(digest && { kyverno: digest }) },
    );
    return Object.fromEntries(checks.map((check) => [check.name, check]));
  };
  const policies = async (given: Given) => (await gate(given))["policies: p"]!;
  const tests = async (given: Given) => (await gate(given))["tests: p"]!;

  it("passes the sample repository: each file alone, the folder as users type it, and its tests", async () => {
    const { files } = await folderLayerImage(sample, { at: "/repos/p" });
    const content = Object.fromEntries(Object.keys(files).map((name) => [name, readFileSync(join(sample, name))]));
    const leftOut = Object.fromEntries(leftOutFiles(sample, files).files);
    const checks = await gate({ files: content, tests: leftOut });
    assert.deepEqual(
      Object.values(checks).map(({ name, status, detail }) => [name, status, detail]),
      [
        ["smoke: shell", "passed", "/bin/bash runs as 65532:65532"],
        ["smoke: kyverno", "passed", "1.13.2"],
        ["smoke: /repos/p", "passed", "12 files"],
        ["policies: p", "passed", "12 policy files, 44 rules"],
        ["tests: p", "passed", checks["tests: p"]!.detail],
      ],
    );
    assert.match(checks["tests: p"]!.detail, /^12 test files, \d+ results$/);
    assert.match(checks["policies: p"]!.output!, /Applying 44 policy rule\(s\) to 0 resource\(s\)/);
  });

  it("names a policy that kyverno drops without a word, and why", async () => {
    const typo = policy("b").replace("validate:", "valdiate:");
    const { status, detail } = await policies({ files: { "a.yaml": policy("a"), "b.yaml": typo } });
    assert.equal(status, "failed");
    assert.match(detail, /^\/repos\/p\/b\.yaml applies no rule at all: .*valdiate/);
  });

  it("names a policy whose file name kyverno does not read", async () => {
    const { detail } = await policies({ files: { ".h.yaml": policy("h"), "a.yaml": policy("a") } });
    assert.match(detail, /^\/repos\/p\/\.h\.yaml applies no rule at all: Kyverno reads no file whose name is hidden/);
  });

  it("names a policy of which kyverno applies some rules only, and one that it holds to be invalid", async () => {
    const half = `${policy("b")}---\n${policy("c").replace("kyverno.io/v1", "kyverno.io/v9")}`;
    const unknown = policy("d").replace("needs a name", "'{{ nothing.there }}'");
    const { detail } = await policies({ files: { "b.yaml": half, "d.yaml": unknown } });
    assert.match(detail, /\/repos\/p\/b\.yaml applies 1 of its 2 rules/);
    assert.match(detail, /\/repos\/p\/d\.yaml has policies that kyverno does not apply as they are invalid: d/);
  });

  it("takes files beside policies that kyverno reads past, as collections have them", async () => {
    const files = {
      "a/a.yaml": policy("a"),
      "a/artifacthub-pkg.yml": "name: a\nversion: 1.0.0\ndisplayName: A\n",
      "kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [a/a.yaml]\n",
      "README.md": "# a\n",
    };
    assert.deepEqual((await policies({ files })).detail, "1 policy file, 1 rule");
  });

  it("says which files are to blame when the folder as users type it applies fewer rules", async () => {
    const files = {
      "a.yaml": policy("a"),
      "settings.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\n",
      "service.yaml": service("x"),
      ".deep/h.yaml": policy("h"),
    };
    const { status, detail } = await policies({ files });
    assert.equal(status, "failed");
    assert.match(
      detail,
      /^kyverno apply \/repos\/p\/ sees 0 of 2 rules; to blame: \/repos\/p\/\.deep\/h\.yaml: Kyverno reads no file whose name is hidden/,
    );
    assert.match(detail, /\/repos\/p\/settings\.yaml: policy type not supported \/v1, Kind=ConfigMap/);
    assert.match(detail, /\/repos\/p\/service\.yaml: policy type not supported \/v1, Kind=Service/);
  });

  it("names rules that need a network or a cluster, and does not call them checked", async () => {
    const outside = rule(
      "called",
      '      context: [{name: x, apiCall: {urlPath: /api/v1/namespaces}}]\n      validate: {message: m, deny: {conditions: {all: [{key: "{{ x }}", operator: Equals, value: y}]}}}\n',
    );
    const { detail } = await policies({ files: { "a.yaml": policy("a", outside) } });
    assert.match(detail, /^1 policy file, 2 rules; cannot be checked here: a\/called \(a call of an API\)$/);
  });

  it("skips a repository without policies, and does not pass it", async () => {
    const { status, detail } = await policies({ files: { "values.yaml": "a: 1\n" } });
    assert.deepEqual([status, detail], ["skipped", "/repos/p holds no policies outside of charts"]);
  });

  it("asks about many files together, finds the one that is not in order, and remembers the others", async () => {
    const many = Object.fromEntries(Array.from({ length: 30 }, (_, index) => [`${index}.yaml`, policy(`p${index}`)]));
    const digest = sha256(`test ${Date.now()}`);
    const bad = { ...many, "17.yaml": policy("p17").replace("validate:", "valdiate:") };
    const before = new Set(readdirSync(memory));
    const { status, detail } = await policies({ files: bad, digest });
    assert.equal(status, "failed");
    assert.match(detail, /^\/repos\/p\/17\.yaml applies no rule at all/);
    const [memoryFile] = readdirSync(memory).filter((name) => !before.has(name));
    const remembered = JSON.parse(readFileSync(join(memory, memoryFile!), "utf8")) as { rules: object };
    assert.equal(Object.keys(remembered.rules).filter((question) => question.startsWith("file ")).length, 29);
    assert.equal((await policies({ files: many, digest })).detail, "30 policy files, 30 rules");
  });

  it("runs tests that lie beside policies, against the image's own bytes, and never ships them", async () => {
    const files = { "a.yaml": policy("a"), "deep/a.yaml": policy("b") };
    const found = await tests({
      files,
      tests: {
        ".kyverno-test/kyverno-test.yaml": test(row("pass")),
        ".kyverno-test/resources.yaml": service("one"),
        "a.yaml": "not what is tested",
      },
    });
    assert.deepEqual([found.status, found.detail], ["passed", "1 test file, 1 result"]);
  });

  it("knows a row that names its resource with the namespace in front", async () => {
    const found = await tests({
      files: { "a.yaml": policy("a") },
      tests: {
        "tests/kyverno-test.yaml": test(row("pass", "policy: a, rule: named", "shop/one")),
        "tests/resources.yaml": service("one").replace("name: one", "name: one, namespace: shop"),
      },
    });
    assert.deepEqual([found.status, found.detail], ["passed", "1 test file, 1 result"]);
  });

  const failing: Record<string, [Record<string, string>, RegExp]> = {
    "whose expected pass is a fail": [
      {
        "tests/kyverno-test.yaml": test(row("pass", "policy: a, rule: labelled")),
        "tests/resources.yaml": service("one"),
      },
      /^tests\/kyverno-test\.yaml: a\/labelled on Service\/one: Want pass, got fail$/,
    ],
    "that expects a fail which does not come, although kyverno calls it passed": [
      { "tests/kyverno-test.yaml": test(row("fail")), "tests/resources.yaml": service("one") },
      /^tests\/kyverno-test\.yaml: a\/named on Service\/one: Want fail, got pass$/,
    ],
    "about a rule that is gone, which kyverno calls excluded and passed": [
      {
        "tests/kyverno-test.yaml": test(row("pass") + row("pass", "policy: a, rule: gone")),
        "tests/resources.yaml": service("one"),
      },
      /^tests\/kyverno-test\.yaml: a\/gone on Service\/one: Excluded$/,
    ],
    "that is no YAML, although kyverno ends with 0": [
      { "tests/kyverno-test.yaml": "results: [\n" },
      /^tests\/kyverno-test\.yaml: error converting YAML to JSON/,
    ],
    "without a result": [
      {
        "tests/kyverno-test.yaml": test(" []\n").replace("results:\n []", "results: []"),
        "tests/resources.yaml": service("one"),
      },
      /^tests\/kyverno-test\.yaml: has no result/,
    ],
    "whose policy is not there, and still runs the others": [
      {
        "tests/kyverno-test.yaml": test(row("pass")).replace("../a.yaml", "../z.yaml"),
        "tests/resources.yaml": service("one"),
        "zz/kyverno-test.yaml": test(row("fail")),
        "zz/resources.yaml": service("one"),
      },
      /^tests\/kyverno-test\.yaml: kyverno test did not print its summary \(code 1\): .*no such file.*zz\/kyverno-test\.yaml: a\/named on Service\/one: Want fail/,
    ],
  };
  const labelled = rule(
    "labelled",
    '      validate: {message: needs a label, pattern: {metadata: {labels: {app: "?*"}}}}\n',
  );
  for (const [what, [files, expected]] of Object.entries(failing)) {
    it(`fails a test file ${what}`, async () => {
      const found = await tests({ files: { "a.yaml": policy("a", labelled) }, tests: files });
      assert.equal(found.status, "failed", found.detail);
      assert.match(found.detail, expected);
    });
  }

  it("shows a repository without tests as skipped, and fails it where tests are required", async () => {
    const files = { "a.yaml": policy("a") };
    assert.deepEqual((await tests({ files, tests: {} })).status, "skipped");
    assert.deepEqual((await tests({ files, tests: {}, spec: { policyTests: "required" } })).status, "failed");
    const published = await tests({ files, spec: { policyTests: "required" } });
    assert.deepEqual(
      [published.status, published.detail],
      ["skipped", "given as an image: its tests are run by its publisher"],
    );
  });

  const version = "if [[ $1 == version ]]; then echo 1.13.2; exit; fi";
  const broken: Record<string, [string, RegExp]> = {
    crashes: [
      "echo panic: oh no >&2; exit 2",
      /a\.yaml did not print the first line of kyverno apply \(code 2\): panic: oh no/,
    ],
    hangs: ["sleep 1000", /a\.yaml did not end within 3 s/],
    "prints no summary": [
      'echo; echo "Applying 1 policy rule(s) to 0 resource(s)..."',
      /a\.yaml did not print the last line of kyverno apply \(code 0\)/,
    ],
    "prints garbage": ["head -c 1000 /dev/urandom; echo x", /a\.yaml did not print the first line/],
    floods: ['x=$(printf %100000s); while :; do echo "$x"; done', /a\.yaml printed more than the gate reads/],
    "takes all memory": [
      "x=$(printf %10000000s); while :; do y+=$x; done",
      /a\.yaml needed more memory than the gate gives it/,
    ],
  };
  for (const [what, [script, expected]] of Object.entries(broken)) {
    it(`stand-in: fails policies under a kyverno that ${what}, and says so`, async () => {
      const limits = { timeoutSeconds: 3, memoryBytes: 96 * 1024 ** 2, outputBytes: 64 * 1024 };
      const checks = await gate({
        files: { "a.yaml": policy("a") },
        tests: { "t/kyverno-test.yaml": test(row("pass")), "t/resources.yaml": service("one") },
        kyverno: `${version}\n${script}`,
        spec: { limits: { smoke: limits, checks: limits } },
      });
      assert.equal(checks["policies: p"]!.status, "failed");
      assert.match(checks["policies: p"]!.detail, expected);
      assert.equal(checks["tests: p"]!.status, "failed");
    });
  }
});
