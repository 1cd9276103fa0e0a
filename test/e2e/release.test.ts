// The main line with the real tools: first release, nothing to do, one policy edited.
import assert from "node:assert/strict";
import { appendFileSync, cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { exec } from "../../lib/exec";
import { golden } from "../support/golden";
import { createProject, expectSuccess, type Project } from "../support/project";
import { startRegistry, type TestRegistry } from "../support/registry";
import { hasDockerCommand, type RunImageOptions, runImage } from "../support/runImage";
import { diffScreen, screen } from "../support/screen";
import { type ScriptedServer, startScriptedServer } from "../support/scriptedServer";

const edited = "policies/security-policy/policies/disallow-latest-tag.yaml";

describe("releasing the platform image", function () {
  this.timeout(180_000);
  let behind: TestRegistry;
  let registry: ScriptedServer; // counts every request, of the engine's builds as well
  let project: Project;
  let reference: string;

  before(async () => {
    behind = await startRegistry();
    registry = await startScriptedServer(() => "forward", { forwardTo: behind.host, keepBodies: false });
    project = await createProject(registry.host);
  });
  after(async () => {
    project?.remove();
    await registry?.stop();
    await behind?.stop();
  });

  const inspect = async (tag: string) => {
    const image = `docker://${registry.host}/releases/policy-platform:${tag}`;
    return JSON.parse((await expectSuccess(exec("skopeo", ["inspect", "--tls-verify=false", image]))).stdout);
  };
  const run = async (args: string[], options: RunImageOptions = {}) => {
    const result = await runImage(reference, args, { env: project.env, ...options });
    assert.equal(result.code, 0, `${args.join(" ")}\n${result.stdout}${result.stderr}`);
    return result.stdout;
  };

  /** With the image's own shell: a base need not have find. */
  const filesBelow = async (folder: string) => {
    const script = 'shopt -s globstar dotglob; for path in "$1"/**; do [[ -f $path ]] && echo "$path"; done; true';
    return (await run(["bash", "-c", script, "bash", folder])).trim().split("\n").sort();
  };

  it("previews the first release as v1.0.0 and writes nothing to the registry", async () => {
    const preview = await expectSuccess(project.pulumi("preview"));
    golden("screens/first-preview.golden", screen(preview.stdout, registry.host));
    const catalog = (await (await fetch(`http://${registry.host}/v2/_catalog`)).json()) as any;
    assert.deepEqual(catalog.repositories, []);
  });

  it("puts commit, version and latest on one digest that a foreign reader sees", async () => {
    await project.up();
    const outputs = await project.outputs();
    const { image, version, gate } = outputs;
    reference = image.reference;
    assert.equal(version, "v1.0.0");
    assert.deepEqual(shapeOf(outputs), {
      registry: "string",
      version: "string",
      image: { repository: "string", digest: "string", reference: "string", tags: ["string"], inputDigest: "string" },
      gate: { digest: "string", passed: "boolean", checks: [{ name: "string", status: "string", detail: "string" }] },
      artifacts: {},
      bundles: {},
      clusters: {},
      changes: { bump: "string", required: "string", entries: [], reason: "string" },
    });
    assert.equal(image.tags.length, 3);
    for (const tag of image.tags) assert.equal((await inspect(tag)).Digest, image.digest);
    assert.match(image.tags[0], /^sha-[0-9a-f]{12}-[0-9a-f]{8}$/);
    assert.equal(gate.digest, image.digest);
    assert.equal(gate.passed, true);
    assert.deepEqual(
      gate.checks.map(({ name, status }: any) => `${name} ${status}`),
      [
        ...["smoke: shell", "smoke: kyverno", "smoke: yq", "smoke: /repos/security-policy"],
        ...["policies: security-policy", "size", "tests: security-policy"],
      ].map((name) => `${name} passed`),
    );
  });

  it("gives an image whose tools print the pinned versions, without a network", async () => {
    for (const by of ["engine", "command"] as const) {
      if (by === "command" && !(await hasDockerCommand())) continue;
      assert.match(await run(["kyverno", "version"], { by }), /^Version: v?1\.13\.2$/m);
      assert.match(await run(["yq", "--version"], { by }), / v4\.54\.1$/m);
    }
  });

  it("gives an image with exactly the repository's policies, and not its tests", async () => {
    const listed = await filesBelow("/repos");
    const policies = (await exec("ls", [join(project.dir, "policies/security-policy/policies")])).stdout
      .trim()
      .split("\n");
    assert.deepEqual(listed, policies.map((name) => `/repos/security-policy/policies/${name}`).sort());
  });

  it("gives an image in which the documented kyverno line applies every rule", async () => {
    const pod = JSON.stringify({
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "a" },
      spec: { containers: [{ name: "a", image: "nginx" }] },
    });
    const apply = ["kyverno", "apply", "/repos/security-policy/", "--resource", "-"];
    // Kyverno ends with 1 when a policy fails, as some do here.
    const { code, stdout: screen } = await runImage(reference, apply, { env: project.env, input: pod });
    assert.equal(code, 1, screen);
    assert.match(screen, /^Applying 44 policy rule\(s\) to 1 resource\(s\)\.\.\.$/m);
    assert.match(screen, /^pass: \d+, fail: [1-9]\d*, warn: 0, error: 0, skip: 0/m);
  });

  it("changes nothing in the second run, and sends the registry no request that writes", async () => {
    const asked = registry.requests.length;
    const up = await project.up("--expect-no-changes");
    assert.match(up.stdout, /16 unchanged/);
    const preview = await expectSuccess(project.pulumi("preview", "--expect-no-changes"));
    golden("screens/unchanged-preview.golden", screen(preview.stdout, registry.host));
    const methods = registry.requests.slice(asked).map(({ method }) => method);
    assert.ok(methods.length > 0);
    assert.deepEqual(
      methods.filter((method) => method !== "GET" && method !== "HEAD"),
      [],
    );
  });

  it("previews an edited policy as one pin line, the next version and the few resources that change", async () => {
    appendFileSync(join(project.dir, edited), "# reviewed\n");
    const preview = await expectSuccess(project.pulumi("preview"));
    golden("screens/edited-policy.golden", screen(preview.stdout, registry.host));
    const diff = await expectSuccess(project.pulumi("preview", "--diff"));
    // with --diff the engine writes the lines of the program to stderr
    golden("screens/edited-policy-diff.golden", diffScreen(diff.stderr + diff.stdout, registry.host));
  });

  it("publishes just that edit, and leaves the version before where it was", async () => {
    const before = await inspect("v1.0.0");
    await project.up();
    const { version, image, changes } = await project.outputs();
    assert.equal(version, "v1.0.1");
    assert.equal((await inspect("v1.0.1")).Digest, image.digest);
    assert.equal((await inspect("latest")).Digest, image.digest);
    assert.equal((await inspect("v1.0.0")).Digest, before.Digest);
    assert.equal(changes.required, "patch");
    assert.deepEqual(
      changes.entries.map(({ name }: any) => name),
      ["policies.security-policy"],
    );
    assert.deepEqual(shapeOf(changes), {
      bump: "string",
      required: "string",
      entries: [{ kind: "string", name: "string", from: "string", to: "string", bump: "string", text: "string" }],
      reason: "string",
    });
    const moved = (await inspect("v1.0.1")).Layers.filter((layer: string) => !before.Layers.includes(layer));
    assert.equal(moved.length, 1);
    await project.up("--expect-no-changes");
  });

  it("takes another folder of policies (a sample's policy under a new name), with tests and other YAML beside them, by one line", async () => {
    const team = join(project.dir, "policies/team");
    mkdirSync(join(team, ".kyverno-test"), { recursive: true });
    cpSync(join(project.dir, edited), join(team, "policy.yaml"));
    writeFileSync(
      join(team, "policy.yaml"),
      readFileSync(join(team, "policy.yaml"), "utf8").replace("name: disallow-latest-tag", "name: team-latest"),
    );
    writeFileSync(
      join(team, ".kyverno-test/kyverno-test.yaml"),
      [
        "apiVersion: cli.kyverno.io/v1alpha1",
        "kind: Test",
        "metadata: {name: team}",
        "policies: [../policy.yaml]",
        "resources: [pod.yaml]",
        "results: [{policy: team-latest, rule: image-tag, kind: Pod, result: pass, resources: [team]}]",
        "",
      ].join("\n"),
    );
    const pod = "spec: {containers: [{name: a, image: 'registry.example.com/a:1.0.0'}]}";
    writeFileSync(join(team, ".kyverno-test/pod.yaml"), `apiVersion: v1\nkind: Pod\nmetadata: {name: team}\n${pod}\n`);
    writeFileSync(join(team, "values.yaml"), "replicas: 2\n");
    await expectSuccess(
      project.pulumi("config", "set", "--path", "policy-platform:policies.team.folder", "policies/team"),
    );
    await project.up();
    const { version, image } = await project.outputs();
    reference = image.reference;
    assert.equal(version, "v1.1.0");
    const listed = await filesBelow("/repos/team");
    assert.deepEqual(listed, ["/repos/team/policy.yaml", "/repos/team/values.yaml"]);
    await project.up("--expect-no-changes");
  });

  it("asks for a major version when kyverno is raised, and says why before anything happens", async () => {
    project.configure((config) => {
      config["policy-platform:tools"].kyverno.version = "1.14.0";
    });
    const { stdout } = await expectSuccess(project.pulumi("preview"));
    assert.match(stdout, /tools kyverno: 1\.13\.2 → 1\.14\.0 \(tool upgrade\)/);
    assert.match(stdout, /v1\.1\.0 → v2\.0\.0 \(tool upgrade\)/);
    project.configure((config) => {
      config["policy-platform:tools"].kyverno.version = "1.13.2";
      config["policy-platform:version"] = "v1.1.1";
    });
    await project.up();
    project.configure((config) => {
      config["policy-platform:tools"].kyverno.version = "1.14.0";
      config["policy-platform:version"] = "v1.2.0";
    });
    const { code, stdout: refusal } = await project.pulumi("preview");
    assert.notEqual(code, 0);
    assert.match(
      refusal,
      /version v1\.2\.0 is too low: the last release is v1\.1\.1 \(since then: tool upgrade\); .* at least v2\.0\.0/,
    );
  });
});

/** Every key of a document with the type of its value; of a list, what its items have in common with the first. */
function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.length === 0 ? [] : [shapeOf(value[0])];
  if (typeof value !== "object" || value === null) return value === null ? "null" : typeof value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, shapeOf(item)]));
}
