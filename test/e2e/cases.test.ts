// The gate's cases and policy charts with the real helm, kyverno, pluto and spectral, on the sample repositories.
// stand-in: there is no container; that the gate runs them in one is shown in test/provider.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { chartsOfImage } from "../../lib/gate/charts";
import { runCases } from "../../lib/gate/integration";
import type { IntegrationCase } from "../../lib/gate/integrationCase";
import { type HostGate, hostGate } from "../support/hostGate";
import { builtProgram } from "../support/kyverno";

const samples = join(__dirname, "..", "..", "policies");
const names = ["security-policy", "devops-policy", "backend-applications"];

/** What of the sample repositories ships, by path below /repos. */
function shipped(): Record<string, string> {
  const walk = (folder: string): string[] =>
    readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
      entry.name === "tests" ? [] : entry.isDirectory() ? walk(join(folder, entry.name)) : [join(folder, entry.name)],
    );
  const files = names
    .flatMap((name) => walk(join(samples, name)))
    .filter((file) => !/\.md$|\.policyignore$/.test(file));
  return Object.fromEntries(files.map((file) => [relative(samples, file), readFileSync(file, "utf8")]));
}

const app: IntegrationCase = {
  chart: "backend-applications/charts/app",
  values: ["backend-applications/cd/production/values.yaml"],
  environment: "production",
  policies: ["security-policy", "devops-policy"],
  expect: "pass",
  by: [],
  kubernetes: "1.31",
};
const configMap = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: a}\n";
const chartYaml = "apiVersion: v2\nname: own\nversion: 1.0.0\n";

