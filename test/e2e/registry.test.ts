// The registry that a stack publishes to, whole lines through the program: one that asks for a password, and one that is stopped.
import assert from "node:assert/strict";
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createProject, expectSuccess, type Project } from "../support/project";
import { dockerConfig, startRegistry, type TestRegistry } from "../support/registry";
import { smallConfiguration } from "../support/smallStack";

describe("the registry of a stack", function () {
  this.timeout(120_000);
  let storage: string;
  let registry: TestRegistry;
  let credentials: string;
  let project: Project;
  let withPassword: Pick<Project, "pulumi">;
  const screens: string[] = [];

  const run = async (...args: string[]) => {
    const result = await withPassword.pulumi(...args);
    screens.push(result.stdout, result.stderr);
    return result;
  };
  const up = (...args: string[]) => run("up", "--yes", "--skip-preview", ...args);
  const tags = async () => {
    const answer = await fetch(`http://${registry.host}/v2/releases/policy-platform/tags/list`, {
      headers: { authorization: `Basic ${Buffer.from("tester:secret").toString("base64")}` },
    });
    return answer.ok ? ((await answer.json()) as { tags: string[] }).tags.sort() : [];
  };

  before(async () => {
    storage = mkdtempSync(join(tmpdir(), "registry-storage-"));
    // Filled while it is open: the tests' own client has no password.
    const open = await startRegistry({ storage });
    project = await createProject(await smallConfiguration(open.host));
    await open.stop();
    registry = await startRegistry({ storage, basic: true, port: Number(open.host.split(":")[1]) });
    credentials = dockerConfig(registry.host);
    withPassword = project.with({ DOCKER_CONFIG: credentials });
  });
  after(async () => {
    project?.remove();
    await registry?.stop();
    for (const dir of [storage, credentials]) if (dir) rmSync(dir, { recursive: true, force: true });
  });

  it("that asks for a password says so at preview, and how to log in", async () => {
    const { code, stdout, stderr } = await project.with({ DOCKER_CONFIG: storage }).pulumi("preview");
    assert.notEqual(code, 0);
    assert.match(
      stdout + stderr,
      /registry 127\.0\.0\.1:\d+ asks for a name and password, and no credentials for it are in the docker config; credentials come from the docker config, its credential helpers included; docker login 127\.0\.0\.1:\d+/,
    );
  });

  it("that asks for a password gets the docker config's for layers, build, gate, copy and tags", async () => {
    await expectSuccess(run("preview"));
    await expectSuccess(up());
    assert.match((await tags()).join(" "), /^latest sha-\S+ v1\.0\.0$/);
    await expectSuccess(up("--expect-no-changes"));
    assert.equal((await run("refresh", "--preview-only", "--expect-no-changes")).code, 0);
  });

  it("never finds its password in the state, on the screen or in what the program writes", async () => {
    await expectSuccess(run("stack", "export", "--show-secrets"));
    const files = [".local/state", ".policy-platform"].flatMap((folder) => filesBelow(join(project.dir, folder)));
    assert.ok(files.some((file) => file.endsWith("/stacks/policy-platform/local.json")));
    assert.ok(files.some((file) => file.endsWith("/Dockerfile")));
    const texts = new Map(files.map((file) => [file, readFileSync(file, "latin1")]));
    for (const [index, screen] of screens.entries()) texts.set(`screen ${index}`, screen);
    // "secret" alone is a word of the engine's own documents.
    const forms = ["tester:secret", Buffer.from("tester:secret").toString("base64"), '"secret"', "tester"];
    for (const [place, text] of texts)
      for (const form of forms) assert.ok(!text.includes(form), `${form} stands in ${place}`);
  });

  it("that is stopped is named in one sentence by preview, up and the drift job, and changes nothing", async () => {
    const before = await tags();
    appendFileSync(join(project.dir, "policies/security-policy/policies/disallow-latest-tag.yaml"), "# edited\n");
    await registry.stop();
    for (const args of [["preview"], ["up", "--yes", "--skip-preview"], ["refresh", "--preview-only"]]) {
      const { code, stdout, stderr } = await run(...args);
      const screen = stdout + stderr;
      assert.notEqual(code, 0, screen);
      assert.match(
        screen,
        /no answer to (GET|HEAD) [^;]+ECONNREFUSED[^;]*; the registry must be reachable; check that 127\.0\.0\.1:\d+ runs and can be reached, then run again/,
      );
      assert.doesNotMatch(screen, /\n\s+at .*:\d+:\d+/);
    }
    registry = await startRegistry({ storage, basic: true, port: Number(registry.host.split(":")[1]) });
    assert.deepEqual(await tags(), before);
  });

  it("that runs again gets the release that was wanted", async () => {
    await expectSuccess(up());
    assert.ok((await tags()).includes("v1.0.1"));
  });
});

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}
