// The pages that promote and roll back: every command as it is written there, and every line that the page says it prints.
import assert from "node:assert/strict";
import { appendFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exec } from "../../lib/exec";
import { RegistryClient } from "../../lib/oci/client";
import { parseRepository } from "../../lib/oci/reference";
import { type PageCommand, pageCommands } from "../support/page";
import { createProject, expectSuccess, type Project } from "../support/project";
import { startRegistry, type TestRegistry } from "../support/registry";
import { smallConfiguration } from "../support/smallStack";

const edited = "policies/security-policy/policies/disallow-latest-tag.yaml";

describe("the pages that promote and roll back", function () {
  this.timeout(300_000);
  let dev: TestRegistry;
  let prod: TestRegistry;
  let storage: string;
  let project: Project;

  before(async () => {
    storage = mkdtempSync(join(tmpdir(), "dev-registry-"));
    dev = await startRegistry({ storage });
    prod = await startRegistry();
    project = await createProject({});
    await project.addStack("dev", await smallConfiguration(dev.host));
    await project.addStack("prod", { "policy-platform:registry": { kind: "existing", address: prod.host } });
    await project.commit("Add the stacks");
    const first = "pulumi up --stack dev --skip-preview\nnpx policy-platform promote dev prod\n";
    await expectSuccess(shell(`${first}pulumi up --stack prod --skip-preview`));
    await project.commit("Promote to prod");
    appendFileSync(join(project.dir, edited), "# edited\n");
    await project.commit("Edit a policy");
    await expectSuccess(shell("pulumi up --stack dev --skip-preview"));
  });
  after(async () => {
    project?.remove();
    await prod?.stop();
    await dev?.stop();
    rmSync(storage, { recursive: true, force: true });
  });

  /** What a reader's shell prints. The checkout's own command stands in place of what `npx` finds, and nobody is there to be asked. */
  const shell = (script: string) =>
    exec(
      "bash",
      [
        "-c",
        `set -eu\n${script
          .replaceAll("npx policy-platform", "node dist/cli/policy-platform.js")
          .replaceAll(/^pulumi up/gm, "pulumi up --yes")}`,
      ],
      { cwd: project.dir, env: { ...process.env, ...project.env } as Record<string, string>, timeout: 280_000 },
    );

  async function runs({ script, expected }: PageCommand): Promise<void> {
    const { stdout, stderr } = await expectSuccess(shell(script));
    for (const line of expected) assert.match(stdout + stderr, patternOf(line), line);
  }
  const latest = async () => {
    const repository = parseRepository(`${prod.host}/releases/policy-platform`);
    const client = new RegistryClient();
    const digestOf = async (tag: string) => (await client.resolve(repository, tag))?.digest;
    const [newest, ...versions] = await Promise.all(["latest", "v1.0.0", "v1.0.1"].map(digestOf));
    return ["v1.0.0", "v1.0.1"][versions.indexOf(newest)];
  };
  const committed = () => readFileSync(join(project.dir, "Pulumi.prod.yaml"), "utf8");

  for (const command of pageCommands("how-to/promote.md"))
    it(`promote, "${command.heading}": ${command.script.split("\n")[0]}`, () => runs(command));

  it("have promoted then", async () => assert.equal(await latest(), "v1.0.1"));

  const [fromStaging, notes, lower, ...others] = tableLines("how-to/promote.md", /^\| To /m);
  /** What a line of the table prints; the file is then as it was. */
  const inPassing = async (line: string) => {
    const before = committed();
    const { stdout, stderr } = await expectSuccess(shell(line));
    const after = committed();
    project.write("Pulumi.prod.yaml", before);
    return { stdout, stderr, after };
  };

  it("promote from a stack that promotes itself, by the line of the table", async () => {
    const registry = { kind: "existing", address: `${prod.host}/staging` };
    await project.addStack("staging", { "policy-platform:registry": registry });
    const first = "npx policy-platform promote dev staging\npulumi up --stack staging --skip-preview";
    await expectSuccess(shell(first));
    const { stderr, after } = await inPassing(fromStaging!);
    assert.match(stderr, /✔ Pulumi\.prod\.yaml takes v1\.0\.1/);
    assert.ok(after.includes(`${prod.host}/staging/releases/policy-platform`), after);
  });

  it("print the notes for a script, by the line of the table", async () => {
    const { stdout } = await inPassing(notes!);
    assert.match(stdout, /^v1\.0\.1 \([0-9a-f]{12}\) is promoted: nothing to do$/m);
  });

  it("go below the highest version of prod, by the last line of the table", async () => {
    const { stdout, after } = await inPassing(lower!.replace("…", "npx policy-platform promote dev prod"));
    assert.match(stdout, /^policy-platform:promotion\.rollback: true$/m);
    assert.match(after, /version: "?v1\.0\.0"?/);
    assert.deepEqual(others, []);
  });

  const back = pageCommands("how-to/roll-back.md");
  const below = (heading: RegExp) => back.filter((command) => heading.test(command.heading));

  it("roll back, and only latest moves", async () => {
    for (const command of below(/^1\./)) await runs(command);
    assert.equal(await latest(), "v1.0.0");
    assert.match(committed(), /rollback: true/);
  });

  it("go forward again, without the permission", async () => {
    for (const command of below(/^2\./)) await runs(command);
    assert.equal(await latest(), "v1.0.1");
    assert.doesNotMatch(committed(), /rollback/);
  });

  it("go back on a stack that builds by the next patch on the old digest", async () => {
    for (const command of below(/^A stack that builds/)) await runs(command);
    const client = new RegistryClient();
    const repository = parseRepository(`${dev.host}/releases/policy-platform`);
    const [first, third] = await Promise.all(["v1.0.0", "v1.0.2"].map((tag) => client.resolve(repository, tag)));
    assert.equal(third?.digest, first?.digest);
  });

  it("roll back without dev's registry", async () => {
    await dev.stop();
    for (const command of below(/^When dev's registry/)) await runs(command);
    await expectSuccess(shell("pulumi up --stack prod"));
    assert.equal(await latest(), "v1.0.0");
  });

  it("have no further section", () =>
    assert.equal(back.length, below(/^(1\.|2\.|A stack that builds|When dev's registry)/).length));
});

/** What stands for `…` on a page may be anything but the end of the line. */
function patternOf(line: string): RegExp {
  const parts = line.split("…").map((part) => part.trim().replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(parts.join(".*"));
}

/** The commands in the second column of a page's table, as a reader copies them. */
function tableLines(page: string, head: RegExp): string[] {
  const text = readFileSync(join(__dirname, "..", "..", "docs", page), "utf8");
  const [table] = text.slice(text.search(head)).split("\n\n");
  return table!
    .split("\n")
    .slice(2)
    .map((row) => /`(.+?)`/.exec(row)![1]!.replaceAll("\\|", "|"));
}
