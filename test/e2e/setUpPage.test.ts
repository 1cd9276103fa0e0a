// The page that sets up a stack: the lines that init one, pin it from nothing, release it and take it down, as they are written there.
import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "yaml";
import { type ExecResult, exec } from "../../lib/exec";
import { RegistryClient } from "../../lib/oci/client";
import { copyGraph } from "../../lib/oci/copy";
import { parsePinned, parseRepository } from "../../lib/oci/reference";
import { catalogue } from "../../lib/pins/catalogue";
import { createProject, expectSuccess, type Project, preparedPins } from "../support/project";
import { startRegistry, type TestRegistry } from "../support/registry";
import { type ReleaseServer, startReleaseServer } from "../support/releaseServer";
import { type ScriptedServer, startScriptedServer } from "../support/scriptedServer";

const page = readFileSync(join(__dirname, "..", "..", "docs/how-to/set-up-a-stack.md"), "utf8");

/** The blocks below a heading, up to the next one of any depth. */
function blocksOf(heading: RegExp): string[] {
  const section = page.split(/^##+ /m).find((text) => heading.test(text))!;
  return [...section.matchAll(/^```bash\n(.*?)^```$/gms)].map(([, text]) => text!);
}

describe("stand-in: the page that sets up a stack, with a registry and the makers' releases on loopback", function () {
  this.timeout(300_000);
  let behind: TestRegistry;
  let registry: ScriptedServer; // counts every request
  let releases: ReleaseServer;
  let project: Project;
  let own: string;
  /** Outputs of the stack when it had released. */
  let released: Record<string, any>;

  before(async () => {
    behind = await startRegistry();
    registry = await startScriptedServer(() => "forward", { forwardTo: behind.host, keepBodies: false });
    const { digest, ...from } = parsePinned(preparedPins()["policy-platform:base"].image);
    const to = parseRepository(`${behind.host}/layers/base`);
    const client = new RegistryClient();
    await copyGraph(client, { from, to, digest });
    const { bytes, mediaType } = (await client.manifest(to, digest))!;
    await client.putManifest(to, "12", bytes, mediaType);
    releases = await startReleaseServer({
      kyverno: catalogue.kyverno!.url("1.13.2"),
      yq: catalogue.yq!.url("4.54.1"),
    });
    project = await createProject({});
    own = mkdtempSync(join(tmpdir(), "set-up-page-"));
    for (const name of ["state", "cache", "elsewhere", "home"]) mkdirSync(join(own, name));
    // A login and a selection of its own, with the plugins that are there.
    symlinkSync(join(process.env.PULUMI_HOME!, "plugins"), join(own, "home", "plugins"));
  });
  after(async () => {
    project?.remove();
    if (own) rmSync(own, { recursive: true, force: true });
    await releases?.stop();
    await registry?.stop();
    await behind?.stop();
  });

  /**
   * What a reader's shell prints. A folder stands in place of the bucket, a passphrase of the key, and the checkout's own command of
   * what `npx` finds after `npm ci`; what is downloaded has the makers' addresses, not their bytes, and a cache of its own.
   */
  const shell = (script: string, cwd = project.dir): Promise<ExecResult> =>
    exec(
      "bash",
      [
        "-c",
        `set -eu\n${script
          .replaceAll(/^npm ci .*\n/gm, "")
          .replaceAll("gs://BUCKET", `file://${own}/state`)
          .replaceAll(/gcpkms:\S+/g, "passphrase")
          .replaceAll("registry.example.com", registry.host)
          .replaceAll("npx policy-platform", "node dist/cli/policy-platform.js")
          .replaceAll(/^pulumi (up|destroy)/gm, "pulumi $1 --yes")}`,
      ],
      { cwd, env: environment(), timeout: 280_000 },
    );
  const environment = () => {
    const { PULUMI_BACKEND_URL: _, ...others } = { ...process.env, ...project.env };
    return { ...others, PULUMI_HOME: join(own, "home"), XDG_CACHE_HOME: join(own, "cache") } as Record<string, string>;
  };
  const file = () => join(project.dir, "Pulumi.dev.yaml");
  const writesSince = (before: number) =>
    registry.requests.slice(before).filter(({ method }) => !/^(GET|HEAD)$/.test(method));

  it("inits the stack, selects it, and writes the line that every other checkout needs", async () => {
    const [init, others] = blocksOf(/^2\. Init/);
    await expectSuccess(shell(init!));
    assert.match(readFileSync(file(), "utf8"), /^encryptionsalt: v1:/);
    await expectSuccess(shell(others!));
  });

  it("is pinned from nothing, after which check finds nothing that is wrong", async () => {
    const [block] = blocksOf(/^3\. Its pins/);
    const [check, ...lines] = block!.trim().split("\n").reverse();
    assert.equal(check, "npx policy-platform check");
    assert.notEqual((await shell(check)).code, 0, "nothing is pinned yet");
    await expectSuccess(shell(mirrorLines()));
    await expectSuccess(shell(lines.reverse().join("\n")));
    const { stdout, stderr } = await expectSuccess(shell(check));
    assert.match(stdout + stderr, /✔/);
    const { config } = parse(readFileSync(file(), "utf8"));
    assert.equal(config["policy-platform:version"], "auto");
    assert.match(config["policy-platform:base"].image, /\/layers\/base:12@sha256:[0-9a-f]{64}$/);
    assert.deepEqual(Object.keys(config["policy-platform:tools"]), ["kyverno", "yq"]);
  });

  it("is previewed, and releases its first version", async () => {
    const [block] = blocksOf(/^4\. Preview, release/);
    const { stdout } = await expectSuccess(shell(block!));
    assert.match(stdout, /v1\.0\.0 \(first release\)/);
    released = await outputs();
    assert.equal(released.version, "v1.0.0");
    assert.equal(released.image.repository, `${registry.host}/platform/releases/policy-platform`);
  });

  it("is not destroyed out of another folder, where the engine looks for the plugin on the internet, and nothing is lost by that", async () => {
    const line = "pulumi destroy --stack organization/policy-platform/dev";
    assert.ok(page.includes(`\`${line}\``));
    // No machine of a test reaches the internet, so that it fails alike everywhere.
    const nowhere = "export HTTPS_PROXY=http://127.0.0.1:9";
    const { code, stdout, stderr } = await shell(`${nowhere}\n${line}`, join(own, "elsewhere"));
    assert.notEqual(code, 0);
    assert.match(stdout + stderr, /could not find latest version for provider\s+policychain/);
    assert.deepEqual(await outputs(), released);
    await expectSuccess(shell("pulumi preview --expect-no-changes"));
  });

  it("is destroyed in the project's folder, or named by -C, without a request that writes or deletes", async () => {
    const before = registry.requests.length;
    await expectSuccess(shell(`pulumi destroy -C ${project.dir} --stack dev`, join(own, "elsewhere")));
    assert.deepEqual(writesSince(before), []);
    assert.deepEqual(await outputs(), {});
  });

  it("adopts what it finds when it is brought up again", async () => {
    const before = registry.requests.length;
    await expectSuccess(shell("pulumi up"));
    const { image, version } = await outputs();
    assert.deepEqual([image, version], [released.image, "v1.0.0"]);
    assert.deepEqual(
      writesSince(before).filter(({ path }) => path.includes("/releases/")),
      [],
    );
  });

  it("takes its file along when it is removed, unless it is told to keep it", async () => {
    await expectSuccess(shell("pulumi destroy\npulumi stack rm dev --preserve-config --yes"));
    assert.ok(existsSync(file()));
    await expectSuccess(shell("pulumi stack init dev --secrets-provider passphrase\npulumi stack rm dev --yes"));
    assert.equal(existsSync(file()), false);
  });

  const outputs = async () => JSON.parse((await expectSuccess(shell("pulumi stack output --json --stack dev"))).stdout);
  const mirrorLines = () =>
    Object.entries(releases.mirrors)
      .map(([host, url]) => `pulumi config set --path 'policy-platform:mirrors["${host}"]' ${url}`)
      .join("\n");
});
