// What a case makes of programs that do not do their work. stand-in: the programs, whose answers are written here; the real
// ones are in test/e2e/cases.test.ts.
import assert from "node:assert/strict";
import { chartsOfImage } from "../../../lib/gate/charts";
import type { ExecOutcome, GateContext } from "../../../lib/gate/exec";
import { runCases } from "../../../lib/gate/integration";
import type { IntegrationCase } from "../../../lib/gate/integrationCase";

const object = "---\n# Source: app/templates/a.yaml\napiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: n}\n";
const applied = (line: string) => `\nApplying 3 policy rule(s) to 1 resource(s)...\n${line}\n`;
const good = applied("\npass: 1, fail: 0, warn: 0, error: 0, skip: 0 ");
const target = JSON.stringify({ "target-versions": { k8s: "v1.31.0" } });
const policy = "apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {name: p}\nspec: {rules: [{name: r}]}\n";

const one: IntegrationCase = {
  chart: "r/charts/app",
  values: [],
  policies: ["r"],
  expect: "pass",
  by: [],
  kubernetes: "1.31",
  spectral: { ruleset: "r/.spectral.yaml" },
};

type Answers = Partial<Record<"helm" | "kyverno" | "pluto" | "spectral", Partial<ExecOutcome>>>;

async function result(
  answers: Answers,
  changes: Partial<IntegrationCase> = {},
  file: { text: string; rules: number } = { text: policy, rules: 3 },
): Promise<string> {
  const usual: Answers = {
    helm: { stdout: object },
    kyverno: { stdout: good },
    pluto: { stdout: target },
    spectral: { stdout: "[]No results with a severity of 'error' found!" },
  };
  const files = {
    "charts/app/Chart.yaml": "",
    "charts/app/values.yaml": "",
    ".spectral.yaml": "",
    "p.yaml": file.text,
  };
  const image = new Map(Object.entries(files).map(([path, content]) => [`/repos/r/${path}`, Buffer.from(content)]));
  const context: GateContext = {
    exec: async ([program]) => {
      const answer = answers[program as keyof Answers] ?? usual[program as keyof Answers]!;
      const { stdout = "", stderr = "" } = answer;
      const outcome = {
        code: 0,
        stdout,
        stderr,
        output: stdout + stderr,
        truncated: false,
        timedOut: false,
        oomKilled: false,
      };
      return { ...outcome, ...answer };
    },
    put: async (folder) => `/gate/${folder}`,
    policies: () => [{ path: "/repos/r/p.yaml", rules: file.rules }],
    files: image,
    has: (path) => image.has(path) || path === "/repos/r/tests/values.yaml",
  };
  const [check] = await runCases({ one: { ...one, ...changes } }, context, chartsOfImage(context));
  return `${check!.status}: ${check!.detail}`;
}

