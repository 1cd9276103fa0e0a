// A corpus of policies that nobody here wrote, with their tests, resources and values beside them: as a folder, as an image that
// its team pushed, and as a git commit, it is the same layer image, and so the same release.
import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { RegistryClient } from "../../lib/oci/client";
import { parsePinned } from "../../lib/oci/reference";
import { historyOf } from "../../lib/release/history";
import { type Corpus, copyCorpus } from "../support/corpus";
import { type GitServer, startGitServer } from "../support/gitServer";
import { createProject, type Project } from "../support/project";
import { startRegistry, type TestRegistry } from "../support/registry";
import { runImage } from "../support/runImage";
import { run } from "../unit/cli/run";

describe("a corpus of policies that nobody here wrote", function () {
  this.timeout(300_000);
  let registry: TestRegistry;
  let git: GitServer;
  let project: Project;
  let corpus: Corpus;
  const released: Record<string, any>[] = [];
  before(async () => {
    [registry, git] = await Promise.all([startRegistry(), startGitServer()]);
    project = await createProject(registry.host);
    const folder = join(project.dir, "policies/corpus");
    mkdirSync(folder);
    corpus = await copyCorpus(folder);
    await project.commit("Take the corpus in");
  });
  after(async () => {
    project?.remove();
    await Promise.all([registry?.stop(), git?.close()]);
  });

  const configure = (source: Record<string, unknown>) =>
    project.configure((config) => {
      config["policy-platform:policies"] = { corpus: source };
    });
  const command = (...argv: string[]) => run(...argv, "--stack", "local", "--cwd", project.dir);
  /** What the image itself says that it is made of. */
  const layerDigest = async ({ reference }: { reference: string }) => {
    const { digest, ...repository } = parsePinned(reference);
    const image = await historyOf(new RegistryClient(), repository).at(digest);
    return image?.inputs?.repositories.corpus?.digest;
  };
  const release = async () => {
    await project.up();
    const outputs = await project.outputs();
    released.push({ ...outputs, layer: await layerDigest(outputs.image) });
    return outputs;
  };

  it("is a few hundred files, most of which are no policies", () => {
    assert.ok(corpus.files > 200, `${corpus.files} files`);
    assert.ok(corpus.policies.length > 60 && corpus.suites > 60, JSON.stringify(corpus.policies));
  });

  it("is released from a folder, after its own tests have passed", async () => {
    configure({ folder: "policies/corpus" });
    const checked = await command("check");
    assert.equal(checked.code, 0, checked.stdout);
    const { version, gate } = await release();
    assert.equal(version, "v1.0.0");
    const about = (name: string) => gate.checks.find((check: { name: string }) => check.name === name);
    assert.equal(about("policies: corpus")?.status, "passed", JSON.stringify(gate.checks, null, 1));
    assert.equal(about("tests: corpus")?.status, "passed", JSON.stringify(gate.checks, null, 1));
  });

  it("ships its policies and nothing that lies beside them, and kyverno reads all of them as one folder", async () => {
    const [{ image, gate }] = released as [Record<string, any>];
    const script = 'shopt -s globstar; for path in /repos/corpus/**; do [[ -f $path ]] && echo "$path"; done; true';
    const { stdout } = await runImage(image.reference, ["bash", "-c", script], { env: project.env });
    assert.deepEqual(
      stdout.trimEnd().split("\n").sort(),
      corpus.policies.map((path) => `/repos/corpus/${path}`),
    );
    // What the gate found when it ran `kyverno apply /repos/corpus/`.
    const { detail } = gate.checks.find((check: { name: string }) => check.name === "policies: corpus");
    assert.match(detail, new RegExp(`^${corpus.policies.length} policy files, 2\\d\\d rules`));
  });

  it("is the same release from the image that its team pushed", async () => {
    const reference = `${registry.host}/teams/corpus:v1.0.0`;
    const pushed = await run("repository", "push", corpus.folder, reference, "-o", "json");
    assert.equal(pushed.code, 0, pushed.stderr);
    assert.equal((pushed.data.tests as { status: string }).status, "passed", pushed.stderr);
    configure({ image: pushed.data.pin });
    const { gate } = await release();
    const tests = gate.checks.find((check: { name: string }) => check.name === "tests: corpus");
    assert.equal(tests?.status, "skipped", "its publisher has run them");
    assertSame();
  });

  it("is the same release from a git commit, and its tests are run again", async () => {
    const files = (readdirSync(corpus.folder, { recursive: true }) as string[]).filter((path) =>
      statSync(join(corpus.folder, path)).isFile(),
    );
    const content = files.map((path) => [`policies/${path}`, readFileSync(join(corpus.folder, path))] as const);
    const commit = git.commit("team", { ...Object.fromEntries(content), "README.md": "# Ours\n" });
    configure({ git: { url: `${git.url}/team.git`, commit, path: "policies" } });
    const pinned = await command("pin", "policies.corpus");
    assert.equal(pinned.code, 0, pinned.stderr);
    const { gate } = await release();
    const tests = gate.checks.find((check: { name: string }) => check.name === "tests: corpus");
    assert.equal(tests?.status, "passed", JSON.stringify(gate.checks, null, 1));
    assertSame();
  });

  /** One layer image, one image, one version, whatever the source. */
  function assertSame(): void {
    const of = ({ layer, version, image }: Record<string, any>) => ({ layer, version, digest: image.digest });
    for (const one of released.slice(1)) assert.deepEqual(of(one), of(released[0]!));
  }
});
