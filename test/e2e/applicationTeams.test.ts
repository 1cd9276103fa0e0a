// What application teams do with the released image, with the `docker` command: the lines of the how-to page as they stand there, and
// the lines of the CI files that `render ci` makes, run as the CI host runs them. Not shown here: a CI host itself.
import assert from "node:assert/strict";
import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "yaml";
import { exec } from "../../lib/exec";
import { pageCommands } from "../support/page";
import { createProject, type Project, wholePins } from "../support/project";
import { startRegistry, type TestRegistry } from "../support/registry";
import { hasDockerCommand } from "../support/runImage";
import { run } from "../unit/cli/run";

const root = join(__dirname, "..", "..");

describe("an application team with the released image", function () {
  this.timeout(240_000);
  let registry: TestRegistry;
  let project: Project;
  let image: string;
  let temporary: string;
  /** Where a CI host keeps what is not the checkout's. */
  let outside: string;
  before(async () => {
    assert.ok(await hasDockerCommand(), "these lines are typed with the docker command, which is not on PATH");
    registry = await startRegistry();
    project = await createProject(registry.host);
    project.configure((config) => Object.assign(config, wholePins()));
    await project.up();
    image = (await project.outputs()).image.reference;
  });
  beforeEach(() => {
    temporary = mkdtempSync(join(tmpdir(), "application-"));
    outside = mkdtempSync(join(tmpdir(), "runner-"));
    chmodSync(temporary, 0o755); // as a checkout is: the image's user reads it
    cpSync(join(root, "policies/backend-applications/charts"), join(temporary, "charts"), { recursive: true });
  });
  afterEach(() => {
    for (const folder of [temporary, outside]) rmSync(folder, { recursive: true, force: true });
  });
  after(async () => {
    project?.remove();
    await registry?.stop();
  });

  /** As a shell of the user, or of a CI host, runs it: in the application's repository. */
  const shell = (
    script: string,
    { options = [], env = {} }: { options?: string[]; env?: Record<string, string> } = {},
  ) =>
    exec("bash", [...options, "-c", script], {
      cwd: temporary,
      env: { ...project.env, IMAGE: image, ...env },
      timeout: 120_000,
    });

  for (const { heading, script, expected, code } of pageCommands("how-to/check-your-chart.md")) {
    if (script.startsWith("IMAGE=")) continue;
    const [line = ""] = expected;
    it(`reads under «${heading}» what it then gets: ${line}`, async () => {
      const { code: ended, stdout, stderr } = await shell(script);
      const output = `${stdout}${stderr}`;
      for (const text of expected) assert.ok(output.includes(text), `${text}\nis not in\n${output}`);
      assert.equal(ended, code, output);
    });
  }

  /** The file as `render ci` prints it for the sample chart. */
  const rendered = async (consumer: string, ...more: string[]) => {
    const { code, stdout, stderr } = await run(
      ...["render", "ci", "--consumer", consumer, "--chart", "charts/app", "--kubernetes", "1.31"],
      ...["--policies", "security-policy", "--policies", "devops-policy/charts/release-hygiene"],
      ...["--environment", "production", "--ruleset", "/repos/backend-applications/.spectral.yaml"],
      ...["--stack", "local", "--cwd", project.dir, ...more],
    );
    assert.equal(code, 0, stderr);
    assert.ok(stdout.includes(`${image} # v1.0.0\n`));
    return parse(stdout);
  };
  const spoil = () => {
    mkdirSync(join(temporary, "cd"));
    writeFileSync(join(temporary, "cd/it's dev.yaml"), 'image: {tag: latest}\ningress: {host: "shop.example.org"}\n');
    const old = "apiVersion: policy/v1beta1\nkind: PodDisruptionBudget\nmetadata: {name: old}\n";
    writeFileSync(join(temporary, "charts/app/templates/old.yaml"), old);
    return ["--values", "cd/it's dev.yaml"];
  };

  /** Each `run` of the workflow by GitHub's `bash -eo pipefail`, after a step that went well where `if` asks for one. */
  const github = async (...more: string[]) => {
    const { env, steps } = (await rendered("github", ...more)).jobs["policy-check"];
    const results: [string, number | null, string][] = [];
    for (const step of steps.filter((one: { run?: string }) => one.run !== undefined)) {
      const options = ["--noprofile", "--norc", "-eo", "pipefail"];
      const { code, stdout, stderr } = await shell(step.run, { options, env: { ...env, RUNNER_TEMP: outside } });
      results.push([step.name, code, stdout + stderr]);
    }
    return results;
  };
  it("has a GitHub workflow that passes with the sample chart", async () => {
    const results = await github();
    assert.deepEqual(
      results.map(([name, code]) => [name, code]),
      [
        ["Pull the image", 0],
        ["helm template", 0],
        ["kyverno apply /repos/security-policy", 0],
        ["kyverno apply /repos/devops-policy/charts/release-hygiene", 0],
        ["pluto detect", 0],
        ["spectral lint", 0],
      ],
      JSON.stringify(results, null, 1),
    );
  });

  it("has a GitHub workflow that shows each fault in its own step", async () => {
    const results = await github(...spoil());
    const said = new Map(results.map(([name, code, output]) => [name, { code, output }]));
    assert.deepEqual(
      results.map(([, code]) => code),
      [0, 0, 1, 1, 3, 1],
      JSON.stringify(results, null, 1),
    );
    assert.match(said.get("kyverno apply /repos/security-policy")!.output, /policy disallow-latest-tag -> resource/);
    assert.match(
      said.get("kyverno apply /repos/devops-policy/charts/release-hygiene")!.output,
      /restrict-ingress-hosts/,
    );
    assert.match(said.get("pluto detect")!.output, /policy\/v1beta1/);
    assert.match(said.get("spectral lint")!.output, /image-tag-names-a-version/);
  });

  it("is told when a chart renders nothing, although kyverno ends with 0", async () => {
    rmSync(join(temporary, "charts/app/templates"), { recursive: true });
    mkdirSync(join(temporary, "charts/app/templates"));
    const results = await github();
    const [, code, output] = results.find(([name]) => name === "kyverno apply /repos/security-policy")!;
    assert.equal(code, 1, output);
    assert.match(output, /kyverno applied no rule, or the chart rendered nothing/);
  });

  /** The script in one shell inside the image, as root and with the checkout as its folder. */
  const bitbucket = async (...more: string[]) => {
    const { step } = (await rendered("bitbucket", ...more)).pipelines["pull-requests"]["**"][0];
    assert.equal(step.image.name, image);
    const mounts = ["-v", `${temporary}:/opt/build`, "-w", "/opt/build", "--network", "none"];
    const user = ["--user", String(step.image["run-as-user"])];
    return exec("docker", ["run", "--rm", "-i", ...mounts, ...user, step.image.name, "bash", "-e"], {
      env: { ...project.env },
      input: step.script.join("\n"),
      timeout: 120_000,
    });
  };

  it("has a Bitbucket pipeline that passes with the sample chart", async () => {
    const { code, stdout, stderr } = await bitbucket();
    assert.equal(code, 0, stdout + stderr);
    assert.equal(stdout.match(/^Applying \d+ policy rule/gm)?.length, 2);
  });

  it("has a Bitbucket pipeline that goes on to the last check and then names those that failed", async () => {
    const { code, stdout, stderr } = await bitbucket(...spoil());
    assert.equal(code, 1, stdout + stderr);
    const [, summary] = stdout.split("These failed, see above:\n");
    assert.deepEqual(summary?.trimEnd().split("\n"), [
      "kyverno apply /repos/security-policy",
      "kyverno apply /repos/devops-policy/charts/release-hygiene",
      "pluto detect",
      "spectral lint",
    ]);
  });
});