describe("a case whose programs go wrong (stand-in: the programs)", () => {
  it("passes when they do not", async () => {
    assert.equal(
      await result({}),
      "passed: 3 rules on 1 object pass; no API that Kubernetes 1.31 deprecates; spectral finds nothing in 1 file",
    );
  });

  it("fails when kyverno crashes, hangs, prints no summary or garbage, or leaves something out", async () => {
    const cases: [Partial<ExecOutcome>, string][] = [
      [{ code: 2, stderr: "panic: boom" }, "kyverno apply did not print its first line (code 2): panic: boom"],
      [{ code: undefined, timedOut: true }, "kyverno did not end in the time that gate.checks.timeout gives it"],
      [{ code: undefined, truncated: true }, "kyverno printed more than the gate reads"],
      [{ code: 137, oomKilled: true }, "kyverno needed more memory than gate.checks.memory gives it"],
      [
        { stdout: applied("") },
        "kyverno apply did not print its last line (code 0): Applying 3 policy rule(s) to 1 resource(s)...",
      ],
      [{ stdout: "\u0000\u001b[31mrubbish" }, "kyverno apply did not print its first line (code 0): rubbish"],
      [{ stdout: "" }, "kyverno apply did not print its first line (code 0), and nothing else"],
      [
        { stdout: good.replace("Applying 3", "Applying 2") },
        "kyverno applied 2 rules of 1 policy file together, which alone apply 3",
      ],
      [{ stdout: good.replace("to 1", "to 0") }, "kyverno read 0 of the 1 object that were rendered"],
      [{ stdout: good.replace("error: 0", "error: 1") }, "1 rule ended in an error of kyverno"],
      [{ code: 1, stdout: good.replace("fail: 0", "fail: 2") }, "kyverno counts 2 refusals and names 0"],
      [
        { stdout: good.replace("pass: 1", "pass: 0") },
        "no rule looked at any of the 1 object; name policies that are about them",
      ],
    ];
    for (const [kyverno, expected] of cases) assert.equal(await result({ kyverno }), `failed: ${expected}`);
  });

  it("takes values that its repository leaves out of the image, and names those that are nowhere", async () => {
    assert.match(await result({}, { values: ["r/tests/values.yaml"] }), /^passed: /);
    assert.equal(
      await result({}, { values: ["r/tests/value.yaml"] }),
      "failed: /repos/r/tests/value.yaml is not in the image",
    );
  });

  it("fails when helm hangs, floods, or says something that nobody has met", async () => {
    assert.match(await result({ helm: { code: undefined, timedOut: true } }), /^failed: helm did not end in the time/);
    assert.match(
      await result({ helm: { code: undefined, truncated: true } }),
      /^failed: helm printed more than the gate reads/,
    );
    assert.equal(
      await result({ helm: { code: 3, stderr: "Error: the moon is full\n" } }),
      "failed: helm template of /repos/r/charts/app ended with code 3: Error: the moon is full",
    );
  });

  it("fails when pluto or spectral look at nothing, and tells everything that is wrong at once", async () => {
    assert.match(
      await result({ pluto: { code: 1, stderr: "boom" } }),
      /^failed: pluto looked at nothing \(code 1\): boom$/,
    );
    assert.match(await result({ pluto: { stdout: "{}" } }), /^failed: pluto looked at nothing/);
    assert.match(
      await result({ spectral: { code: 2, stderr: "no ruleset" } }),
      /^failed: spectral looked at nothing \(code 2\): no ruleset$/,
    );
    assert.match(
      await result({ spectral: { code: 1, stdout: "[]" } }),
      /^failed: spectral ended with code 1 and names no error$/,
    );
    const finding = {
      code: "tag",
      message: "a tag moves",
      severity: 0,
      source: "/repos/r/a.yaml",
      range: { start: { line: 4 } },
    };
    const unread = { ...finding, code: "unrecognized-format", severity: 1 };
    assert.match(await result({ spectral: { code: 0, stdout: JSON.stringify([unread]) } }), /^failed: spectral: /);
    assert.equal(
      await result({ spectral: { code: 1, stdout: JSON.stringify([finding]) }, pluto: { code: 1, stderr: "boom" } }),
      "failed: pluto looked at nothing (code 1): boom; spectral: /repos/r/a.yaml:5: tag: a tag moves",
    );
    const warning = { ...finding, severity: 1 };
    assert.match(
      await result({ spectral: { code: 0, stdout: JSON.stringify([warning]) } }),
      /^passed: .*; spectral warns of \/repos\/r\/a\.yaml:5: tag: a tag moves$/,
    );
  });

  it("is not content with a refusal of another name", async () => {
    const stdout = applied(
      "policy p -> resource n/Pod/a failed:\n1 - autogen-r no\n\n\npass: 0, fail: 1, warn: 0, error: 0, skip: 0 ",
    );
    const refused = { expect: "refused" as const };
    assert.match(
      await result({ kyverno: { code: 1, stdout } }, { ...refused, by: ["p/r"] }),
      /^passed: 3 rules on 1 object, refused by p\/r as it must be/,
    );
    assert.equal(
      await result({ kyverno: { code: 1, stdout } }, { ...refused, by: ["p/other"] }),
      "failed: the case's policies have no rule p/other: there is p/r",
    );
    assert.match(await result({}, { ...refused, by: ["p/r"] }), /^failed: not refused by p\/r$/);
  });

  it("leaves out the policies that need a network or a cluster, names every rule of them, and checks the others of the file", async () => {
    const called = `${policy.replace("name: p", "name: net").replace("[{name: r}]", "[{name: s}, {name: r, context: [{apiCall: {}}]}]")}`;
    const text = `${policy}---\n${called}`;
    const kyverno = { stdout: good.replace("Applying 3", "Applying 1") };
    const left = "not checked here: net/s (its policy needs a call of an API), net/r (needs a call of an API)";
    const detail = await result({ kyverno }, {}, { text, rules: 3 });
    assert.ok(detail.startsWith("passed: 1 rule on 1 object pass"), detail);
    assert.ok(detail.endsWith(`; ${left}`), detail);
    assert.equal(
      await result({ kyverno }, { expect: "refused", by: ["net/s"] }, { text, rules: 3 }),
      "failed: net/s (its policy needs a call of an API) cannot be checked without a network or a cluster",
    );
    // A count that is not what the documents say: nothing of the file is believed, and all of it is named.
    assert.match(
      await result({ kyverno }, { expect: "refused", by: ["p/r"] }, { text, rules: 9 }),
      /^failed: p\/r \(its policy needs a call of an API\) cannot be checked/,
    );
  });
});
