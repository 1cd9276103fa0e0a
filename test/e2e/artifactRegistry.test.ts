// stand-in: the repositories of Artifact Registry are records of the closed-network plugin, and what is pushed goes to a registry on
// loopback. Engine, program, plugin protocol and everything else are real: the first `up` when nothing exists, and what follows.
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { createProject, expectSuccess, type Project } from "../support/project";
import { startRegistry, type TestRegistry } from "../support/registry";
import { type ScriptedServer, startScriptedServer } from "../support/scriptedServer";
import { smallConfiguration } from "../support/smallStack";

const place = "google-cloud/acme-policy/europe-west1";
const flux = "serviceAccount:flux@acme-prod.iam.gserviceaccount.com";
const ci = "principalSet://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/ci/*";

describe("stand-in: a registry in Artifact Registry", function () {
  this.timeout(300_000);
  let behind: TestRegistry;
  let registry: ScriptedServer;
  let project: Project;
  /** What the repositories of the stack answer instead of their content. */
  let denied: 401 | 403 | 500 | undefined;
  /** The configuration of the stack while it built. */
  let building: Record<string, any>;

  before(async () => {
    behind = await startRegistry();
    const answer = ({ path }: { path: string }) =>
      denied !== undefined && path.startsWith("/v2/policy-")
        ? { status: denied, body: '{"errors":[{"code":"DENIED","message":"or it may not exist"}]}' }
        : ("forward" as const);
    registry = await startScriptedServer(answer, { forwardTo: behind.host, keepBodies: false });
    const configuration = await smallConfiguration(registry.host);
    project = await createProject({
      ...configuration,
      "policy-platform:registry": {
        kind: "artifactRegistry",
        project: "acme-policy",
        location: "europe-west1",
        address: registry.host,
        labels: { team: "platform" },
        cleanup: { olderThan: "14d" },
        readers: [flux],
        writers: [ci],
      },
    });
  });
  after(async () => {
    project?.remove();
    await registry?.stop();
    await behind?.stop();
  });

  const records = () => join(project.dir, ".local", place);
  const made = () =>
    readdirSync(records())
      .filter((name) => existsSync(join(records(), name, "repository.json")))
      .sort();
  const record = (name: string) => JSON.parse(readFileSync(join(records(), name, "repository.json"), "utf8"));
  const setRegistry = (change: Record<string, unknown>) =>
    project.configure((config) => {
      config["policy-platform:registry"] = { ...config["policy-platform:registry"], ...change };
    });
  /** The stack file then promotes what the stack released itself; the result is what it said before. */
  const turnToPromoting = async () => {
    const { version, image } = await project.outputs();
    let before: Record<string, any> = {};
    project.configure((config) => {
      before = { ...config };
      const { cleanup: _, ...kept } = config["policy-platform:registry"];
      for (const key of Object.keys(config)) delete config[key];
      const commit = image.tags[0].replace("sha-", "");
      const from = `${registry.host}/dev/releases/policy-platform`;
      config["policy-platform:registry"] = kept;
      config["policy-platform:promotion"] = { from, version, digest: image.digest, commit };
    });
    return before;
  };
  const fails = async (message: RegExp, ...args: string[]) => {
    const { code, stdout, stderr } = await project.pulumi(...args);
    assert.notEqual(code, 0, stdout);
    assert.match(stdout + stderr, message);
    return stdout + stderr;
  };
  const up = ["up", "--yes", "--skip-preview"];

  for (const status of [403, 401] as const) {
    it(`is previewed before it exists, where ${status} is what a repository that is not there answers`, async () => {
      denied = status;
      const { stdout } = await expectSuccess(project.pulumi("preview"));
      assert.match(stdout, /\+ +gcp:artifactregistry:Repository registry-releases create/);
      assert.match(
        stdout,
        new RegExp(`the registry ${registry.host} is not created yet, or not all of it: pulumi up creates it`),
      );
      assert.match(
        stdout,
        /policy-releases\/policy-platform may not be read: not created yet, or no permission; it counts as empty here/,
      );
      assert.match(stdout, /v1\.0\.0 \(first release\)/);
      assert.equal(existsSync(records()), false, "a preview made something");
    });
  }

  it("is not previewed past a registry that does not answer, created or not", async () => {
    denied = 500;
    await fails(/registry answered 500/, "preview");
  });

  it("refuses immutable tags in the preview, as a release moves latest", async () => {
    denied = undefined;
    setRegistry({ immutableTags: true });
    const screen = await fails(/latest would be written, and registry\.immutableTags is on/, "preview");
    assert.match(screen, /pulumi config set --path policy-platform:registry\.immutableTags false --stack local/);
    setRegistry({ immutableTags: undefined });
  });

  it("is made by the first `up`, when nothing exists yet, before anything is pushed to it", async () => {
    denied = undefined;
    await project.up();
    assert.deepEqual(readdirSync(records()).sort(), ["policy-candidates", "policy-layers", "policy-releases"]);
    const { image, registry: address } = await project.outputs();
    assert.equal(address, registry.host);
    assert.equal(image.repository, `${registry.host}/policy-releases/policy-platform`);
    assert.deepEqual(record("policy-releases").inputs.labels, { team: "platform" });
    assert.equal(record("policy-releases").inputs.cleanupPolicies, undefined);
    assert.equal(record("policy-candidates").inputs.cleanupPolicyDryRun, true);
    const members = (name: string) =>
      readdirSync(join(records(), name, "members"))
        .map((file) => JSON.parse(readFileSync(join(records(), name, "members", file), "utf8")).inputs)
        .map(({ role, member }) => `${role} ${member}`)
        .sort();
    const [reads, writes] = [`roles/artifactregistry.reader ${flux}`, `roles/artifactregistry.writer ${ci}`];
    assert.deepEqual(members("policy-candidates"), [writes]);
    assert.deepEqual(members("policy-layers"), [reads, writes]);
    assert.deepEqual(members("policy-releases"), [reads, writes]);
  });

  it("says of 403 that it is a matter of permission or of creation, once it is created, and goes on no further", async () => {
    denied = 403;
    await fails(/registry answered 403 .*: no permission, or not created yet;/, "preview");
    denied = undefined;
  });

  it("is not touched by a second run, nor by a refresh", async () => {
    await expectSuccess(project.pulumi("preview", "--expect-no-changes"));
    await expectSuccess(project.pulumi("refresh", "--yes", "--expect-no-changes"));
    await project.up("--expect-no-changes");
  });

  it("protects layers and releases, and retains them, and candidates neither", async () => {
    const { stdout } = await expectSuccess(project.pulumi("stack", "export"));
    const resources: Record<string, any>[] = JSON.parse(stdout).deployment.resources;
    const repositories = resources.filter(({ type }) => type === "gcp:artifactregistry/repository:Repository");
    assert.deepEqual(
      Object.fromEntries(
        repositories.map(({ urn, protect, retainOnDelete }) => [
          urn.split("::").at(-1),
          [protect ?? false, retainOnDelete ?? false],
        ]),
      ),
      {
        "registry-candidates": [false, false],
        "registry-layers": [true, true],
        "registry-releases": [true, true],
      },
    );
  });

  it("is changed in place where Google Cloud can, and only there", async () => {
    setRegistry({ labels: { team: "security" }, cleanup: { olderThan: "30d", keep: 3, dryRun: false } });
    const { stdout } = await expectSuccess(project.pulumi("preview", "--diff"));
    assert.match(stdout, /~ team: "platform" => "security"/);
    assert.match(stdout, /~ olderThan *: "1209600s" => "2592000s"/);
    await project.up();
    assert.equal(record("policy-candidates").inputs.cleanupPolicyDryRun, false);
    await expectSuccess(project.pulumi("preview", "--expect-no-changes"));

    setRegistry({ location: "us" });
    await fails(
      /unable to replace resource .*registry-(layers|releases).* as it is currently marked for protection/s,
      "preview",
    );
    setRegistry({ location: "europe-west1" });
  });

  it("is missed by `preview --refresh` when it is deleted behind Pulumi's back, and made again", async () => {
    rmSync(join(records(), "policy-layers"), { recursive: true });
    const { stdout } = await expectSuccess(project.pulumi("preview", "--refresh"));
    assert.match(stdout, /\+ +gcp:artifactregistry:Repository registry-layers create/);
    assert.match(stdout, /is not created yet, or not all of it/);
    await expectSuccess(project.pulumi("up", "--yes", "--refresh", "--skip-preview"));
    assert.ok(existsSync(join(records(), "policy-layers", "repository.json")));
  });

  it("is not destroyed with the stack: the engine names what is protected", async () => {
    await fails(/registry-(layers|releases).*protect/s, "destroy", "--yes", "--skip-preview");
    for (const kept of ["policy-layers", "policy-releases"])
      assert.ok(existsSync(join(records(), kept, "repository.json")), kept);
  });

  it("stays in the project when its protection is taken off, as it is retained", async () => {
    await expectSuccess(project.pulumi("state", "unprotect", "--all", "--yes"));
    await expectSuccess(project.pulumi("destroy", "--yes", "--skip-preview"));
    assert.deepEqual(made(), ["policy-layers", "policy-releases"]);
  });

  it("is not taken over without a word when it is there already, and the error's line imports it", async () => {
    const screen = await fails(
      /409: projects\/acme-policy\/locations\/europe-west1\/repositories\/policy-(layers|releases) is there already/,
      ...up,
    );
    assert.doesNotMatch(screen, /\n\s+at .*\(.*:\d+:\d+\)/, "a user sees a sentence, not a stack");
    // One of the two is named, as the engine stops at the first failure; then the other one is.
    for (let named = screen; ; ) {
      const [, line] = /; pulumi (import gcp:[^;]+) --stack local; or choose/.exec(named)!;
      await expectSuccess(project.pulumi(...line!.split(" "), "--yes", "--generate-code=false", "--skip-preview"));
      const next = await project.pulumi(...up);
      if (next.code === 0) break;
      named = next.stdout + next.stderr;
      assert.match(named, /409: /);
    }
    await expectSuccess(project.pulumi("preview", "--expect-no-changes"));
  });

  it("lets the layers of a stack go that turns to promoting, by the line that it says, and they stay in the project", async () => {
    building = await turnToPromoting();
    const refusal = /registry-layers.* cannot be deleted|cannot be deleted.*protect/s;
    setRegistry({ protect: false });
    await fails(refusal, "preview"); // It comes too late, in the same change.
    setRegistry({ protect: undefined });
    const screen = await fails(refusal, "preview");
    assert.match(screen, /policy-layers leaves this stack, .* it stays in Google Cloud/);
    const [, urn] = /: pulumi state unprotect '(\S+)' --stack local/.exec(screen)!;
    await expectSuccess(project.pulumi("state", "unprotect", urn!, "--yes"));
    await project.up();
    assert.deepEqual(made(), ["policy-layers", "policy-releases"]);
    const { stdout } = await expectSuccess(project.pulumi("preview", "--expect-no-changes"));
    assert.doesNotMatch(stdout, /leaves this stack/);
  });

  it("is deleted with its releases by a destroy, once an `up` has said protect: false, and what left the stack before is not", async () => {
    setRegistry({ protect: false });
    await project.up();
    assert.deepEqual(made(), ["policy-layers", "policy-releases"]);
    await expectSuccess(project.pulumi("destroy", "--yes", "--skip-preview"));
    assert.deepEqual(made(), ["policy-layers"]);
  });

  it("lets everything but releases go, as it says, when it was brought up with protect: false before it promotes", async () => {
    rmSync(records(), { recursive: true });
    project.configure((config) => {
      for (const key of Object.keys(config)) delete config[key];
      Object.assign(config, building);
    });
    setRegistry({ protect: false });
    await project.up();
    assert.deepEqual(made(), ["policy-candidates", "policy-layers", "policy-releases"]);
    await turnToPromoting();
    const { stdout } = await project.up();
    assert.match(stdout, /policy-layers leaves this stack.* protect: false, which deletes it now/);
    assert.deepEqual(made(), ["policy-releases"]);
  });
});
