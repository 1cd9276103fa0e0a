// The pages that bring policies to a cluster: their YAML and their commands as they are written, for a cluster that has Flux already. Of
// a cluster that has nothing, and of one of Google's, what the pages ask a reader to write is checked and rendered, not run.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "yaml";
import { fromStackFile } from "../../config/load";
import { problemsOf } from "../../config/parse";
import { type ExecResult, exec } from "../../lib/exec";
import { badPod, goodPod, tryPod } from "../../local/controlPlane/summary";
import { layoutOf } from "../../local/layout";
import { pageCommands } from "../support/page";
import { createProject, expectSuccess, type Project, type ProjectStack, preparedPins } from "../support/project";
import { dockerConfig, startRegistry, type TestRegistry } from "../support/registry";
import { testCluster } from "../support/testCluster";

const root = join(__dirname, "..", "..");
const layout = layoutOf(root);
const page = "how-to/deliver-to-a-cluster.md";

/** The YAML blocks of a page as objects, with digests in place of what it leaves out. */
function yamlOf(name: string): Record<string, any>[] {
  const text = readFileSync(join(root, "docs", name), "utf8");
  const blocks = [...text.matchAll(/^( *)```yaml\n(.*?)^ *```$/gms)];
  return blocks.map(([, , block]) => parse(block!.replaceAll("sha256:…", `sha256:${"0".repeat(64)}`)));
}

