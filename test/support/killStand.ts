// What the tests of killed runs stand on: a project with its own registry, both the registry and the Docker engine behind
// fault proxies, a slow server of tool releases, and engine runs that can be killed from outside.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash, randomUUID } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, watch, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { addressFromEnvironment, parseAddress } from "../../lib/docker/address";
import { EngineTransport } from "../../lib/docker/transport";
import { childEnvironment, exec } from "../../lib/exec";
import { layerImage } from "../../lib/oci/layer";
import { type Repaired, repair } from "../../lib/repair";
import { type FaultProxy, type HeldRequest, startFaultProxy } from "./faultProxy";
import { killProcesses, processesOf } from "./processes";
import { createProject, type Project, preparedPins, stackOutputs } from "./project";
import { startRegistry } from "./registry";
import { auditTags, type TaggedImage } from "./releaseAudit";
import { smallConfiguration } from "./smallStack";

export interface EngineRun {
  /** Both streams so far. */
  output(): string;
  signal(name: NodeJS.Signals): void;
  /** The exit code; null when a signal ended it. */
  readonly ended: Promise<number | null>;
}

export interface EngineResult {
  readonly code: number | null;
  readonly output: string;
}

export interface StackState {
  readonly pending: readonly unknown[];
  readonly locks: readonly string[];
  readonly outputs: Readonly<Record<string, any>>;
}

export interface ReleaseOptions {
  /** Whether the pin has the layer image's digest, so that only the plugin downloads. */
  readonly digest: boolean;
  /** The version that the tool prints; the pin says 1.0.0, which is the default. */
  readonly prints?: string;
  /** Serve it whole. Default: the first download stops halfway. */
  readonly atOnce?: boolean;
}

export interface KillStand {
  readonly project: Project;
  readonly registry: FaultProxy;
  readonly docker: FaultProxy;
  /** Starts `pulumi ARGS` on the stack, in a process group of its own. */
  start(...args: string[]): EngineRun;
  run(...args: string[]): Promise<EngineResult>;
  /** Changes a policy: the next run is to release a new patch. */
  editPolicy(): void;
  /** Pins a release of the tool that nobody has downloaded yet. */
  pinNewRelease(options: ReleaseOptions): Promise<{ readonly stopped: Promise<HeldRequest> }>;
  /** What `policy-platform repair` does. */
  repair(): Promise<Repaired>;
  /** The command itself. */
  repairByCommand(): Promise<Repaired>;
  /** What the release repository's tags name, seen from outside. */
  tags(): Promise<Map<string, TaggedImage>>;
  /** Resolves in the moment in which the engine writes a file of the state whose name matches. */
  stateWrite(name: RegExp): Promise<void>;
  /** Leaves the state's attribute file as a kill in the middle of its write does, which is too short a moment to be hit. */
  beginAttributes(): void;
  /** The state as it lies on the disk, which must be readable: unfinished operations, locks on the stack, stack outputs. */
  state(): StackState;
  /** Downloads in the cache that are not what their names say. */
  damagedDownloads(): string[];
  /** Ids of containers of the gate of this project's images. */
  gateContainers(): Promise<string[]>;
  /** Brings the stack back to where a next test can start from, whatever the last one left. */
  reset(): Promise<void>;
  stop(): Promise<void>;
}

const policy = "policies/security-policy/policies/disallow-host-path.yaml";
const releases = "releases/policy-platform";
const gateLabel = "dev.policychain.gate";

