// The sample repositories whose content is charts: their form, and that what they say of themselves is so.
// What the rules do is shown by the real programs, in test/e2e/policyCharts.test.ts.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { folderLayerImage } from "../../../lib/oci/layer";
import { devopsPolicy, documents, policyFiles, type Suite, securityPolicy } from "../../support/policyRepository";

const backend = join(devopsPolicy, "..", "backend-applications");
const text = (...path: string[]) => readFileSync(join(...path), "utf8");
const charts = readdirSync(join(devopsPolicy, "charts"));
const templates = charts.flatMap((chart) =>
  readdirSync(join(devopsPolicy, "charts", chart, "templates")).map((file) => ({
    chart,
    policy: file.replace(/\.yaml$/, ""),
    template: text(devopsPolicy, "charts", chart, "templates", file),
  })),
);
const rulesOf = (template: string) => [...template.matchAll(/^ {4}- name: (.+)$/gm)].map(([, name]) => name!);
const suites = (environment: string) => readdirSync(join(devopsPolicy, "tests", environment));

describe("the sample repository devops-policy", () => {
  it("makes at least twenty policies with security-policy, one a template, named like the file", () => {
    assert.ok(templates.length + policyFiles(securityPolicy).size >= 20);
    for (const { policy, template } of templates)
      assert.deepEqual(template.match(/(?<=^ {2}name: ).*$/gm), [policy], policy);
  });

  it("says of every policy what it is, and takes the action of the environment in each rule", () => {
    for (const { policy, template } of templates) {
      for (const key of ["title", "category", "severity", "subject", "minversion", "description"])
        assert.match(template, new RegExp(`policies\\.kyverno\\.io/${key}: `), policy);
      const actions = template.match(/failureAction: \{\{ \.Values\.failureAction \}\}/g) ?? [];
      assert.equal(actions.length, rulesOf(template).length, policy);
    }
  });

  it("lists its policies, charts and rules in its README as they are", () => {
    const listed =
      text(devopsPolicy, "README.md").match(/^\| `[a-z-]+` +\| `(workload-standards|release-hygiene)`.*$/gm) ?? [];
    const real = templates.map(({ policy, chart, template }) => [policy, chart, ...rulesOf(template)]);
    assert.deepEqual(
      listed.map((line) => [...line.matchAll(/`([^`]+)`/g)].map(([, name]) => name!)).sort(),
      real.sort(),
    );
  });

  it("lists in its README what each environment asks for", () => {
    const readme = text(devopsPolicy, "README.md");
    const rows = [...readme.matchAll(/^\| `([A-Za-z.]+)` +\| (.*?) +\| (.*?) +\|$/gm)];
    for (const [index, environment] of ["dev", "production"].entries()) {
      const values = parse(text(devopsPolicy, "cd", environment, "values.yaml"));
      for (const row of rows.filter(([, key]) => key!.includes(".") || key === "failureAction")) {
        const value = row[1]!.split(".").reduce((map, key) => map[key], values);
        assert.equal(row[2 + index]!.split(":")[0], [value].flat().join(", "), `${environment} ${row[1]}`);
      }
    }
  });

  it("tests every rule in production with resources that pass and that fail, marked with the rule they violate", () => {
    assert.deepEqual(suites("production").sort(), templates.map(({ policy }) => policy).sort());
    for (const { policy, chart, template } of templates) {
      const folder = join(devopsPolicy, "tests", "production", policy);
      const [suite] = documents<Suite>(join(folder, "kyverno-test.yaml"));
      assert.deepEqual(suite!.policies, [`../../rendered/production/${chart}/templates/${policy}.yaml`]);
      for (const rule of rulesOf(template)) {
        const rows = suite!.results.filter((row) => row.rule === rule);
        assert.deepEqual([...new Set(rows.map(({ result }) => result))].sort(), ["fail", "pass"], `${policy}/${rule}`);
        assert.ok(
          suite!.checks.some(({ match }) => match.resource.metadata.labels?.violates === rule),
          `${policy}/${rule}`,
        );
        assert.match(text(folder, "resources.yaml"), new RegExp(`violates: ${rule}\\b`));
      }
    }
  });

  it("tests in dev what is another threshold there", () => {
    const thresholds = [
      "require-replicas",
      "limit-termination-grace",
      "restrict-ingress-hosts",
      "restrict-image-pull-policy",
      "require-rollback",
    ];
    assert.deepEqual(suites("dev").sort(), thresholds.sort());
  });

  it("ships its charts and the values of its environments, and nothing else", async () => {
    const { files } = await folderLayerImage(devopsPolicy, { at: "/repos/devops-policy" });
    const tops = new Set(Object.keys(files).map((file) => file.split("/")[0]));
    assert.deepEqual([...tops].sort(), ["cd", "charts"]);
  });
});

describe("the sample repository backend-applications", () => {
  it("ships its chart, the values of its environments and the ruleset", async () => {
    const { files } = await folderLayerImage(backend, { at: "/repos/backend-applications" });
    const names = Object.keys(files);
    for (const file of [
      ".spectral.yaml",
      "charts/app/values.yaml",
      "charts/app/values.schema.json",
      "cd/production/values.yaml",
    ])
      assert.ok(names.includes(file), file);
    assert.deepEqual(
      names.filter((file) => /\.md$|^tests\//.test(file)),
      [],
    );
  });

  it("has values for the environments of devops-policy", () => {
    assert.deepEqual(readdirSync(join(backend, "cd")).sort(), readdirSync(join(devopsPolicy, "cd")).sort());
  });
});
