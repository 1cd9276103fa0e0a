// The Docker engine: one that answers, is new enough and reaches the local registry is used as it is; else one of our own
// is started beside it, with a firewall and a network that it does not touch.
import { readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { compareVersions } from "../lib/compareVersions";
import { addressFromEnvironment, parseAddress } from "../lib/docker/address";
import { EngineAnswerError, EngineTransport } from "../lib/docker/transport";
import { messageOf, PlatformError } from "../lib/errors";
import { childEnvironment, exec } from "../lib/exec";
import { isAlive } from "../lib/process";
import { type Layout, ownEngineHost } from "./layout";
import { readMemory, remember } from "./memory";
import { findByArgument, startDetached, stop } from "./process";

const neededEngine = "23";
const startPatience = 40_000;

export interface Engine {
  /** Value of DOCKER_HOST. */
  readonly host: string;
  readonly version: string;
  /** True for the one that is started and stopped here. */
  readonly own: boolean;
}

/** The engine that the environment names, or the reason why it cannot be used. */
export type EngineFinding = { readonly engine: Engine } | { readonly reason: string };

/** Something small in the local registry that an engine is asked to look at. */
export interface RegistryProbe {
  /** `127.0.0.1:5000/layers/probe@sha256:…`. */
  readonly reference: string;
}

/** Looks at the engine of the environment (DOCKER_HOST, else the usual sockets). */
export async function findEngine(layout: Layout, probe: RegistryProbe, env = process.env): Promise<EngineFinding> {
  const own = ownEngineHost(layout);
  const address = addressFromEnvironment(env.DOCKER_HOST === own ? { ...env, DOCKER_HOST: undefined } : env);
  try {
    const version = await engineVersion(address.text);
    if (compareVersions(version, neededEngine) < 0) {
      return { reason: `the engine at ${address.text} is ${version}, ${neededEngine} or later is needed` };
    }
    await lookAt(address.text, probe);
    return { engine: { host: address.text, version, own: false } };
  } catch (error) {
    if (error instanceof EngineAnswerError) {
      return {
        reason: `the engine at ${address.text} cannot reach the registry on this machine's loopback (${error.reason})`,
      };
    }
    return { reason: error instanceof PlatformError ? error.problem.what : messageOf(error) };
  }
}

/** The engine that was started here, when it runs and answers. */
export async function runningOwnEngine(layout: Layout): Promise<Engine | undefined> {
  const host = ownEngineHost(layout);
  try {
    return { host, version: await engineVersion(host), own: true };
  } catch {
    return undefined;
  }
}

/** Starts an engine of our own. `folders` hold dockerd, containerd, its shim and runc. Errors: `engine-needs-root`, `engine-start`. */
export async function startEngine(layout: Layout, folders: readonly string[]): Promise<Engine> {
  requireRoot("an engine can be started by root only");
  await stopEngine(layout);
  const file = (name: string) => join(layout.engineRun, name);
  const host = ownEngineHost(layout);
  const log = join(layout.logs, "dockerd.log");
  const program = join(folders[0]!, "dockerd");
  const started = await startDetached(
    program,
    [
      ...["-H", host, "--data-root", layout.engineData, "--exec-root", file("exec"), "--pidfile", file("docker.pid")],
      // Without these it rewrites the machine's firewall, and leaves that behind when it is stopped.
      ...["--userland-proxy=false", "--bridge=none", "--iptables=false", "--ip6tables=false"],
    ],
    { log, env: { ...childEnvironment(), PATH: [...folders, process.env.PATH].join(":") }, cwd: layout.projectDir },
  );
  remember(layout.memoryFile, { engine: { ...started, program } });
  const end = Date.now() + startPatience;
  while (Date.now() < end && isAlive(started)) {
    const engine = await runningOwnEngine(layout);
    if (engine) return engine;
    await sleep(100);
  }
  throw new PlatformError("engine-start", {
    what: `the Docker engine that was started here does not answer at ${host}`,
    rule: "images are built and tested by a Docker engine",
    fix: `read ${log}, or set DOCKER_HOST to an engine of this machine, and run it again`,
  });
}

/** Ends the engine of this checkout with its containerd and shims, and nothing else. */
export async function stopEngine(layout: Layout): Promise<boolean> {
  const pidfile = join(layout.engineRun, "docker.pid");
  const engines = [readMemory(layout.memoryFile).engine, ...findByArgument((argument) => argument === pidfile)];
  const running = engines.filter((process) => isAlive(process));
  for (const process of running) await stop(process);
  // A killed engine leaves shims and their containers; their sockets are in our folder.
  for (const left of findByArgument((argument) => argument.startsWith(`${layout.engineRun}/`))) await stop(left, 5_000);
  // After a kill the next engine finds its own bind mounts and, taking them for somebody else's, never removes them.
  for (const mount of mountsBelow([layout.engineData, layout.engineRun]).reverse()) await exec("umount", ["--", mount]);
  // A pidfile that is left makes dockerd refuse to start once the number is somebody else's.
  for (const name of ["docker.pid", "docker.sock"]) await rm(join(layout.engineRun, name), { force: true });
  remember(layout.memoryFile, { engine: undefined });
  return running.length > 0;
}

/** Mount points that are one of these folders or below one, in the order in which they were mounted. */
export function mountsBelow(folders: readonly string[], mounts = readFileSync("/proc/self/mounts", "utf8")): string[] {
  return mounts
    .split("\n")
    .map((line) =>
      (line.split(" ")[1] ?? "").replace(/\\([0-7]{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8))),
    )
    .filter((target) => folders.some((folder) => target === folder || target.startsWith(`${folder}/`)));
}

/** Throws `engine-needs-root` for an ordinary user. */
export function requireRoot(why: string): void {
  if (process.getuid?.() === 0) return;
  throw new PlatformError("engine-needs-root", {
    what: `no Docker engine can be used: ${why}`,
    rule: `the local stack uses an engine ${neededEngine} or later on this machine, or starts one as root`,
    fix: "install Docker on this machine (inside the distribution under WSL2) and let this user open its socket, or run this as root",
  });
}

async function engineVersion(host: string): Promise<string> {
  const transport = new EngineTransport(parseAddress(host));
  const { Version } = await transport.unversioned<{ Version: string }>({
    path: "/version",
    signal: AbortSignal.timeout(5_000),
  });
  return Version;
}

/** The engine itself asks the registry for the descriptor: nothing is pulled. */
async function lookAt(host: string, { reference }: RegistryProbe): Promise<void> {
  const transport = new EngineTransport(parseAddress(host));
  await transport.document({ path: `/distribution/${reference}/json`, signal: AbortSignal.timeout(10_000) });
}
