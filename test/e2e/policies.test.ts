// The sample repository under the real Kyverno CLI: its tests pass, they fail when a rule is weakened, and the folder
// as it ships applies every rule. Not shown here: admission in a cluster.
import assert from "node:assert/strict";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stringify } from "yaml";
import { kyvernoApply, kyvernoTest } from "../support/kyverno";
import { survivingMutants, unmet } from "../support/mutants";
import { documents, policyFiles, type Suite, securityPolicy } from "../support/policyRepository";

const files = policyFiles(securityPolicy);
const suiteOf = (policy: string) => documents<Suite>(join(securityPolicy, "tests", policy, "kyverno-test.yaml"))[0]!;
const pod = `
apiVersion: v1
kind: Pod
metadata: {name: app}
spec: {containers: [{name: app, image: nginx}]}
`;

describe("security-policy under the real kyverno", function () {
  this.timeout(180_000);
  let work: string;
  before(() => {
    work = mkdtempSync(join(tmpdir(), "policies-"));
  });
  after(() => rmSync(work, { recursive: true, force: true }));

  it("passes its own tests, every row for the reason it states", async () => {
    const run = await kyvernoTest(securityPolicy);
    assert.equal(run.code, 0, run.output);
    const expected = [...files.values()]
      .flat()
      .flatMap(({ metadata }) => suiteOf(metadata.name).results.flatMap((row) => row.resources));
    assert.deepEqual(unmet(run), []);
    assert.ok(run.rows.length > expected.length, "rows and checks were evaluated");
  });

  it("applies every rule as it ships, and each policy alone applies its share", async () => {
    const shipped = join(work, "shipped", "policies");
    cpSync(join(securityPolicy, "policies"), shipped, { recursive: true });
    const alone = await Promise.all([...files.keys()].map((file) => kyvernoApply(join(shipped, file), pod)));
    for (const [index, file] of [...files.keys()].entries()) {
      assert.ok((alone[index]!.rules ?? 0) > 0, `${file}: ${alone[index]!.output}`);
      assert.deepEqual(alone[index]!.invalid, [], file);
    }
    const joint = await kyvernoApply(join(work, "shipped"), pod);
    assert.equal(
      joint.rules,
      alone.reduce((sum, { rules }) => sum + (rules ?? 0), 0),
    );
    assert.deepEqual([joint.invalid, joint.counts.error], [[], 0]);
    assert.ok(joint.counts.fail! > 0, "a Pod that says nothing about its security is refused");
  });

  it("is not disturbed by a README beside the policies, and is dropped whole by another Kubernetes object", async () => {
    const folder = join(work, "beside");
    for (const file of [...files.keys()].slice(0, 2))
      cpSync(join(securityPolicy, "policies", file), join(folder, "policies", file));
    writeFileSync(join(folder, "README.md"), "# Policies\n");
    assert.notEqual((await kyvernoApply(folder, pod)).rules, 0);
    writeFileSync(join(folder, "settings.yaml"), "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\n");
    assert.equal((await kyvernoApply(folder, pod)).rules, 0, "the reason why nothing but policies ships");
  });

  it("accepts the policy and the test that the how-to page shows", async () => {
    const page = readFileSync(join(__dirname, "..", "..", "docs", "how-to", "add-a-policy.md"), "utf8");
    const [policy, test] = [...page.matchAll(/```yaml\n(.*?)```/gs)].map(([, text]) => text!);
    const folder = join(work, "how-to", "tests", "require-team-label");
    mkdirSync(folder, { recursive: true });
    mkdirSync(join(work, "how-to", "policies"));
    writeFileSync(join(work, "how-to", "policies", "require-team-label.yaml"), policy!);
    writeFileSync(join(folder, "kyverno-test.yaml"), test!);
    const deployment = (name: string, labels: object) =>
      stringify({ apiVersion: "apps/v1", kind: "Deployment", metadata: { name, labels }, spec: {} });
    writeFileSync(
      join(folder, "resources.yaml"),
      `${deployment("with-team", { team: "shop" })}---\n${deployment("without-team", { violates: "team-label" })}`,
    );
    const run = await kyvernoTest(join(work, "how-to"));
    assert.equal(run.code, 0, run.output);
    assert.deepEqual(
      run.rows.map(({ reason }) => reason),
      ["Ok", "Ok", "Ok"],
      run.output,
    );
  });

  for (const [file, [policy]] of files) {
    it(`has tests for ${policy!.metadata.name} that fail when a rule of it is spoilt or removed`, async () => {
      const name = file.replace(/\.yaml$/, "");
      const { survivors, tried } = await survivingMutants(policy!, suiteOf(name), (policies, suite) => {
        cpSync(join(securityPolicy, "tests", name), join(work, "tests", name), { recursive: true });
        mkdirSync(join(work, "policies"), { recursive: true });
        writeFileSync(join(work, "policies", file), policies);
        writeFileSync(join(work, "tests", name, "kyverno-test.yaml"), suite);
        return kyvernoTest(join(work, "tests", name));
      });
      assert.ok(tried >= 2 * policy!.spec.rules.length, `${tried} mutants`);
      assert.deepEqual(survivors, []);
    });
  }
});
