// `npm run local` itself, in a checkout of its own on a machine where the programs are in the cache and no Docker engine can be
// used: from nothing to a tagged image, again without a change, beside another one, over kills and over what a user changed,
// down and clean. Not shown here: the cold builds, and the local cluster, which controlPlane.test.ts starts.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { DockerEngine } from "../../lib/docker/engine";
import { exec } from "../../lib/exec";
import { RegistryClient } from "../../lib/oci/client";
import { parseRepository } from "../../lib/oci/reference";
import { chooseCluster } from "../../local/controlPlane/cluster";
import { stopComponents } from "../../local/controlPlane/running";
import { layoutOf } from "../../local/layout";
import { freeClusterPorts } from "../support/clusterCheckout";
import { killProcesses, processesOf } from "../support/processes";
import { startRegistry } from "../support/registry";
import { hasDockerCommand } from "../support/runImage";

const root = join(__dirname, "..", "..");
const linked = ["Pulumi.yaml", "index.ts", "tsconfig.json", "package.json", "package-lock.json", "node_modules"];
const howTo = join("docs", "how-to", "use-the-local-cluster.md");
const linkedFolders = ["components", "config", "flows", "lib", "provider", "cli"];

interface Run {
  readonly code: number | null;
  readonly output: string;
}

interface Checkout {
  readonly dir: string;
  readonly port: number;
  /** Starts `node local/start.mjs ARGS`; its output so far is in the second. */
  start(...args: string[]): { readonly child: ChildProcess; readonly ended: Promise<Run>; output(): string };
  run(...args: string[]): Promise<Run>;
  /** Runs a line in a shell that has sourced .local/env. */
  shell(line: string): Promise<Run>;
  write(path: string, text: string): void;
  path(...names: string[]): string;
  read(...names: string[]): string;
  remove(): Promise<void>;
}

