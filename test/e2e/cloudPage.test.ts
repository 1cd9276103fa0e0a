// The page that sets stacks dev and prod up on Google Cloud: its lines for Pulumi and for this program, as they are written there.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Document, parseDocument } from "yaml";
import { type ExecResult, exec } from "../../lib/exec";
import { createProject, expectSuccess, type Project } from "../support/project";
import { startRegistry, type TestRegistry } from "../support/registry";
import { smallConfiguration } from "../support/smallStack";

const root = join(__dirname, "..", "..");
const page = readFileSync(join(root, "docs/how-to/set-up-on-google-cloud.md"), "utf8");

/**
 * The blocks below a heading, without those for `gcloud`. A folder stands in place of each bucket, a passphrase of each key, the
 * checkout's own command of what `npx` finds after `npm ci`, and nobody is there to be asked.
 */
function linesOf(heading: RegExp): string {
  const section = page.split(/^## /m).find((text) => heading.test(text))!;
  const blocks = [...section.matchAll(/^```bash\n(.*?)^```$/gms)].map(([, text]) => text!);
  return blocks
    .filter((text) => !/^\s*gcloud /m.test(text))
    .join("")
    .replaceAll(/gs:\/\/(\$\w+)-policy-state/g, "file://$STATES/$1")
    .replaceAll(/--secrets-provider "gcpkms:[^"]*"/g, "--secrets-provider passphrase")
    .replaceAll("npx policy-platform", "node dist/cli/policy-platform.js")
    .replaceAll(/^pulumi up/gm, "pulumi up --yes");
}

describe("stand-in: the page that sets up Google Cloud, with records for repositories and registries on loopback", function () {
  this.timeout(300_000);
  let dev: TestRegistry;
  let prod: TestRegistry;
  let project: Project;
  let states: string;

  before(async () => {
    dev = await startRegistry();
    prod = await startRegistry();
    states = mkdtempSync(join(tmpdir(), "policy-states-"));
    for (const name of ["acme-dev", "acme-prod"]) mkdirSync(join(states, name));
    const small = (await smallConfiguration(dev.host)) as Record<string, any>;
    project = await createProject(small);
    project.write(
      "Pulumi.dev.yaml",
      committed("dev", dev.host, (file) => repin(file, small)),
    );
    project.write("Pulumi.prod.yaml", committed("prod", prod.host));
    const origin = join(states, "origin.git");
    await expectSuccess(exec("git", ["init", "--quiet", "--bare", origin]));
    await expectSuccess(exec("git", ["remote", "add", "origin", origin], { cwd: project.dir, env: project.env }));
    await project.commit("Add the stacks");
  });
  after(async () => {
    project?.remove();
    rmSync(states, { recursive: true, force: true });
    await prod?.stop();
    await dev?.stop();
  });

  /** The committed file with the overridden address. */
  function committed(stack: string, address: string, change: (file: Document) => void = () => undefined): string {
    const file = parseDocument(readFileSync(join(root, `Pulumi.${stack}.yaml`), "utf8"));
    file.setIn(["config", "policy-platform:registry", "address"], address);
    change(file);
    return file.toString({ lineWidth: 0, flowCollectionPadding: false });
  }

  /** What stack dev builds is the small image of the tests. */
  function repin(file: Document, { "policy-platform:registry": _, ...pins }: Record<string, any>): void {
    for (const key of ["gate", "artifacts"]) file.deleteIn(["config", `policy-platform:${key}`]);
    for (const [key, value] of Object.entries(pins)) file.setIn(["config", key], file.createNode(value));
  }

  /** What a reader's shell prints; the names at the top of the page come first. */
  const shell = (script: string): Promise<ExecResult> =>
    exec("bash", ["-c", `set -eu\n${/^DEV=.*?(?=^REPOSITORY_ID)/ms.exec(page)![0]}\n${script}`], {
      cwd: project.dir,
      env: { ...process.env, ...project.env, STATES: states } as Record<string, string>,
      timeout: 200_000,
    });
  const inBackend = (of: "DEV" | "PROD", script: string) =>
    shell(`export PULUMI_BACKEND_URL="file://$STATES/$${of}"\n${script}`);
  const fileOf = (stack: string) => readFileSync(join(project.dir, `Pulumi.${stack}.yaml`), "utf8");
  const digestAt = async (host: string) => {
    const image = `docker://${host}/policy-releases/policy-platform:v1.0.0`;
    const args = ["inspect", "--tls-verify=false", "--format", "{{.Digest}}", image];
    return (await expectSuccess(exec("skopeo", args))).stdout.trim();
  };

  it("inits stack dev once: the engine's own line comes to the file, nothing else of it changes, and it is pushed for review", async () => {
    const before = fileOf("dev");
    const { stdout } = await expectSuccess(shell(linesOf(/^5\. Init/)));
    assert.match(stdout, /\+encryptionsalt: /);
    const [added, ...others] = fileOf("dev").replace(before, "").trim().split("\n");
    assert.match(added!, /^encryptionsalt: v1:/);
    assert.deepEqual(others, []);
  });

  it("names the accounts in the file, previews a registry that is not there, and makes the first release", async () => {
    await expectSuccess(inBackend("DEV", linesOf(/^6\. The stack files/)));
    await project.commit("Name the accounts");
    const [preview, ...up] = linesOf(/^7\. The first preview/).split(/^(?=pulumi up)/m);
    const { stdout } = await expectSuccess(inBackend("DEV", preview!));
    assert.match(stdout, /the registry 127\.0\.0\.1:\d+ is not created yet, or not all of it: pulumi up creates it/);
    assert.match(stdout, /v1\.0\.0 \(first release\)/);
    const released = await expectSuccess(inBackend("DEV", up.join("")));
    assert.ok(
      released.stdout.includes(`"reference":"${dev.host}/policy-releases/policy-platform@${await digestAt(dev.host)}"`),
    );
    assert.deepEqual(membersOf("acme-dev", "policy-releases"), [
      "reader policy-preview@acme-dev",
      "reader policy-preview@acme-prod",
      "reader policy-release@acme-prod",
      "writer policy-release@acme-dev",
    ]);
  });

  it("cleans candidates up, and sees no drift after it", async () => {
    await expectSuccess(inBackend("DEV", `${linesOf(/^8\. Clean up/)}\n${linesOf(/^9\. A drift job/)}`));
    const { inputs } = record("acme-dev", "policy-candidates");
    assert.equal(inputs.cleanupPolicyDryRun, false);
    assert.equal(record("acme-dev", "policy-releases").inputs.cleanupPolicies, undefined);
  });

  it("promotes to prod: the same digest, in the one repository that a promotion has", async () => {
    await project.commit("Clean candidates up");
    await expectSuccess(shell(linesOf(/^10\. Stack prod/)));
    assert.equal(await digestAt(prod.host), await digestAt(dev.host));
    assert.deepEqual(readdirSync(join(project.dir, ".local/google-cloud/acme-prod/europe-west1")), ["policy-releases"]);
    assert.match(fileOf("prod"), new RegExp(`from: "?${dev.host}/policy-releases/policy-platform`));
  });

  it("starts again beside what is there when the state is lost", async () => {
    rmSync(join(states, "acme-prod", ".pulumi"), { recursive: true });
    await expectSuccess(inBackend("PROD", "pulumi stack init prod --secrets-provider passphrase"));
    const { code, stdout, stderr } = await inBackend("PROD", "pulumi up --stack prod --yes");
    assert.notEqual(code, 0);
    assert.match(stdout + stderr, /409: .*policy-releases is there already/);
    const again = await expectSuccess(inBackend("PROD", linesOf(/^When the state is lost/)));
    assert.match(again.stdout, /v1\.0\.0 \([0-9a-f]{12}\) is promoted: nothing to do/);
  });

  const folderOf = (cloud: string, repository: string) =>
    join(project.dir, ".local/google-cloud", cloud, "europe-west1", repository);
  const record = (cloud: string, repository: string) =>
    JSON.parse(readFileSync(join(folderOf(cloud, repository), "repository.json"), "utf8"));
  const membersOf = (cloud: string, repository: string) =>
    readdirSync(join(folderOf(cloud, repository), "members"))
      .map((file) => JSON.parse(readFileSync(join(folderOf(cloud, repository), "members", file), "utf8")).inputs)
      .map(({ role, member }) => `${role.split(".")[1]} ${/:(.*)\.iam/.exec(member)![1]}`)
      .sort();
});
