// The policies that are charts under the real helm and kyverno: their tests pass in each environment, and fail when a rule
// is weakened. Not shown here: admission in a cluster.
import assert from "node:assert/strict";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exec } from "../../lib/exec";
import { builtProgram, kyvernoTest } from "../support/kyverno";
import { survivingMutants, unmet } from "../support/mutants";
import { devopsPolicy, documents, type Policy, type Suite } from "../support/policyRepository";

const charts = readdirSync(join(devopsPolicy, "charts"));
const environments = readdirSync(join(devopsPolicy, "cd"));
const tests = environments.flatMap((environment) =>
  readdirSync(join(devopsPolicy, "tests", environment)).map((policy) => ({ environment, policy })),
);

describe("devops-policy under the real helm and kyverno", function () {
  this.timeout(180_000);
  let work: string;
  before(async () => {
    work = mkdtempSync(join(tmpdir(), "policy-charts-"));
    for (const environment of environments) {
      cpSync(join(devopsPolicy, "tests", environment), join(work, "tests", environment), { recursive: true });
      for (const chart of charts) {
        const values = join(devopsPolicy, "cd", environment, "values.yaml");
        const to = join(work, "tests", "rendered", environment);
        const argv = ["template", chart, join(devopsPolicy, "charts", chart), "-f", values, "--output-dir", to];
        const { code, stderr } = await exec(builtProgram("helm"), argv);
        assert.equal(code, 0, stderr);
      }
    }
  });
  after(() => rmSync(work, { recursive: true, force: true }));

  const renderedFile = (environment: string, policy: string) =>
    charts
      .map((chart) => join(work, "tests", "rendered", environment, chart, "templates", `${policy}.yaml`))
      .find((file) => existsSync(file))!;

  it("passes its own tests, every row for the reason it states", async () => {
    const run = await kyvernoTest(join(work, "tests"));
    assert.equal(run.code, 0, run.output);
    assert.deepEqual(unmet(run), []);
    const rows = tests.flatMap(({ environment, policy }) =>
      documents<Suite>(join(devopsPolicy, "tests", environment, policy, "kyverno-test.yaml")).flatMap(({ results }) =>
        results.flatMap(({ resources }) => resources),
      ),
    );
    assert.ok(run.rows.length > rows.length, "rows and checks were evaluated");
  });

  for (const { environment, policy: name } of tests) {
    it(`has tests for ${name} in ${environment} that fail when a rule of it is spoilt or removed`, async () => {
      const file = renderedFile(environment, name);
      const [policy] = documents<Policy>(file).filter((document) => document !== null);
      const [suite] = documents<Suite>(join(devopsPolicy, "tests", environment, name, "kyverno-test.yaml"));
      const { survivors, tried } = await survivingMutants(policy!, suite!, (mutants, asked) => {
        // Beside the others, where the test finds it.
        const copy = join(work, "mutants");
        const test = join(copy, "tests", environment, name);
        rmSync(copy, { recursive: true, force: true });
        cpSync(join(work, "tests", environment, name), test, { recursive: true });
        const at = join(copy, file.slice(work.length));
        mkdirSync(join(at, ".."), { recursive: true });
        writeFileSync(at, mutants);
        writeFileSync(join(test, "kyverno-test.yaml"), asked);
        return kyvernoTest(join(copy, "tests", environment));
      });
      assert.ok(tried >= 2 * policy!.spec.rules.length, `${tried} mutants`);
      assert.deepEqual(survivors, []);
    });
  }
});