/** Devices, routes, firewall tables and forwarding of this machine. */
function networkState(): string[] {
  const devices = readFileSync("/proc/net/dev", "utf8").match(/^ *\S+(?=:)/gm)!;
  const files = ["net/route", "net/ip_tables_names", "net/ip6_tables_names", "sys/net/ipv4/ip_forward"];
  const texts = files.map((name) => join("/proc", name)).filter((path) => existsSync(path));
  return [...devices, ...texts.map((path) => readFileSync(path, "utf8"))];
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function createCheckout(): Promise<Checkout> {
  const dir = mkdtempSync(join(tmpdir(), "policy-platform-local-"));
  for (const name of [...linked, ...linkedFolders]) symlinkSync(join(root, name), join(dir, name));
  for (const name of ["local", "scripts", "policies"]) {
    cpSync(join(root, name), join(dir, name), { recursive: true, preserveTimestamps: true });
  }
  writeFileSync(join(dir, ".gitignore"), "/.local/\n/.policy-platform/\n/Pulumi.local.yaml\n");
  const identity = ["-c", "user.name=Test", "-c", "user.email=test@example.com"];
  for (const args of [
    ["init", "-q"],
    ["add", "-A"],
    [...identity, "commit", "-qm", "First"],
  ]) {
    assert.equal((await exec("git", args, { cwd: dir })).code, 0);
  }
  const path = (...names: string[]) => join(dir, ...names);
  const start = (...args: string[]) => {
    const child = spawn(
      process.execPath,
      [path("local", "start.mjs"), ...args, ...(isWithoutCluster(args) ? ["--no-cluster"] : [])],
      {
        cwd: dir,
        stdio: ["ignore", "pipe", "pipe"],
        env: { ...process.env, DOCKER_HOST: `unix://${path("no-engine.sock")}` },
      },
    );
    let output = "";
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding("utf8").on("data", (text) => (output += text));
    const ended = new Promise<Run>((resolve) => child.on("close", (code) => resolve({ code, output })));
    return { child, ended, output: () => output };
  };
  const run = (...args: string[]) => start(...args).ended;
  return {
    dir,
    port: await freePort(),
    start,
    run,
    path,
    read: (...names) => readFileSync(path(...names), "utf8"),
    shell: async (line) => {
      const { code, stdout, stderr } = await exec("bash", ["--norc", "-c", `. .local/env && ${line}`], { cwd: dir });
      return { code, output: stdout + stderr };
    },
    write: (name, text) => {
      mkdirSync(dirname(path(name)), { recursive: true });
      writeFileSync(path(name), text);
    },
    remove: async () => {
      await run("down");
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** A cluster takes memory and seconds: one test has it. */
function isWithoutCluster([command, ...flags]: readonly string[]): boolean {
  return command === "up" && !flags.includes("--cluster-port");
}

function green({ code, output }: Run): string {
  assert.equal(code, 0, output);
  return output;
}

/** What works for a run, without the services that outlive it. */
function workersOf({ dir }: Checkout) {
  return processesOf(dir).filter(({ command }) => /dist\/local\/main\.js|\/\.local\/bin\/pulumi /.test(command));
}

async function until(condition: () => boolean): Promise<void> {
  const end = Date.now() + 60_000;
  while (!condition()) {
    assert.ok(Date.now() < end, "it took longer than a minute");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

describe("npm run local", function () {
  this.timeout(300_000);
  let checkout: Checkout;
  let releases: ReturnType<typeof parseRepository>;
  const servers: Server[] = [];
  const network = networkState();

  before(async () => {
    checkout = await createCheckout();
    releases = parseRepository(`127.0.0.1:${checkout.port}/releases/policy-platform`);
  });
  after(async () => {
    for (const server of servers) server.close();
    await checkout.remove();
  });

  const digestOf = async (tag: string) => (await new RegistryClient().resolve(releases, tag))?.digest;

  it("never writes to a port that something else answers on", async () => {
    const asked: string[] = [];
    const server = createServer((request, answer) => {
      asked.push(`${request.method} ${request.url}`);
      answer.end("{}");
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const { code, output } = await checkout.run("up", "--registry-port", `${port}`);
    assert.equal(code, 1);
    assert.match(
      output,
      new RegExp(`127\\.0\\.0\\.1:${port} is answered by something else;.*--registry-port ${port + 1}`),
    );
    assert.deepEqual(asked, ["GET /v2/"]);
    assert.equal(existsSync(checkout.path("Pulumi.local.yaml")), false);
  });

  for (const signal of ["SIGKILL", "SIGINT"] as const) {
    it(`leaves nothing half-made when ${signal} ends it while base and tools are pushed`, async () => {
      const stopped = checkout.start("up", "--registry-port", `${checkout.port}`);
      await until(() => /(Base image|Tool layer)/.test(stopped.output()));
      for (const { pid } of workersOf(checkout)) process.kill(pid, signal);
      const { code, output } = await stopped.ended;
      assert.equal(code, signal === "SIGINT" ? 130 : 1, output);
      assert.doesNotMatch(output, /pulumi up/);
      assert.equal(existsSync(checkout.path(".local", "state", ".pulumi", "stacks")), false);
    });
  }

  it("takes a checkout to a tested image that three tags name", async () => {
    const output = green(await checkout.run("up", "--registry-port", `${checkout.port}`));
    const digest = await digestOf("v1.0.0");
    assert.ok(digest && output.includes(digest), output);
    assert.equal(await digestOf("latest"), digest);
    const tags = await new RegistryClient().tags(releases);
    assert.equal(tags.filter((tag) => /^sha-[0-9a-f]{12}-[0-9a-f]{8}$/.test(tag)).length, 1);
    for (const tool of ["kyverno: 1.13.2", "yq: 4.54.1", "pluto: 5.21.1", "helm: 3.19.0", "spectral: 6.16.3"])
      assert.match(output, new RegExp(`gate +✔ smoke: ${tool.replaceAll(".", "\\.")}`));
    for (const name of ["security-policy", "devops-policy", "backend-applications"])
      assert.match(output, new RegExp(`gate +✔ smoke: /repos/${name}: \\d+ files`));
    for (const part of ["pulumi up", "in all", "source .local/env"]) assert.ok(output.includes(part), part);
    assert.match(output, /Provider plugins: docker is the (official|closed-network) one/);
    assert.match(output, /Docker engine: .*started here/);
  });

  it("runs a tool by plain docker run, and leaves the machine's network as it was", async () => {
    const image = `127.0.0.1:${checkout.port}/releases/policy-platform:v1.0.0`;
    if (await hasDockerCommand())
      assert.match(green(await checkout.shell(`docker run --rm ${image} kyverno version`)), /^Version: v1\.13\.2$/m);
    assert.deepEqual(networkState(), network);
  });

  it("keeps the passphrase to itself", () => {
    assert.equal(statSync(checkout.path(".local", "passphrase")).mode & 0o777, 0o600);
  });

  it("changes nothing when it is run again, within ten seconds, on the port that it remembers", async () => {
    const before = [checkout.read("Pulumi.local.yaml"), checkout.read(".local", "env"), await digestOf("latest")];
    const begun = performance.now();
    assert.match(green(await checkout.run("up")), /pulumi up: nothing to change/);
    assert.ok(performance.now() - begun < 10_000, `${performance.now() - begun} ms`);
    assert.deepEqual(
      [checkout.read("Pulumi.local.yaml"), checkout.read(".local", "env"), await digestOf("latest")],
      before,
    );
  });

  it("leaves a shell in which pulumi works on the stack, and the tools of the image are there", async () => {
    const unchanged = "pulumi preview --expect-no-changes";
    const output = green(
      await checkout.shell(`pulumi stack output version && ${unchanged} && command -v kyverno spectral`),
    );
    assert.match(output, /^v1\.0\.0$/m);
    for (const tool of ["kyverno", "spectral"])
      assert.ok(output.includes(`\n${checkout.path(".local", "bin", tool)}\n`), output);
  });

  it("makes the second of two wait and say so, and both end well", async () => {
    const first = checkout.start("up");
    await until(() => first.output().includes("Registry"));
    const second = checkout.start("up");
    const [one, two] = await Promise.all([first.ended, second.ended]);
    green(one);
    assert.match(green(two), new RegExp(`^Waiting for another one at work here: .*process ${first.child.pid}`));
  });

  it("keeps what the user wrote into the stack file", async () => {
    const file = checkout.path("Pulumi.local.yaml");
    const mine = checkout
      .read("Pulumi.local.yaml")
      .replace("    user: ", "    # as on our build hosts\n    user: ")
      .replace(/ {4}yq:\n.*\n.*\n/, "")
      // Without charts and their cases every further release of this file is one of seconds.
      .replace(/ {4}(devops-policy|backend-applications):\n.*\n/g, "")
      .replace(/ {4}integration:\n( {6}.*\n)*/, "");
    writeFileSync(file, mine);
    appendFileSync(file, "# the end\n");
    const output = green(await checkout.run("up"));
    assert.equal(checkout.read("Pulumi.local.yaml"), `${mine}# the end\n`);
    assert.doesNotMatch(output, /✔ (smoke: yq|smoke: \/repos\/devops-policy|integration:)/);
    assert.match(output, /v2\.0\.0/);
  });

  it("publishes a folder of policies (a sample's policy under a new name) with charts and tests that are none, and keeps it", async () => {
    const policy = checkout.read("policies", "security-policy", "policies", "disallow-latest-tag.yaml");
    checkout.write("theirs/policies/theirs.yaml", policy.replace("name: disallow-latest-tag", "name: theirs"));
    checkout.write(
      "theirs/tests/kyverno-test.yaml",
      [
        "apiVersion: cli.kyverno.io/v1alpha1",
        "kind: Test",
        "metadata: {name: theirs}",
        "policies: [../policies/theirs.yaml]",
        "resources: [pod.yaml]",
        "results: [{policy: theirs, rule: image-tag, kind: Pod, result: pass, resources: [theirs]}]",
        "",
      ].join("\n"),
    );
    const pod = "spec: {containers: [{name: a, image: 'registry.example.com/a:1.0.0'}]}";
    checkout.write("theirs/tests/pod.yaml", `apiVersion: v1\nkind: Pod\nmetadata: {name: theirs}\n${pod}\n`);
    // With them in the image, kyverno would see no policy in the whole folder.
    checkout.write("theirs/.policyignore", "/values.yaml\n/charts/\n");
    checkout.write("theirs/values.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: theirs}\n");
    checkout.write("theirs/charts/one/Chart.yaml", "apiVersion: v2\nname: one\nversion: 1.0.0\n");
    checkout.write(
      "theirs/charts/one/templates/one.yaml",
      "{{- if .Values.on }}\nkind: {{ .Values.kind }}\n{{- end }}\n",
    );
    green(await checkout.shell("pulumi config set --path policy-platform:policies.theirs.folder theirs"));
    const file = checkout.read("Pulumi.local.yaml");
    assert.match(
      green(await checkout.run("up")),
      /v2\.1\.0[\s\S]*smoke: \/repos\/theirs: 1 file\n[\s\S]*✔ tests: theirs/,
    );
    assert.match(green(await checkout.run("up")), /pulumi up: nothing to change/);
    assert.equal(checkout.read("Pulumi.local.yaml"), file);
  });

  it("builds a candidate again that was cleaned away behind a gate that failed", async () => {
    const expect = "policy-platform:tools.kyverno.smoke";
    appendFileSync(checkout.path("theirs", "policies", "theirs.yaml"), "# edited\n");
    green(
      await checkout.shell(
        `pulumi config set --path ${expect}.args[0] version && pulumi config set --path ${expect}.expect 'nothing ([0-9]+)'`,
      ),
    );
    const red = await checkout.run("up");
    assert.equal(red.code, 1, red.output);
    const digest = /candidates\/policy-platform@(sha256:[0-9a-f]{64})/.exec(red.output)?.[1];
    assert.ok(digest, red.output);
    const address = `http://127.0.0.1:${checkout.port}/v2/candidates/policy-platform/manifests/${digest}`;
    assert.equal((await fetch(address, { method: "DELETE" })).status, 202);
    green(await checkout.shell(`pulumi config rm --path ${expect}`));
    const output = green(await checkout.run("up"));
    assert.match(output, /docker:index:Image image-build updated/);
    assert.match(output, /v2\.1\.1/);
    assert.equal(await digestOf("v2.1.1"), digest);
  });

  it("ends well after it was killed in the middle, with engine and all, and the run after that changes nothing", async () => {
    const policy = checkout.path("policies", "security-policy", "policies", "disallow-latest-tag.yaml");
    appendFileSync(policy, "# edited\n");
    const killed = checkout.start("up");
    await until(() => killed.output().includes("image-build creating"));
    killed.child.kill("SIGKILL");
    killProcesses(workersOf(checkout));
    await killed.ended;
    assert.match(green(await checkout.run("up")), /v2\.1\.2/);
    assert.match(green(await checkout.run("up")), /pulumi up: nothing to change/);
  });

  it("starts a cluster after the image's summary once it is not left out, shows what the policies do there, and leaves nothing to change", async () => {
    assert.doesNotMatch(checkout.read(".local", "env"), /KUBECONFIG/);
    const port = `${await freeClusterPorts()}`;
    const output = green(await checkout.run("up", "--cluster-port", port));
    assert.match(output, /\nReleased\n[\s\S]* v2\.1\.2[\s\S]*\n {2}✔ Local cluster dev: [\s\S]*\nCluster dev\n/);
    assert.match(output, /policy-platform:clusters\.dev added/);
    assert.match(output, /disallow-latest-tag +true +true +True/);
    assert.match(output, /✗ a bad Pod is refused\n[\s\S]*disallow-latest-tag:[\s\S]*✔ a good Pod is admitted/);
    assert.match(
      output.replace(/\s+/g, " "),
      /disallow-latest-tag: .*Images must not use the moving tag latest.*✔ a good Pod is admitted/,
    );
    assert.ok(
      checkout.read(".local", "env").includes(`\nexport KUBECONFIG='${checkout.path(".local", "kubeconfig")}'\n`),
    );
    assert.match(green(await checkout.shell("kubectl get clusterpolicies")), /^disallow-latest-tag /m);
    green(await checkout.shell("pulumi preview --expect-no-changes"));
    assert.match(green(await checkout.run("up", "--cluster-port", port)), /pulumi up: nothing to change/);
  });

  it("leaves a cluster that does not run as it is, by its own flag and by the line for plain pulumi, whatever the stack file says now", async () => {
    const line = /`(pulumi up --exclude '[^`]+)`/.exec(readFileSync(join(root, howTo), "utf8"))![1]!;
    const unchanged = "pulumi preview --expect-no-changes";
    await stopComponents(chooseCluster(layoutOf(checkout.dir), {}));
    green(await checkout.shell("pulumi config set --path policy-platform:clusters.dev.enforcement audit"));
    const output = green(await checkout.run("up"));
    assert.match(output, /pulumi up: nothing to change/);
    assert.doesNotMatch(output, /Local cluster/);
    green(await checkout.shell(line.replace("pulumi up", unchanged)));
    const whole = await checkout.shell(unchanged);
    assert.notEqual(whole.code, 0, whole.output);
    assert.match(whole.output, /Kustomization dev-kustomization/);
  });

  it("shows what runs and what is released, then ends what it started and nothing else", async () => {
    assert.match(
      green(await checkout.run("status")),
      new RegExp(
        `registry 127\\.0\\.0\\.1:${checkout.port} runs\\nDocker engine [\\d.]+ runs at unix:[\\s\\S]*v2\\.1\\.2`,
      ),
    );
    assert.ok(processesOf(checkout.dir).some(({ command }) => command.includes("dockerd ")));
    const bystander = spawn("sleep", ["60"], { cwd: checkout.dir });
    const registry = await startRegistry();
    try {
      assert.match(green(await checkout.run("down")), /^Docker engine stopped\nregistry stopped$/m);
      assert.equal(bystander.exitCode, null);
      await new RegistryClient().ping(registry.host);
      await DockerEngine.fromEnvironment().requireEngine();
      assert.deepEqual(
        processesOf(checkout.dir).map(({ pid }) => pid),
        [bystander.pid],
      );
    } finally {
      bystander.kill();
      await registry.stop();
    }
    assert.match(green(await checkout.run("status")), /is down\nno Docker engine of ours runs/);
    assert.deepEqual(networkState(), network);
  });

  it("cleans up all that it made but the stack file, unless that holds secrets", async () => {
    green(await checkout.shell("pulumi config set --secret other:token x"));
    const refused = await checkout.run("clean");
    assert.equal(refused.code, 1);
    assert.match(refused.output, /holds secrets that only \.local\/passphrase opens/);
    assert.ok(existsSync(checkout.path(".local", "passphrase")));
    green(await checkout.shell("pulumi config rm other:token"));
    const file = checkout.read("Pulumi.local.yaml");
    assert.match(file, /^encryptionsalt: /m);
    assert.match(green(await checkout.run("clean")), /removed \.local$/m);
    assert.equal(checkout.read("Pulumi.local.yaml"), file.replace(/^encryptionsalt: .*\n/m, ""));
    assert.equal(existsSync(checkout.path(".local")), false);
  });
});
