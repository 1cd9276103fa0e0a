// Which charts are policies, and the files that an artifact gets of them.
import assert from "node:assert/strict";
import fc from "fast-check";
import {
  filesOfChart,
  policyCharts,
  type RenderedText,
  renderDigest,
  valuedEnvironments,
  valuesFiles,
} from "../../../lib/flux/charts";
import { clockIn } from "../../../lib/gate/chartClock";
import { sha256 } from "../../../lib/oci/digest";

const files = (paths: Readonly<Record<string, string>>) =>
  new Map(Object.entries(paths).map(([path, text]) => [path, Buffer.from(text)]));
const policy = 'apiVersion: "kyverno.io/v1"\nkind: ClusterPolicy\n';
const object = (source: string, name: string, more: Partial<RenderedText> = {}): RenderedText => ({
  source,
  apiVersion: "kyverno.io/v1",
  kind: "ClusterPolicy",
  namespace: "",
  name,
  text: `# Source: ${source}\napiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {name: ${name}}`,
  ...more,
});
const texts = (found: ReadonlyMap<string, Buffer>) =>
  Object.fromEntries([...found].map(([path, content]) => [path, content.toString()]));

describe("policies in charts", () => {
  it("are those of charts with a policy among their templates, not an application's", () => {
    const repository = files({
      "charts/rules/Chart.yaml": "name: rules",
      "charts/rules/templates/a.yaml": policy,
      "charts/rules/charts/inner/Chart.yaml": "name: inner",
      "charts/rules/charts/inner/templates/a.yaml": policy,
      "charts/app/Chart.yaml": "name: app",
      "charts/app/templates/deployment.yaml": "apiVersion: apps/v1\nkind: Deployment\n",
      "charts/plain/a.yaml": policy,
    });
    assert.deepEqual(policyCharts(repository), ["charts/rules"]);
    assert.deepEqual(policyCharts(files({ "Chart.yaml": "", "templates/a.yaml": policy })), [""]);
    assert.deepEqual(policyCharts(files({ "templates/a.yaml": policy })), []);
  });

  it("have the values of an environment, and then those for the chart alone", () => {
    const paths = [
      "cd/dev/values.yaml",
      "cd/prod/values.yaml",
      "cd/prod/rules.yaml",
      "cd/other/rules.yaml",
      "values.yaml",
    ];
    assert.deepEqual(valuedEnvironments(paths), ["dev", "prod"]);
    assert.deepEqual(valuesFiles("charts/rules", "prod"), ["cd/prod/values.yaml", "cd/prod/rules.yaml"]);
    assert.deepEqual(valuesFiles("", "prod"), ["cd/prod/values.yaml"]);
  });

  it("become files named by repository, folder of the chart and template, whatever the chart calls itself", () => {
    const found = filesOfChart({ repository: "team", chart: "charts/rules" }, [
      object("own-name/templates/b.yaml", "b"),
      object("own-name/charts/inner/templates/a.tpl", "a"),
    ]);
    assert.deepEqual(texts(found), {
      "team/charts/rules/charts/inner/templates/a.tpl.yaml":
        "apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {name: a}\n",
      "team/charts/rules/templates/b.yaml": "apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {name: b}\n",
    });
    assert.deepEqual(
      [...filesOfChart({ repository: "team", chart: "" }, [object("x/templates/b.yaml", "b")]).keys()],
      ["team/templates/b.yaml"],
    );
  });

  it("are the same bytes in whatever order helm prints them, and hold each object as it was printed", () => {
    const name = fc.stringMatching(/^[a-z][a-z0-9-]{0,8}$/);
    const some = fc.uniqueArray(fc.tuple(fc.constantFrom("x/templates/a.yaml", "x/templates/b.yml"), name), {
      maxLength: 8,
      selector: ([, own]) => own,
    });
    fc.assert(
      fc.property(
        some.chain((all) => fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length }))),
        fc.constantFrom("\n", "\r\n"),
        ([all, shuffled], end) => {
          const chart = { repository: "r", chart: "c" };
          const printed = (one: (typeof all)[number]) => object(...one);
          const once = filesOfChart(chart, all.map(printed));
          const again = filesOfChart(
            chart,
            shuffled.map(printed).map((one) => ({ ...one, text: one.text.replaceAll("\n", end) })),
          );
          assert.deepEqual(texts(again), texts(once));
          const documents = [...once.values()].flatMap((content) => content.toString().split(/^---\n/m));
          assert.deepEqual(
            documents.sort(),
            all.map((one) => `${printed(one).text.replace(/^# Source.*\n/, "")}\n`).sort(),
          );
        },
      ),
    );
  });

  it("are known by what they depend on, with a digest that never changes", () => {
    const inputs = { environment: "dev", helm: sha256("helm"), repositories: { b: sha256("b"), a: sha256("a") } };
    assert.equal(renderDigest(inputs), "sha256:ff3b04f884ab862e95a9328811bf5d1d73f430178b3e16525de956ae1165ba24");
    assert.equal(
      renderDigest({ ...inputs, repositories: { a: sha256("a"), b: sha256("b") }, allow: [] }),
      renderDigest(inputs),
    );
    const others = [
      { ...inputs, environment: "prod" },
      { ...inputs, helm: sha256("other") },
      { ...inputs, repositories: { a: sha256("a") } },
      { ...inputs, allow: ["ConfigMap"] },
    ].map(renderDigest);
    assert.equal(new Set([renderDigest(inputs), ...others]).size, 5);
  });
});

describe("the clock in a chart", () => {
  const trouble = (template: string) => clockIn(files({ "/repos/r/c/templates/a.yaml": template }), "/repos/r/c");

  it("is named where a template asks it", () => {
    for (const template of [
      "a: {{ now }}",
      'a: {{now | date "2006"}}',
      "{{- $t := (now) -}}",
      "a: {{ .Values.t | ago }}",
    ])
      assert.match(trouble(template)!, /^\/repos\/r\/c\/templates\/a\.yaml uses (now|ago): /);
  });

  it("is not seen in values, comments and texts", () => {
    for (const template of [
      "a: {{ .Values.now }}",
      "{{/* now */}}",
      'a: {{ "not now please" }}',
      "a: now",
      "a: {{ $now }}",
    ])
      assert.equal(trouble(template), undefined, template);
    assert.equal(clockIn(files({ "/repos/r/d/templates/a.yaml": "{{ now }}" }), "/repos/r/c"), undefined);
  });
});