describe("cases with the real programs (stand-in: no container)", function () {
  this.timeout(120_000);
  const gates: HostGate[] = [];
  const programs = () => Object.fromEntries(["helm", "kyverno", "pluto"].map((name) => [name, builtProgram(name)]));
  after(() => {
    for (const gate of gates) gate.close();
  });

  async function open(
    more: Record<string, string> = {},
    tools: Record<string, string> = programs(),
  ): Promise<HostGate> {
    const gate = await hostGate({ ...shipped(), ...more }, tools);
    gates.push(gate);
    return gate;
  }

  /** `passed: …` or `failed: …` of one case; `own` holds templates of a chart made for it. */
  async function result(
    changes: Partial<IntegrationCase>,
    own: Record<string, string> = {},
    tools?: Record<string, string>,
  ) {
    const chart: Record<string, string> =
      Object.keys(own).length === 0 ? {} : { "own/charts/own/Chart.yaml": chartYaml };
    const files = Object.fromEntries(Object.entries(own).map(([file, text]) => [`own/charts/own/${file}`, text]));
    const gate = await open({ ...chart, ...files }, tools);
    const base =
      Object.keys(own).length === 0
        ? app
        : {
            ...app,
            chart: "own/charts/own",
            values: [],
            kubernetes: undefined,
            policies: ["security-policy/policies/disallow-latest-tag.yaml"],
          };
    const [check] = await runCases({ one: { ...base, ...changes } }, gate, chartsOfImage(gate));
    return `${check!.status}: ${check!.detail}`;
  }

  it("passes the sample chart under both repositories, and says how much that is", async () => {
    assert.equal(await result({}), "passed: 63 rules on 5 objects pass; no API that Kubernetes 1.31 deprecates");
  });

  it("is refused by the rule that the case names, and by no other", async () => {
    const dev = { values: ["backend-applications/cd/dev/values.yaml"], expect: "refused" as const };
    const by = ["require-replicas/replicas", "restrict-ingress-hosts/ingress-hosts"];
    assert.equal(
      await result({ ...dev, by }),
      "passed: 63 rules on 4 objects, refused by require-replicas/replicas, restrict-ingress-hosts/ingress-hosts as it must be; no API that Kubernetes 1.31 deprecates",
    );
    assert.match(
      await result({ ...dev, by: by.slice(0, 1) }),
      /^failed: refused also by restrict-ingress-hosts\/ingress-hosts \(shop\/Ingress\/shop: .*which `by` does not name$/,
    );
    assert.match(
      await result({ ...dev, expect: "pass", by: [] }),
      /^failed: refused by .*require-replicas\/replicas \(shop\/Deployment\/shop: /,
    );
    assert.equal(
      await result({ expect: "refused", by }),
      "failed: not refused by require-replicas/replicas, restrict-ingress-hosts/ingress-hosts",
    );
    assert.equal(
      await result({ ...dev, by: ["require-replicas/replica", "nothing/at-all"] }),
      "failed: the case's policies have no rule require-replicas/replica: there is require-replicas/replicas; the case's policies have no rule nothing/at-all: no policy is called nothing",
    );
  });

  it("names a derived rule of a Deployment by the name that its policy gives it", async () => {
    const values = { "own/cd/latest.yaml": "image: {tag: latest}\n" };
    const gate = await open(values);
    const latest = {
      ...app,
      values: ["own/cd/latest.yaml"],
      expect: "refused" as const,
      by: ["disallow-latest-tag/image-tag"],
    };
    const [check] = await runCases({ latest }, gate, chartsOfImage(gate));
    assert.equal(check!.status, "passed", check!.detail);
    assert.match(check!.output!, /^\$ helm template app \/repos\/backend-applications\/charts\/app -f /);
    assert.match(check!.output!, /autogen-image-tag/);
  });

  it("says of each chart that cannot be rendered what is wrong and where", async () => {
    const templates = (text: string) => ({ "templates/a.yaml": text });
    const cases: [Record<string, string>, RegExp][] = [
      [templates("{{ if .Values.on }}\na: b\n{{ end }}"), /renders nothing with these values/],
      [
        templates('a: {{ required "a colour is needed" .Values.colour }}'),
        /charts\/own needs a value: a colour is needed \(own\/templates\/a\.yaml/,
      ],
      [templates("a: {{ .Values.image.tag }}"), /charts\/own needs a value: nothing is above tag/],
      [templates("hello"), /renders what is no YAML: own\/templates\/a\.yaml/],
      [templates("a: b"), /own\/templates\/a\.yaml renders what is no Kubernetes object/],
      [templates("apiVersion: v1\nkind: List\nitems: []\n"), /renders a List, and kyverno does not look into it/],
      [
        { "Chart.yaml": `${chartYaml}kubeVersion: ">=1.40.0"\n`, ...templates(configMap) },
        /is for Kubernetes >=1\.40\.0, not for v1\./,
      ],
      [
        {
          "Chart.yaml": `${chartYaml}dependencies: [{name: redis, version: 1.0.0, repository: "https://charts.example.com"}]\n`,
          ...templates(configMap),
        },
        /reaches for the network: its dependencies \(redis\) are not in its charts\/ folder/,
      ],
      [
        { "values.schema.json": '{"required": ["colour"]}', ...templates(configMap) },
        /the values are not what the schema of \/repos\/own\/charts\/own allows: .*colour/,
      ],
      [
        { "values.schema.json": '{"$ref": "https://schemas.invalid/a.json"}', ...templates(configMap) },
        /reaches for the network/,
      ],
    ];
    for (const [own, expected] of cases)
      assert.match(await result({}, own), new RegExp(`^failed: .*${expected.source}`));
  });

  it("fails where no rule looks at anything, and says when a template asks a cluster", async () => {
    assert.equal(
      await result({}, { "templates/a.yaml": configMap }),
      "failed: no rule looked at any of the 1 object; name policies that are about them",
    );
    const asks = `${configMap}data: {a: "{{ lookup "v1" "Secret" "a" "b" }}"}`;
    assert.match(
      await result({}, { "templates/a.yaml": asks }),
      /templates\/a\.yaml uses lookup, which finds nothing without a cluster$/,
    );
  });

  it("fails on an API that the target of the case has no longer", async () => {
    const budget =
      "apiVersion: policy/v1beta1\nkind: PodDisruptionBudget\nmetadata: {name: a, namespace: a}\nspec: {maxUnavailable: 1}\n";
    assert.match(
      await result({ kubernetes: "1.31" }, { "templates/a.yaml": budget }),
      /^failed: .*APIs that Kubernetes 1\.31 deprecates or no longer has: PodDisruptionBudget a of policy\/v1beta1 \(removed in v1\.25\.0, use policy\/v1\)$/,
    );
    assert.match(await result({ kubernetes: "1.24" }, { "templates/a.yaml": budget }), /deprecated in v1\.21\.0/);
  });

  it("says which of the case's files, policies, environments and programs are not in the image", async () => {
    assert.equal(await result({ values: ["own/none.yaml"] }), "failed: /repos/own/none.yaml is not in the image");
    assert.equal(await result({ chart: "own/none" }), "failed: /repos/own/none/Chart.yaml is not in the image");
    assert.equal(
      await result({ policies: ["security-policy/none"] }),
      "failed: /repos/security-policy/none holds no policy",
    );
    assert.match(
      await result({ environment: undefined }),
      /^failed: .*release-hygiene.*policies in charts need the case's `environment`; it has values for dev, production$/,
    );
    assert.equal(
      await result({ environment: "test" }),
      "failed: devops-policy has no values for the environment test; it has values for dev, production",
    );
    const { helm, pluto, ...rest } = programs();
    assert.match(
      await result({}, {}, rest),
      /^failed: the image has no helm that runs; pin it under policy-platform:tools/,
    );
    assert.match(await result({}, {}, { ...rest, helm: helm! }), /^failed: the image has no pluto that runs/);
    assert.match(
      await result({ spectral: { ruleset: "backend-applications/.spectral.yaml" } }),
      /^failed: the image has no spectral that runs/,
    );
  });

  it("takes policies by repository, folder, file and chart", async () => {
    assert.match(await result({ policies: ["security-policy/policies"] }), /^passed: 44 rules on 5 objects pass/);
    assert.match(
      await result({ policies: ["security-policy/policies/disallow-latest-tag.yaml", "security-policy/policies"] }),
      /^passed: 44 rules/,
    );
    assert.match(await result({ policies: ["security-policy/policies/disallow-latest-tag.yaml"] }), /^passed: 3 rules/);
    assert.match(await result({ policies: ["devops-policy/charts/workload-standards"] }), /^passed: 10 rules/);
  });

  it("names rules that need a network or a cluster, and does not count them", async () => {
    const signed = `apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: signed}
spec: {rules: [{name: signature, match: {any: [{resources: {kinds: [Pod]}}]}, verifyImages: [{imageReferences: ["*"]}]}]}
`;
    const gate = await open({ "security-policy/policies/signed.yaml": signed });
    const [check] = await runCases({ one: app }, gate, chartsOfImage(gate));
    assert.equal(
      `${check!.status}: ${check!.detail}`,
      "passed: 63 rules on 5 objects pass; no API that Kubernetes 1.31 deprecates; not checked here: signed/signature (needs image signatures)",
    );
  });

  it("renders policy charts for each environment, and counts the rules of each policy alone and of all together", async () => {
    const gate = await open();
    const lines = async (environments: string[]) =>
      (await chartsOfImage(gate).checks(names, environments)).map(
        ({ name, status, detail }) => `${name}: ${status}: ${detail}`,
      );
    assert.deepEqual(await lines(["dev", "production", "test"]), [
      "policies: devops-policy for dev: passed: 18 rules in 11 policies of 2 charts",
      "policies: devops-policy for production: passed: 19 rules in 12 policies of 2 charts",
      "policies: devops-policy for test: skipped: /repos/devops-policy/charts/release-hygiene, /repos/devops-policy/charts/workload-standards are not rendered, so its policies are not checked: it has no cd/test/values.yaml",
    ]);
    assert.match((await lines([]))[0]!, /^policies: devops-policy in charts: skipped: .*no environment is configured/);
  });

  it("fails a policy chart that renders a policy twice, a broken one, none, or against its schema", async () => {
    const cases: [string, string, RegExp][] = [
      [
        "templates/again.yaml",
        shipped()["devops-policy/charts/release-hygiene/templates/limit-cron-jobs.yaml"]!,
        /ClusterPolicy limit-cron-jobs is rendered twice/,
      ],
      [
        "templates/broken.yaml",
        "apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {name: broken}\nspec: {rulez: []}\n",
        /release-hygiene\/templates\/broken\.yaml: kyverno applies 0 rules of it/,
      ],
      ["values.schema.json", '{"required": ["nothing"]}', /the values are not what the schema of .*nothing/],
    ];
    for (const [file, text, expected] of cases) {
      const gate = await open({ [`devops-policy/charts/release-hygiene/${file}`]: text });
      const [check] = await chartsOfImage(gate).checks(["devops-policy"], ["production"]);
      assert.match(`${check!.status}: ${check!.detail}`, new RegExp(`^failed: .*${expected.source}`));
    }
  });

  it("gives the repository's own tests the files that helm would write for them", async () => {
    const gate = await open();
    const files = await chartsOfImage(gate).forTests("devops-policy");
    assert.equal([...files.keys()].filter((path) => path.startsWith("rendered/dev/")).length, 11);
    assert.equal([...files.keys()].filter((path) => path.startsWith("rendered/production/")).length, 12);
    assert.match(files.get("rendered/dev/workload-standards/templates/require-replicas.yaml")!, /failureAction: Audit/);
    assert.deepEqual([...(await chartsOfImage(gate).forTests("security-policy")).keys()], []);
  });
});
