// One repository of policies through the whole program: as a folder, as a git commit, and as an image that its team pushed.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { folderLayerImage } from "../../lib/oci/layer";
import { type GitServer, startGitServer } from "../support/gitServer";
import { kyvernoBinary } from "../support/kyverno";
import { createProject, expectSuccess, type Project } from "../support/project";
import { startRegistry, type TestRegistry } from "../support/registry";
import { smallConfiguration } from "../support/smallStack";
import { run } from "../unit/cli/run";

const corpus = "policies/security-policy";

describe("the sources of a policy repository, through the program", function () {
  this.timeout(180_000);
  let registry: TestRegistry;
  let git: GitServer;
  let project: Project;
  before(async () => {
    [registry, git] = await Promise.all([startRegistry(), startGitServer()]);
    project = await createProject(registry.host);
    const configuration = await smallConfiguration(registry.host);
    project.configure((config) => Object.assign(config, configuration));
  });
  after(async () => {
    project?.remove();
    await Promise.all([registry?.stop(), git?.close()]);
  });

  /** The sample policies from another source, under the same name. */
  const source = (entry: Record<string, unknown>) =>
    project.configure((config) => {
      config["policy-platform:policies"] = { "security-policy": entry };
    });

  it("are one image: a git commit and a pushed image in place of the folder build nothing and release nothing", async () => {
    source({ folder: corpus });
    await project.up();
    const first = await project.outputs();
    assert.equal(first.version, "v1.0.0");
    const { digest } = await folderLayerImage(corpus, { at: "/repos/security-policy" });

    const files = readdirSync(corpus, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    const paths = files.map((entry) => join(entry.parentPath, entry.name));
    const commit = git.commit("corpus", Object.fromEntries(paths.map((path) => [path, readFileSync(path)])));
    source({ git: { url: `${git.url}/corpus.git`, commit, path: corpus, digest } });
    await project.up();
    const second = await project.outputs();
    assert.deepEqual([second.version, second.image.digest], [first.version, first.image.digest]);
    // The gate looks again, as its tests come from elsewhere: they are what git is asked for. After that, nothing is.
    const testsIn = ({ gate }: typeof second) =>
      gate.checks.find((one: { name: string }) => one.name === "tests: security-policy");
    assert.ok(testsIn(first), JSON.stringify(first.gate.checks));
    assert.deepEqual(testsIn(second), testsIn(first));
    git.requests.length = 0;
    await expectSuccess(project.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes"));
    assert.deepEqual(git.requests, [], "its layer image is in the registry: git is not asked");

    const reference = `${registry.host}/teams/security-policy:v1`;
    const { PATH } = process.env;
    process.env.PATH = `${dirname(kyvernoBinary())}:${PATH}`;
    const pushed = await run("repository", "push", corpus, reference, "-o", "json");
    process.env.PATH = PATH;
    assert.equal(pushed.data.digest, digest, pushed.stderr);
    assert.equal((pushed.data.tests as { status: string }).status, "passed");
    source({ image: pushed.data.pin as string });
    await project.up();
    const third = await project.outputs();
    assert.deepEqual([third.version, third.image.digest], [first.version, first.image.digest]);
  });

  it("a new commit is fetched for its preview, which names the version, and released", async () => {
    const policy = readFileSync(join(corpus, "policies/disallow-latest-tag.yaml"), "utf8");
    const commit = git.commit("next", { "policies/disallow-latest-tag.yaml": `${policy}# edited\n` });
    source({ git: { url: `${git.url}/next.git`, commit } });
    git.requests.length = 0;
    const unpinned = await expectSuccess(project.pulumi("preview"));
    assert.match(
      unpinned.stdout + unpinned.stderr,
      /digest of security-policy is not pinned.*policy-platform pin security-policy/,
    );
    assert.deepEqual(git.requests, []);
    const pinned = await run("pin", "security-policy", "main", "--stack", "local", "--cwd", project.dir);
    assert.equal(pinned.code, 0, pinned.stderr);
    const preview = await expectSuccess(project.pulumi("preview"));
    assert.match(preview.stdout + preview.stderr, /v1\.0\.0 → v2\.0\.0 \(policy structure change\)/);
    await project.up();
    assert.equal((await project.outputs()).version, "v2.0.0");
  });
});