describe("the page that delivers to a cluster with Flux", function () {
  this.timeout(300_000);
  let registry: TestRegistry;
  let project: Project;
  let stack: ProjectStack;
  let own: string;
  const cluster = testCluster;
  const login = "tester:secret";

  /** What a reader's shell prints; what the engine asks a reader is given as input. */
  const shell = (script: string): Promise<ExecResult> => {
    const typed = script
      .replaceAll("npx policy-platform", "node dist/cli/policy-platform.js")
      .replaceAll("../fleet", `${own}/fleet`)
      .replaceAll(/^pulumi up/gm, "pulumi up --yes")
      .replaceAll(/^pulumi config set --secret/gm, `printf %s '${login}' | pulumi config set --secret`);
    const env = {
      ...project.env,
      PATH: process.env.PATH!,
      DOCKER_CONFIG: dockerConfigDir,
      KUBECONFIG: join(own, "kubeconfig"),
      PULUMI_HOME: join(own, "home"),
    };
    return exec("bash", ["-c", `set -eu\n${typed}`], { cwd: project.dir, env, timeout: 280_000 });
  };
  /** The commands below a heading that begins so, which must end well; what they print together. */
  const follow = async (heading: string) => {
    const commands = pageCommands(page).filter((one) => one.heading.startsWith(heading));
    assert.ok(commands.length > 0, heading);
    let printed = "";
    for (const { script } of commands) printed += (await expectSuccess(shell(script))).stdout;
    return printed;
  };
  const pod = (object: typeof badPod) =>
    tryPod({ folder: layout.bin, kubeconfig: cluster.kubeconfig, context: cluster.name }, object);
  let dockerConfigDir: string;

  before(async () => {
    registry = await startRegistry({ basic: true });
    dockerConfigDir = dockerConfig(registry.host);
    own = mkdtempSync(join(tmpdir(), "deliver-pages-"));
    mkdirSync(join(own, "home"));
    symlinkSync(join(process.env.PULUMI_HOME!, "plugins"), join(own, "home", "plugins"));
    const kubeconfig = readFileSync(cluster.kubeconfig, "utf8");
    // JSON is YAML: a context of the name that the page has, beside those that are there.
    const known = parse(kubeconfig);
    const { context } = known.contexts.find(({ name }: { name: string }) => name === cluster.name);
    known.contexts.push({ name: "europe", context });
    writeFileSync(join(own, "kubeconfig"), JSON.stringify(known), { mode: 0o600 });
    project = await createProject({});
    stack = await project.addStack("prod", {
      ...preparedPins(),
      "policy-platform:registry": { kind: "existing", address: registry.host },
    });
  });
  after(async () => {
    if (project) await shell("pulumi destroy --yes --skip-preview --stack prod");
    project?.remove();
    for (const dir of [own, dockerConfigDir]) if (dir) rmSync(dir, { recursive: true, force: true });
    await registry?.stop();
  });

  it("names it, says how it pulls, and has the policies ready there after one preview and one update", async () => {
    const [{ config }] = yamlOf(page) as [{ config: Record<string, unknown> }];
    // A namespace of its own, as others deliver to this cluster too.
    Object.assign((config["policy-platform:clusters"] as any).europe, { namespace: "page", createNamespace: true });
    stack.configure((all) => Object.assign(all, config));
    await follow("2. ");
    await expectSuccess(shell("npx policy-platform check --stack prod"));
    await follow("3. ");
    const { clusters, artifacts } = await stack.outputs();
    assert.deepEqual([clusters.europe.ready, clusters.europe.revision], [true, artifacts.production.digest]);
    assert.equal((await pod(badPod)).admitted, true);
  });

  it("keeps the login out of the stack file and of the state", async () => {
    const state = join(project.dir, ".local/state/.pulumi/stacks/policy-platform/prod.json");
    for (const file of [join(project.dir, "Pulumi.prod.yaml"), state])
      for (const secret of [login, Buffer.from(login).toString("base64")])
        assert.ok(!readFileSync(file, "utf8").includes(secret), file);
  });

  it("enforces by two lines, the artifact staying the same", async () => {
    const { artifacts } = await stack.outputs();
    await follow("4. ");
    assert.equal((await pod(badPod)).admitted, false);
    assert.equal((await pod(goodPod)).admitted, true);
    assert.deepEqual((await stack.outputs()).artifacts, artifacts);
  });

  it("writes the objects for a repository that says what a cluster has, which name the release by digest", async () => {
    stack.configure((all) => {
      const { pullSecret: _, ...settings } = all["policy-platform:clusters"].europe;
      all["policy-platform:clusters"].europe = { ...settings, secretRef: "registry-login" };
    });
    await follow("Commit the objects instead");
    const folder = join(own, "fleet/clusters/europe");
    const text = readdirSync(folder).map((name) => readFileSync(join(folder, name), "utf8"));
    assert.ok(text.join("\n").includes((await stack.outputs()).artifacts.production.digest));
  });

  it("leads to the page of a cluster without anything, whose kinds of Kyverno are rendered for Flux", async () => {
    const [existing, ...fromFlux] = yamlOf("how-to/deliver-to-a-new-cluster.md");
    const settings = existing!["policy-platform:clusters"].europe;
    assert.equal(fromFlux.length, 2);
    for (const { kyverno } of fromFlux as { kyverno: object }[]) {
      const europe = { ...settings, environment: "production", secretRef: "registry-login", kyverno };
      stack.configure((all) => {
        all["policy-platform:clusters"] = { europe };
      });
      await expectSuccess(shell("npx policy-platform check --stack prod"));
      const to = join(own, Object.keys(kyverno).join("-"));
      await expectSuccess(shell(`npx policy-platform render flux --stack prod --to ${to}`));
      const folder = join(to, "europe");
      const text = readdirSync(folder).map((name) => readFileSync(join(folder, name), "utf8"));
      assert.match(text.join("\n"), "chart" in kyverno ? /kind: HelmRelease/ : /kind: GitRepository/);
    }
  });
});

describe("the page for GKE", () => {
  it("asks for settings that the committed stack of production takes", () => {
    const projectDir = mkdtempSync(join(tmpdir(), "gke-page-"));
    const { raw } = fromStackFile(join(root, "Pulumi.prod.yaml"), "prod");
    const context = { stack: "prod", projectDir };
    try {
      const [registry, cluster] = yamlOf("how-to/deliver-to-gke.md");
      const settings = { ...(registry!.config as object), ...cluster };
      const keys = Object.entries(settings).map(([key, value]) => [key.replace("policy-platform:", ""), value]);
      const before = problemsOf(raw, context).map(({ key, what }) => `${key}: ${what}`);
      const after = problemsOf({ ...raw, ...Object.fromEntries(keys) }, context);
      assert.deepEqual(
        after.map(({ key, what }) => `${key}: ${what}`).filter((problem) => !before.includes(problem)),
        [],
      );
    } finally {
      rmSync(projectDir, { recursive: true });
    }
  });
});
