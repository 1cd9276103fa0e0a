// What the charts of policies give an artifact, by the real helm of this machine: the sample repository's, and charts that no
// cluster could be compared with. What a container adds is in test/e2e/policyCharts.test.ts.
import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { chartsOfImage } from "../../lib/gate/charts";
import type { DeliveredCharts } from "../../lib/gate/deliveredCharts";
import { hostGate } from "../support/hostGate";
import { builtProgram } from "../support/kyverno";
import { devopsPolicy } from "../support/policyRepository";

const policy = (name: string, more = "") =>
  `---\napiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata:\n  name: ${name}\n${more}spec:\n  rules:\n    - name: named\n      match: {any: [{resources: {kinds: [Service]}}]}\n      validate: {message: needs a name, pattern: {metadata: {name: "?*"}}}\n`;
const configMap = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: colours}\n";
const annotated = (value: string) => policy("a", `  annotations:\n    x: {{ ${value} | quote }}\n`);

describe("the charts of policies in an artifact", function () {
  this.timeout(60_000);

  /** A repository `team` with one chart, `charts/rules`, rendered for dev. */
  const delivered = async (
    templates: Readonly<Record<string, string>>,
    { chart = "", values = "a: b\n", allow = [] as readonly string[], others = {} as Record<string, string> } = {},
  ): Promise<DeliveredCharts> => {
    const files = Object.entries(templates).map(([name, text]) => [`team/charts/rules/templates/${name}`, text]);
    const context = await hostGate(
      {
        "team/charts/rules/Chart.yaml": `apiVersion: v2\nname: own-name\nversion: 1.0.0\n${chart}`,
        "team/cd/dev/values.yaml": values,
        ...Object.fromEntries(files),
        ...others,
      },
      { helm: builtProgram("helm") },
    );
    try {
      return await chartsOfImage(context).delivered("dev", ["team"], allow);
    } finally {
      context.close();
    }
  };

  it("are the same documents on the second run, each below the folder of its chart", async () => {
    const sample = (readdirSync(devopsPolicy, { recursive: true }) as string[]).filter((path) =>
      statSync(join(devopsPolicy, path)).isFile(),
    );
    const context = await hostGate(
      Object.fromEntries(sample.map((path) => [`devops-policy/${path}`, readFileSync(join(devopsPolicy, path))])),
      { helm: builtProgram("helm") },
    );
    try {
      const once = await chartsOfImage(context).delivered("production", ["devops-policy"]);
      const again = await chartsOfImage(context).delivered("production", ["devops-policy"]);
      assert.deepEqual(once, again);
      assert.equal(once.failure, undefined);
      assert.equal(once.files.size, 12);
      for (const path of once.files.keys())
        assert.match(path, /^devops-policy\/charts\/(?:release-hygiene|workload-standards)\/templates\/[a-z-]+\.yaml$/);
      const dev = await chartsOfImage(context).delivered("dev", ["devops-policy"]);
      assert.equal(dev.files.size, 11);
      assert.deepEqual((await chartsOfImage(context).delivered("other", ["devops-policy"])).files.size, 0);
    } finally {
      context.close();
    }
  });

  it("leave out what is no policy and name it, unless the stack allows its kind; an application's chart is no matter of theirs", async () => {
    const templates = { "a.yaml": policy("a") + configMap, "tests/a.yaml": configMap };
    const app = {
      "team/charts/app/Chart.yaml": "apiVersion: v2\nname: app\nversion: 1.0.0\n",
      "team/charts/app/templates/a.yaml": '{{ required "an image is needed" .Values.image }}\n',
    };
    const { files, leftOut, failure } = await delivered(templates, { others: app });
    assert.equal(failure, undefined);
    assert.deepEqual([...files.keys()], ["team/charts/rules/templates/a.yaml"]);
    assert.deepEqual(leftOut, ["ConfigMap colours of /repos/team/charts/rules"]);
    const allowed = await delivered(templates, { allow: ["ConfigMap"] });
    assert.deepEqual(allowed.leftOut, []);
    assert.match(
      allowed.files.get("team/charts/rules/templates/a.yaml")!.toString(),
      /kind: ClusterPolicy\n(.|\n)*---\n(.|\n)*kind: ConfigMap/,
    );
  });

  const refusals: Record<string, { template: string; chart?: string; says: RegExp }> = {
    "renders nothing": {
      template: `{{ if .Values.on }}${policy("a")}{{ end }}`,
      says: /^\/repos\/team\/charts\/rules renders nothing with these values/,
    },
    "needs a value": {
      template: `${policy("a")}# {{ required "a colour is needed" .Values.colour }}\n`,
      says: /charts\/rules needs a value: a colour is needed/,
    },
    "has dependencies elsewhere": {
      template: policy("a"),
      chart: 'dependencies: [{name: redis, version: 1.0.0, repository: "https://charts.example.com"}]\n',
      says: /charts\/rules reaches for the network: its dependencies \(redis\)/,
    },
    "asks a cluster": {
      template: annotated('lookup "v1" "Namespace" "" "default" | toJson'),
      says: /charts\/rules reaches for the network: it uses lookup, which finds nothing .*; take what it asks for from values$/,
    },
    "asks for the address of a host": {
      template: annotated('getHostByName "policies.invalid"'),
      says: /charts\/rules reaches for the network: it uses getHostByName/,
    },
    "is random": {
      template: annotated("randAlphaNum 12"),
      says: /charts\/rules renders something else each time, own-name\/templates\/a\.yaml for one: .*take it from values$/,
    },
    "says which day it is": {
      template: annotated('now | date "2006-01-02"'),
      says: /^\/repos\/team\/charts\/rules\/templates\/a\.yaml uses now: .*depends on the day/,
    },
  };
  for (const [what, { template, chart, says }] of Object.entries(refusals)) {
    it(`are refused, in one sentence, when a chart ${what}`, async () => {
      const { files, failure } = await delivered({ "a.yaml": template }, { chart });
      assert.match(failure ?? "nothing", says);
      assert.equal(files.size, 0);
    });
  }

  it("may hold what would ask a cluster where it does not ask", async () => {
    const template = `${policy("a")}# {{ if .Values.on }}{{ lookup "v1" "Pod" "" "" }}{{ end }}\n`;
    assert.equal((await delivered({ "a.yaml": template })).failure, undefined);
  });
});
