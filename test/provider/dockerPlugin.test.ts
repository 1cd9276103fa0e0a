// The closed-network plugin `docker` under the real Pulumi engine and SDK, with a real Docker engine and registry.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { RegistryClient } from "../../lib/oci/client";
import { parseReference } from "../../lib/oci/reference";
import { pushFiles, shellFiles, startDockerEngine, type TestEngine } from "../support/dockerEngine";
import { startRegistry, type TestRegistry } from "../support/registry";

const root = join(__dirname, "..", "..");
const program = `
const { readFileSync } = require("node:fs");
require(${JSON.stringify(join(root, "components/lightSdk"))});
const pulumi = require("@pulumi/pulumi");
const { Image } = require("@pulumi/docker/image");
const { password, ...args } = JSON.parse(readFileSync("args.json", "utf8"));
const registry = password && { server: args.imageName.split("/")[0], username: "tester", password: pulumi.secret(password) };
const image = new Image("image", { ...args, registry }, { replaceOnChanges: ["imageName"] });
module.exports = { repoDigest: image.repoDigest, imageName: image.imageName, baseImageName: image.baseImageName, dockerfile: image.dockerfile, context: image.context, platform: image.platform, registryServer: image.registryServer };
`;

describe("the closed-network plugin docker", function () {
  this.timeout(120_000);
  let docker: TestEngine;
  let registry: TestRegistry;
  let closed: TestRegistry;
  let base: string;
  let dir: string;
  const client = new RegistryClient({
    credentials: {
      find: async (host) => (host === closed.host ? { username: "tester", password: "secret" } : undefined),
    },
  });
  const made = new Set<string>();

  before(async () => {
    [docker, registry, closed] = await Promise.all([
      startDockerEngine(),
      startRegistry(),
      startRegistry({ basic: true }),
    ]);
    base = await pushFiles(client, `${registry.host}/layers/base`, shellFiles());
    const plugin = join(root, "dist/plugins/docker/pulumi-resource-docker");
    assert.ok(existsSync(plugin), "the plugin is not built: npm run prepare");
    dir = mkdtempSync(join(tmpdir(), "docker-plugin-"));
    const home = join(dir, "home/plugins/resource-docker-v5.2.0");
    mkdirSync(home, { recursive: true });
    copyFileSync(plugin, join(home, "pulumi-resource-docker"));
    mkdirSync(join(dir, "node_modules"));
    symlinkSync(join(root, "node_modules/@pulumi"), join(dir, "node_modules/@pulumi"));
    mkdirSync(join(dir, "context"));
    writeFileSync(join(dir, "Pulumi.yaml"), "name: program\nruntime: nodejs\nmain: index.js\n");
    writeFileSync(join(dir, "package.json"), "{}");
    writeFileSync(join(dir, "index.js"), program);
    writeFileSync(join(dir, "passphrase"), "passphrase");
    dockerfile("LABEL n=1");
    await pulumi(0, "stack", "init", "test");
  });
  after(async () => {
    for (const name of made) await docker.engine.removeImage(name);
    await Promise.all([registry.stop(), closed.stop(), docker.stop()]);
    rmSync(dir, { recursive: true });
  });

  const dockerfile = (...lines: string[]) =>
    writeFileSync(join(dir, "context/Dockerfile"), [`FROM ${base}`, ...lines, ""].join("\n"), { mode: 0o644 });
  const write = (args: { imageName: string } & Record<string, unknown>) => {
    made.add(args.imageName);
    const build = {
      context: "context",
      dockerfile: "context/Dockerfile",
      platform: "linux/amd64",
      network: "none",
      args: { SOURCE_DATE_EPOCH: "0" },
    };
    writeFileSync(join(dir, "args.json"), JSON.stringify({ build, ...args }));
  };
  /** Runs a command, asserts its exit code and returns what it printed. */
  const pulumi = (code: number, ...args: string[]) => pulumiWith({}, code, ...args);
  const pulumiWith = (env: Record<string, string>, code: number, ...args: string[]) =>
    new Promise<string>((resolve, reject) => {
      const child = spawn("pulumi", [...args, "--non-interactive", "--color=never"], {
        cwd: dir,
        stdio: ["ignore", "pipe", "pipe"],
        env: {
          ...process.env,
          PATH: [process.env.PATH, join(root, ".local/bin")].join(delimiter),
          PULUMI_HOME: join(dir, "home"),
          PULUMI_BACKEND_URL: `file://${dir}`,
          PULUMI_CONFIG_PASSPHRASE_FILE: join(dir, "passphrase"),
          PULUMI_SKIP_UPDATE_CHECK: "true",
          PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
          DOCKER_HOST: docker.host,
          DOCKER_CONFIG: dir,
          ...env,
        },
      });
      let output = "";
      for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (output += chunk));
      child.on("error", reject);
      child.on("close", (ended) => {
        if (ended === code) resolve(output);
        else reject(new Error(`pulumi ${args.join(" ")} ended with ${ended}:\n${output}`));
      });
    });
  const outputs = async () => JSON.parse(await pulumi(0, "stack", "output", "--json", "--show-secrets"));
  const state = () =>
    JSON.parse(readFileSync(join(dir, ".pulumi/stacks/program/test.json"), "utf8")).checkpoint.latest.resources;
  const image = () => state().find(({ type }: { type: string }) => type === "docker:index/image:Image");
  const digestOf = async (name: string) =>
    (await client.resolve(parseReference(name), parseReference(name).tag!))?.digest;

  it("builds nothing in a preview, and knows no digest there", async () => {
    const imageName = `${registry.host}/candidates/x:1`;
    write({ imageName });
    const output = await pulumi(0, "preview", "--diff");
    assert.match(output, /repoDigest *: (output<string>|\[unknown\])/);
    assert.equal(await digestOf(imageName), undefined);
    assert.equal(await docker.engine.inspectImage(imageName), undefined);
  });

  it("builds and pushes in one step, and gives the digest that the registry has", async () => {
    const imageName = `${registry.host}/candidates/x:1`;
    await pulumi(0, "up", "--yes", "--skip-preview");
    assert.deepEqual(await outputs(), {
      repoDigest: `${registry.host}/candidates/x@${await digestOf(imageName)}`,
      imageName,
      baseImageName: imageName,
      dockerfile: "Dockerfile",
      context: "context",
      platform: "linux/amd64",
      registryServer: "",
    });
    assert.equal(image().id, imageName);
    assert.match(image().inputs.build.contextDigest, /^[0-9a-f]{64}$/);
  });

  it("changes nothing in a second run, nor in a refresh, even when the image is gone", async () => {
    await docker.engine.removeImage(`${registry.host}/candidates/x:1`);
    await pulumi(0, "preview", "--expect-no-changes");
    await pulumi(0, "refresh", "--yes", "--skip-preview", "--expect-no-changes");
    await pulumi(0, "up", "--yes", "--skip-preview", "--expect-no-changes");
  });

  it("is updated in place by another context and replaced by another name, keeping what was pushed", async () => {
    const [first, second] = [`${registry.host}/candidates/x:1`, `${registry.host}/candidates/x:2`];
    const before = await digestOf(first);
    dockerfile("LABEL n=2");
    assert.match(await pulumi(0, "up", "--yes", "--skip-preview"), /1 updated/);
    assert.notEqual(await digestOf(first), before);
    write({ imageName: second });
    assert.match(await pulumi(0, "up", "--yes", "--skip-preview"), /1 replaced/);
    assert.equal(image().id, second);
    assert.ok(await digestOf(first));
  });

  it("shows the failing step and the last lines of its log, and keeps the state", async () => {
    dockerfile('RUN ["/bin/bash","-c","for i in {1..30}; do echo line $i; done; exit 7"]');
    const output = await pulumi(1, "up", "--yes", "--skip-preview");
    assert.match(output, /failed at step `\[2\/2\] RUN/);
    assert.match(output, /exit code: 7/);
    assert.match(output, /\| line 30/);
    assert.doesNotMatch(output, /\| line 5\b/);
    dockerfile("LABEL n=2");
    await pulumi(0, "preview", "--expect-no-changes");
  });

  it("shows why a push failed", async () => {
    write({ imageName: `${closed.host}/candidates/x:1` });
    assert.match(
      await pulumi(1, "up", "--yes", "--skip-preview"),
      /could not push \S+candidates\/x:1: .*docker login/s,
    );
  });

  it("pushes with the registry block's password, which stands nowhere in clear and whose change changes nothing", async () => {
    const imageName = `${closed.host}/candidates/x:1`;
    write({ imageName, password: "secret" });
    assert.doesNotMatch(await pulumi(0, "up", "--yes", "--skip-preview"), /warning/);
    assert.ok(await digestOf(imageName));
    assert.doesNotMatch(readFileSync(join(dir, ".pulumi/stacks/program/test.json"), "utf8"), /"secret"/);
    write({ imageName, password: "changed" });
    await pulumi(0, "preview", "--expect-no-changes");
  });

  it("with skipPush keeps the image in the engine, under any name", async () => {
    write({ imageName: "policy-platform-test:1", skipPush: true });
    await pulumi(0, "up", "--yes", "--skip-preview");
    assert.equal((await outputs()).repoDigest, (await docker.engine.inspectImage("policy-platform-test:1"))?.id);
  });

  it("with buildOnPreview builds in the preview and pushes nothing", async () => {
    const imageName = `${registry.host}/candidates/preview:1`;
    write({ imageName, buildOnPreview: true });
    await pulumi(0, "preview");
    assert.ok(await docker.engine.inspectImage(imageName));
    assert.equal(await digestOf(imageName), undefined);
  });

  it("removes nothing when it is destroyed", async () => {
    await pulumi(0, "destroy", "--yes", "--skip-preview");
    assert.ok(await digestOf(`${registry.host}/candidates/x:2`));
  });

  it("says at once that no engine is there", async () => {
    const output = await pulumiWith({ DOCKER_HOST: `unix://${dir}/none` }, 1, "preview");
    assert.match(output, /the Docker engine at unix:\S+none cannot be used: no engine listens there \(ENOENT\)/);
  });
});