export async function startKillStand(): Promise<KillStand> {
  preparedPins(); // fails before anything is started
  const real = await startRegistry();
  const engine = addressFromEnvironment();
  const [registry, docker] = await Promise.all([
    startFaultProxy(real.host),
    startFaultProxy("socketPath" in engine ? { path: engine.socketPath } : { host: engine.host, port: engine.port }),
  ]);
  const project = await createProject(await smallConfiguration(registry.host));
  const downloads = await startDownloads();
  const cache = mkdtempSync(join(tmpdir(), "policy-platform-cache-"));
  const dockerHost = `tcp://${docker.host}`;
  const state = join(project.dir, ".local", "state", ".pulumi");
  const stacks = join(state, "stacks", "policy-platform");
  // The engine keeps what it has pulled: an edit that another stand made before would be built without a look at the registry.
  const unique = randomUUID();
  let edits = 0;

  const env = { ...childEnvironment(project.env), DOCKER_HOST: dockerHost, XDG_CACHE_HOME: cache };
  const start = (...args: string[]): EngineRun => {
    const child = spawn("pulumi", [...args, "-s", "local", "--non-interactive", "--color", "never"], {
      cwd: project.dir,
      env,
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => (output += chunk));
    const ended = new Promise<number | null>((resolve, reject) => {
      child.on("error", reject);
      // Not "close": what a killed engine leaves behind may hold its output open.
      child.on("exit", (code) => setImmediate(resolve, code));
    });
    return { output: () => output, signal: (name) => child.kill(name), ended };
  };

  const run = async (...args: string[]): Promise<EngineResult> => {
    const running = start(...args);
    return { code: await running.ended, output: running.output() };
  };

  return {
    project,
    registry,
    docker,
    start,
    run,
    editPolicy() {
      project.write(policy, `${readFileSync(join(project.dir, policy), "utf8")}# edit ${++edits} ${unique}\n`);
    },
    async pinNewRelease({ digest, prints = "1.0.0", atOnce = false }) {
      const script = Buffer.from(
        `#!/bin/bash\necho greet ${prints}\n# release ${++edits} ${unique} ${" ".repeat(64 * 1024)}\n`,
      );
      const entry = { path: "/usr/local/bin/greet", executable: true, size: script.length, open: () => script };
      const layer = digest ? { digest: (await layerImage([entry])).digest } : {};
      const { url, stopped } = downloads.serve(script, atOnce);
      project.configure((config) => {
        const { image: _, ...tool } = config["policy-platform:tools"].greet;
        config["policy-platform:tools"].greet = { ...tool, release: { url, sha256: sha256(script), ...layer } };
      });
      return { stopped };
    },
    repair: () => repair({ stack: "local", projectDir: project.dir, env }),
    async repairByCommand() {
      const args = ["dist/cli/policy-platform.js", "repair", "--stack", "local", "-o", "json"];
      const { code, stdout, stderr } = await exec(process.execPath, args, { cwd: project.dir, env });
      assert.equal(code, 0, stderr);
      assert.match(stderr, /repaired/);
      return JSON.parse(stdout);
    },
    tags: () => auditTags(real.host, releases),
    stateWrite: (name) =>
      new Promise((resolve) => {
        const watcher = watch(stacks, (_event, file) => {
          if (!name.test(file ?? "")) return;
          watcher.close();
          resolve();
        });
      }),
    beginAttributes: () => writeFileSync(join(stacks, "local.json.attrs"), ""),
    state() {
      const { checkpoint } = JSON.parse(readFileSync(join(stacks, "local.json"), "utf8"));
      const locks = join(state, "locks");
      return {
        pending: checkpoint.latest?.pending_operations ?? [],
        outputs: stackOutputs(project.dir),
        locks: existsSync(locks)
          ? readdirSync(locks, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".json"))
          : [],
      };
    },
    damagedDownloads() {
      const folder = join(cache, "policy-platform", "downloads");
      const named = existsSync(folder) ? readdirSync(folder).filter((name) => /^[0-9a-f]{64}$/.test(name)) : [];
      return named.filter((name) => sha256(readFileSync(join(folder, name))) !== name);
    },
    async gateContainers() {
      const transport = new EngineTransport(parseAddress(engine.text));
      const filters = JSON.stringify({ label: [gateLabel] });
      const all = await transport.document<{ Id: string; Image: string }[]>({
        path: "/containers/json",
        query: { all: true, filters },
      });
      return all.filter(({ Image }) => Image.startsWith(registry.host)).map(({ Id }) => Id);
    },
    async reset() {
      killProcesses(processesOf(project.dir));
      registry.clear();
      docker.clear();
      await repair({ stack: "local", projectDir: project.dir, env });
      await run("up", "--yes", "--skip-preview");
    },
    async stop() {
      killProcesses(processesOf(project.dir));
      await Promise.all([registry.stop(), docker.stop(), downloads.stop()]);
      await real.stop();
      project.remove();
      rmSync(cache, { recursive: true, force: true });
    },
  };
}

/** Serves files; the first time that one is asked for it stops in the middle. */
async function startDownloads() {
  const files = new Map<string, { readonly bytes: Buffer; stop?: (held: HeldRequest) => void }>();
  const server = createServer((request, response) => {
    const file = files.get(request.url!);
    assert.ok(file, request.url);
    response.writeHead(200, { "content-type": "application/octet-stream", "content-length": file.bytes.length });
    const half = file.bytes.length >> 1;
    const { stop } = file;
    if (!stop) return void response.end(file.bytes);
    file.stop = undefined;
    response.write(file.bytes.subarray(0, half));
    stop({
      line: `GET ${request.url}`,
      pass: async () => void response.end(file.bytes.subarray(half)),
      cut: () => response.destroy(),
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    serve(bytes: Buffer, atOnce: boolean) {
      const path = `/v1.0.0/greet-${files.size}`;
      const stopped = new Promise<HeldRequest>((stop) => files.set(path, { bytes, stop: atOnce ? undefined : stop }));
      return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`, stopped };
    },
    stop: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function sha256(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}
