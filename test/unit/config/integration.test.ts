// Cases of the gate and the image's budget: what a stack says of them, and what is refused.
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseBuildSettings, problemsOf } from "../../../config/parse";
import { makeProject, pinned, valid } from "./valid";

const projectDir = makeProject();
const context = { stack: "dev", projectDir };
for (const file of ["charts/app/Chart.yaml", "tests/values.yaml", ".spectral.yaml"]) {
  const path = join(projectDir, "policies/security-policy", file);
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, "{}\n");
}
const tool = (name: string, version: string) => ({ version, image: pinned(`layers/tools/${name}`) });
const base = () => ({
  ...valid(),
  tools: {
    helm: tool("helm", "3.19.0"),
    kyverno: tool("kyverno", "1.13.2"),
    pluto: tool("pluto", "5.21.1"),
    spectral: tool("spectral", "6.16.3"),
  },
});
const passing = { chart: "security-policy/charts/app", policies: ["security-policy"] };
const problems = (gate: object, more: object = {}) =>
  problemsOf({ ...base(), gate, ...more }, context).map(({ code, what, fix }) => `${code} ${what}; ${fix}`);

describe("cases of the gate in a stack", () => {
  it("are read with what they leave out", () => {
    const { gate } = parseBuildSettings({ ...base(), gate: { integration: { shop: passing } } }, context);
    assert.deepEqual(gate.integration, { shop: { ...passing, values: [], expect: "pass", by: [] } });
    assert.deepEqual(gate.size, {});
    assert.deepEqual(parseBuildSettings(base(), context).gate.integration, {});
  });

  it("take everything that they can say", () => {
    const whole = {
      ...passing,
      values: ["security-policy/tests/values.yaml"],
      environment: "production",
      expect: "refused",
      by: ["disallow-latest-tag/image-tag"],
      kubernetes: "1.31",
      spectral: { ruleset: "security-policy/.spectral.yaml", files: ["security-policy/a.yaml"] },
    };
    assert.deepEqual(
      parseBuildSettings({ ...base(), gate: { integration: { shop: whole } } }, context).gate.integration,
      {
        shop: whole,
      },
    );
  });

  it("lead to what is in a folder, and what is meant is found in it", () => {
    const shop = {
      ...passing,
      chart: "security-policy/charts/nope",
      values: ["charts/app", "security-policy/tests/rendered/dev/x.yaml"],
    };
    assert.deepEqual(problems({ integration: { shop } }), [
      'path-missing policy-platform:gate.integration.shop.chart leads to nothing: "security-policy/charts/nope"; correct it in Pulumi.dev.yaml, or put the file there',
      "repository-unknown policy-platform:gate.integration.shop.values[0] is in no policy repository: \"charts/app\"; pulumi config set --path 'policy-platform:gate.integration.shop.values[0]' 'security-policy/charts/app' --stack dev",
    ]);
  });

  it("name repositories of the stack, and no path that leaves them", () => {
    const shop = {
      ...passing,
      chart: "/repos/security-policy/charts/app",
      values: ["../a.yaml", "securty-policy/a.yaml"],
    };
    assert.deepEqual(problems({ integration: { shop } }), [
      "path-malformed policy-platform:gate.integration.shop.chart is not such a path: \"/repos/security-policy/charts/app\"; pulumi config set --path 'policy-platform:gate.integration.shop.chart' 'security-policy/charts/app' --stack dev",
      `path-malformed policy-platform:gate.integration.shop.values[0] is not such a path: "../a.yaml"; pulumi config set --path 'policy-platform:gate.integration.shop.values[0]' 'backend-applications/charts/app' --stack dev`,
      "repository-unknown policy-platform:gate.integration.shop.values[1] is in no policy repository: \"securty-policy/a.yaml\"; pulumi config set --path 'policy-platform:gate.integration.shop.values[1]' 'security-policy/a.yaml' --stack dev",
    ]);
  });

  it("say who refuses, when and only when they are to be refused", () => {
    const refused = { ...passing, expect: "refused" };
    const named = { ...passing, by: ["a/b"] };
    const found = problems({ integration: { refused, named, wrong: { ...refused, by: ["no rule"] } } });
    assert.deepEqual(
      found.map((line) => line.split(";")[0]),
      [
        "key-misplaced policy-platform:gate.integration.named.by stands in a case that is to pass",
        "rule-missing policy-platform:gate.integration.refused.by names no rule",
        'rule-malformed policy-platform:gate.integration.wrong.by[0] is no rule: "no rule"',
      ],
    );
  });

  it("need the programs that run them to be pinned", () => {
    const shop = { ...passing, kubernetes: "1.31", spectral: { ruleset: "security-policy/.spectral.yaml" } };
    const found = problems({ integration: { shop } }, { tools: { kyverno: tool("kyverno", "1.13.2") } });
    assert.deepEqual(
      found.map((line) => line.split(";")[0]),
      [
        "tool-missing policy-platform:gate.integration.shop needs the tool helm, which the image does not have",
        "tool-missing policy-platform:gate.integration.shop.kubernetes needs the tool pluto, which the image does not have",
        "tool-missing policy-platform:gate.integration.shop.spectral needs the tool spectral, which the image does not have",
      ],
    );
  });

  it("are refused where they are of another form", () => {
    for (const [change, code] of [
      [{ integration: [passing] }, "value-wrong"],
      [{ integration: { "A case": passing } }, "name-malformed"],
      [{ integration: { shop: { ...passing, policies: [] } } }, "value-wrong"],
      [{ integration: { shop: { ...passing, expect: "fail" } } }, "value-wrong"],
      [{ integration: { shop: { ...passing, kubernetes: "v1.31.2" } } }, "version-malformed"],
      [{ integration: { shop: { policies: ["security-policy"] } } }, "key-missing"],
      [{ integration: { shop: { ...passing, chart: "security-policy/../../etc" } } }, "path-malformed"],
      [{ integration: { shop: { ...passing, chart: "-x/charts" } } }, "path-malformed"],
      [{ size: { compressed: "400" } }, "size-malformed"],
      [{ size: { compressed: "400MB" } }, "size-malformed"],
      [{ size: { total: "400Mi" } }, "key-unknown"],
    ] as const)
      assert.match(problems(change)[0] ?? "", new RegExp(`^${code} `), JSON.stringify(change));
  });

  it("hold the image to bytes", () => {
    const { gate } = parseBuildSettings(
      { ...base(), gate: { size: { compressed: "400Mi", unpacked: "1Gi" } } },
      context,
    );
    assert.deepEqual(gate.size, { compressedBytes: 400 * 2 ** 20, unpackedBytes: 2 ** 30 });
  });

  it("need the tool kyverno where policy tests are required", () => {
    const { kyverno: _, ...tools } = base().tools;
    assert.deepEqual(problems({ policyTests: "required" }), []);
    assert.deepEqual(problems({ policyTests: "optional" }, { tools }), []);
    assert.deepEqual(problems({ policyTests: "required" }, { tools }), [
      "tool-missing policy-platform:gate.policyTests needs the tool kyverno, which the image does not have; pin kyverno below policy-platform:tools in Pulumi.dev.yaml, or pulumi config rm --path 'policy-platform:gate.policyTests' --stack dev",
    ]);
  });
});
