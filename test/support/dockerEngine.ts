// A real Docker engine for tests: the one that DOCKER_HOST names when it answers, else one of our own, started from
// binaries on PATH or in the cache folder, in a folder of its own that goes with it. Images are made from files of this machine.
import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, openSync, readdirSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { cacheFolder } from "../../lib/cache";
import type { ContainerSummary } from "../../lib/docker/containers";
import { DockerEngine } from "../../lib/docker/engine";
import { PlatformError } from "../../lib/errors";
import { thisProcess } from "../../lib/gate/owner";
import type { RegistryClient } from "../../lib/oci/client";
import { layerImage, pushLayerImage } from "../../lib/oci/layer";
import type { LayerEntry } from "../../lib/oci/layerEntry";
import { formatReference, parseRepository } from "../../lib/oci/reference";
import { tarEnd, tarHeader, tarPadding } from "../../lib/oci/tar";

export interface TestEngine {
  /** Value of DOCKER_HOST. */
  readonly host: string;
  readonly engine: DockerEngine;
  /** True when it was started here: only then may its caches be emptied. */
  readonly own: boolean;
  /** Ends it when it was started here. */
  stop(): Promise<void>;
}

const programs = ["dockerd", "containerd", "containerd-shim-runc-v2", "runc"];

/** Finds or starts an engine. `own: true` always starts one. Throws when neither can be had. */
export async function startDockerEngine(options: { readonly own?: boolean } = {}): Promise<TestEngine> {
  if (!options.own && process.env.DOCKER_HOST) {
    const engine = DockerEngine.fromEnvironment();
    const answers = await engine.requireEngine().then(
      () => true,
      () => false,
    );
    if (answers) return { host: process.env.DOCKER_HOST, engine, own: false, stop: async () => undefined };
  }
  const folders = [...new Set(programs.map(folderOf))];
  // Short: the engine's sockets lie below, and a socket's path holds 107 bytes.
  const dir = mkdtempSync(join(tmpdir(), "dockerd-"));
  const host = `unix://${dir}/s`;
  const log = openSync(join(dir, "log"), "w");
  const child = spawn(
    join(folderOf("dockerd"), "dockerd"),
    [
      ...["-H", host, "--data-root", join(dir, "data"), "--exec-root", join(dir, "x"), "--pidfile", join(dir, "pid")],
      ...["--userland-proxy=false", "--bridge=none", "--iptables=false", "--ip6tables=false"],
    ],
    {
      detached: true,
      stdio: ["ignore", log, log],
      env: { ...process.env, PATH: [...folders, process.env.PATH].join(delimiter) },
    },
  );
  const end = () => child.kill("SIGTERM");
  process.once("exit", end);
  const ended = new Promise<void>((resolve) => child.on("close", () => resolve()));
  const stop = async () => {
    process.off("exit", end);
    end();
    const forced = setTimeout(() => child.kill("SIGKILL"), 20_000);
    await ended;
    clearTimeout(forced);
    rmSync(dir, { recursive: true, force: true });
  };
  const engine = DockerEngine.fromEnvironment({ DOCKER_HOST: host });
  for (let attempt = 0; attempt < 300; attempt++) {
    try {
      await engine.requireEngine();
      return { host, engine, own: true, stop };
    } catch (error) {
      if (!(error instanceof PlatformError && error.code === "engine-down") || child.exitCode !== null) break;
      await sleep(100);
    }
  }
  const words = readFileSync(join(dir, "log"), "utf8").split("\n").slice(-10).join("\n");
  await stop();
  throw new Error(`dockerd did not start; it needs root:\n${words}`);
}

/** Containers of this process's gate that stay; others may be at work with the engine, and it takes its time to remove one that has ended. */
export async function gateContainersLeft(engine: DockerEngine): Promise<ContainerSummary[]> {
  for (let attempt = 0; ; attempt++) {
    const left = await engine.list(`dev.policychain.gate-owner=${thisProcess()}`);
    if (left.length === 0 || attempt === 50) return left;
    await sleep(100);
  }
}

/** The folder of a program: on PATH, else built by `npm run local` into the cache. */
function folderOf(program: string): string {
  const built = existsSync(cacheFolder("programs"))
    ? readdirSync(cacheFolder("programs")).map((name) => cacheFolder("programs", name))
    : [];
  const found = [...(process.env.PATH ?? "").split(delimiter), ...built].find((folder) =>
    existsSync(join(folder, program)),
  );
  if (!found)
    throw new Error(
      `no Docker engine: DOCKER_HOST does not answer and ${program} is neither on PATH nor in the cache; run \`npm run local\``,
    );
  return found;
}

/** A tar with one Dockerfile: a build context. */
export function dockerfileContext(lines: readonly string[]): Buffer {
  const text = Buffer.from(`${lines.join("\n")}\n`);
  const header = tarHeader({ name: "Dockerfile", type: "file", executable: false, size: text.length });
  return Buffer.concat([header, text, tarPadding(text.length), tarEnd]);
}

/** This machine's bash and sleep with the libraries they need, as files of an image: the smallest base with a shell. */
export function shellFiles(names: readonly string[] = ["bash", "sleep"]): LayerEntry[] {
  const files = new Map<string, string>();
  for (const name of names) {
    const program = realpathSync(execFileSync("/bin/sh", ["-c", `command -v ${name}`], { encoding: "utf8" }).trim());
    files.set(`/bin/${basename(name)}`, program);
    for (const [, library] of execFileSync("ldd", [program], { encoding: "utf8" }).matchAll(/(\/\S+) \(0x/g))
      files.set(library!, realpathSync(library!));
  }
  return [...files].map(([path, source]) => textFile(path, readFileSync(source), true));
}

/** One file of an image, from bytes. */
export function textFile(path: string, content: string | Buffer, executable = false): LayerEntry {
  const bytes = Buffer.from(content);
  return { path, executable, size: bytes.length, open: () => bytes };
}

/** Pushes files as a layer image and returns `repository@digest`. */
export async function pushFiles(
  client: RegistryClient,
  repository: string,
  files: readonly LayerEntry[],
): Promise<string> {
  const { registry, path } = parseRepository(repository);
  const image = await layerImage([...files]);
  return formatReference({ registry, path, digest: await pushLayerImage(client, { registry, path }, image) });
}
