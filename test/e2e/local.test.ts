// `npm run local` itself, in a checkout of its own on a machine where the programs are in the cache: from nothing to a tagged
// image, again without a change, beside another one, over what a user changed, and down. Not shown here: the cold builds.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import {
  appendFileSync,
  cpSync,
  existsSync,
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
import { join } from "node:path";
import { exec } from "../../lib/exec";
import { RegistryClient } from "../../lib/oci/client";
import { parseRepository } from "../../lib/oci/reference";

const root = join(__dirname, "..", "..");
const linked = ["Pulumi.yaml", "index.ts", "tsconfig.json", "package.json", "package-lock.json", "node_modules"];
const linkedFolders = ["components", "config", "lib", "provider", "cli"];

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
  path(...names: string[]): string;
  read(...names: string[]): string;
  remove(): Promise<void>;
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
    const child = spawn(process.execPath, [path("local", "start.mjs"), ...args], {
      cwd: dir,
      stdio: ["ignore", "pipe", "pipe"],
    });
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
    remove: async () => {
      await run("down");
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

function green({ code, output }: Run): string {
  assert.equal(code, 0, output);
  return output;
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

  it("takes a checkout to a tested image that three tags name", async () => {
    const output = green(await checkout.run("up", "--registry-port", `${checkout.port}`));
    const digest = await digestOf("v1.0.0");
    assert.ok(digest && output.includes(digest), output);
    assert.equal(await digestOf("latest"), digest);
    const tags = await new RegistryClient().tags(releases);
    assert.equal(tags.filter((tag) => /^sha-[0-9a-f]{12}-[0-9a-f]{8}$/.test(tag)).length, 1);
    assert.match(output, /gate +✔ smoke: kyverno: 1\.13\.2/);
    for (const part of ["pulumi up", "in all", "source .local/env"]) assert.ok(output.includes(part), part);
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

  it("leaves a shell in which plain pulumi works on the stack", async () => {
    const { code, stdout, stderr } = await exec(
      "bash",
      ["--norc", "-c", ". .local/env && pulumi stack output version && pulumi preview --expect-no-changes"],
      { cwd: checkout.dir },
    );
    assert.equal(code, 0, stdout + stderr);
    assert.match(stdout, /^v1\.0\.0$/m);
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
      .replace(/ {4}yq:\n.*\n.*\n/, "");
    writeFileSync(file, mine);
    appendFileSync(file, "# the end\n");
    const output = green(await checkout.run("up"));
    assert.equal(checkout.read("Pulumi.local.yaml"), `${mine}# the end\n`);
    assert.ok(!output.includes("smoke: yq"));
    assert.match(output, /v2\.0\.0/);
  });

  it("ends well after it was killed in the middle, with engine and all, and the run after that changes nothing", async () => {
    const policy = checkout.path("policies", "security-policy", "policies", "disallow-latest-tag.yaml");
    appendFileSync(policy, "# edited\n");
    const killed = checkout.start("up");
    await until(() => killed.output().includes("image-build creating"));
    killed.child.kill("SIGKILL");
    const children = await exec("pgrep", ["-f", `${checkout.dir}/(dist/local/main.js|.local/bin/pulumi )`]);
    for (const pid of children.stdout.split("\n").filter(Boolean)) process.kill(Number(pid), "SIGKILL");
    await killed.ended;
    assert.match(green(await checkout.run("up")), /v2\.0\.1/);
    assert.match(green(await checkout.run("up")), /pulumi up: nothing to change/);
  });

  it("shows what runs and what is released, then ends what it started and nothing else", async () => {
    assert.match(
      green(await checkout.run("status")),
      new RegExp(`registry 127\\.0\\.0\\.1:${checkout.port} runs\\n[^]*v2\\.0\\.1`),
    );
    const bystander = spawn("sleep", ["60"]);
    green(await checkout.run("down"));
    assert.equal(bystander.exitCode, null);
    bystander.kill();
    assert.match(green(await checkout.run("status")), /is down/);
    const left = await exec("pgrep", ["-f", checkout.dir]);
    assert.equal(left.stdout, "");
  });
});
