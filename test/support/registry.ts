// The real registry (Debian's docker-registry, or any `registry` of the same project) on a free port, for tests.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, statfsSync, writeFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { cacheFolder } from "../../lib/cache";

export interface RegistryOptions {
  /** Refuses every write with 405. */
  readonly readOnly?: boolean;
  /** Folder of its storage; it is kept. Default: a new folder, removed at the end. */
  readonly storage?: string;
  /** Asks for basic authentication: name `tester`, password `secret`. */
  readonly basic?: boolean;
  /** Speaks TLS by these files; default: plain http. */
  readonly tls?: { readonly certificate: string; readonly key: string };
  /** Names no host in the addresses that it gives, for one behind another. */
  readonly relativeUrls?: boolean;
  /** Port to listen on; default: a free one. */
  readonly port?: number;
  /** Keeps its storage on the disk although there is room in memory; for measurements. */
  readonly onDisk?: boolean;
}

export interface TestRegistry {
  /** `127.0.0.1:port`. */
  readonly host: string;
  /** Folder with its configuration and, where none was given, its storage. */
  readonly dir: string;
  stop(): Promise<void>;
}

/** bcrypt of `secret`. */
const testerLine = "tester:$2b$04$HC5CPllhyLg3j302pH0CV.bZ22xWWDAwndoc.9GozR5elXYhiTRki";

/** A folder for DOCKER_CONFIG with the name and password that a registry started with `basic` asks for. */
export function dockerConfig(host: string): string {
  const dir = mkdtempSync(join(tmpdir(), "docker-config-"));
  const auth = Buffer.from("tester:secret").toString("base64");
  writeFileSync(join(dir, "config.json"), JSON.stringify({ auths: { [host]: { auth } } }));
  return dir;
}

/**
 * The registry's program: installed, unpacked from Debian's package into the cache folder, or built there; undefined when
 * there is none. Nothing is installed for the tests: the package starts a service on port 5000.
 */
export function registryProgram(): string | undefined {
  const below = (folder: string, name: string, path: string) =>
    (existsSync(folder) ? readdirSync(folder) : [])
      .filter((entry) => entry.startsWith(name) && !entry.endsWith(".tmp"))
      .map((entry) => join(folder, entry, path));
  return [
    ...(process.env.PATH ?? "").split(delimiter).map((folder) => join(folder, "docker-registry")),
    "/usr/bin/docker-registry",
    ...below(cacheFolder("debian"), "docker-registry-", "usr/bin/docker-registry"),
    ...below(cacheFolder("programs"), "registry-", "registry"),
  ].find((file) => existsSync(file));
}

/** Looked for at once: tests give the cache folder other places later. */
const program = registryProgram();

/** Bytes that must be free in memory: some releases of the whole local stack. */
const roomInMemory = 4e9;

/** Where registries keep what they are given: they have the disk write each piece at once, which is most of the time that they take. */
function storageRoot(onDisk: boolean): string {
  const memory = "/dev/shm";
  if (onDisk || !existsSync(memory)) return tmpdir();
  const { bavail, bsize } = statfsSync(memory);
  return bavail * bsize > roomInMemory ? memory : tmpdir();
}

/** Starts a registry and resolves when it answers. */
export async function startRegistry(options: RegistryOptions = {}): Promise<TestRegistry> {
  if (!program)
    throw new Error("no registry program; the tests start one of their own; npm run test:fast makes it ready");
  const dir = await mkdtemp(join(storageRoot(options.onDisk ?? false), "registry-"));
  const storage = options.storage ?? join(dir, "storage");
  const config = {
    version: 0.1,
    log: { level: "info", formatter: "json", accesslog: { disabled: true } },
    storage: {
      filesystem: { rootdirectory: storage },
      delete: { enabled: true },
      maintenance: { readonly: { enabled: options.readOnly === true } },
    },
    http: {
      addr: `127.0.0.1:${options.port ?? 0}`,
      relativeurls: options.relativeUrls === true,
      ...(options.tls && { tls: options.tls }),
    },
    ...(options.basic ? { auth: { htpasswd: { realm: "test", path: join(dir, "htpasswd") } } } : {}),
  };
  await writeFile(join(dir, "htpasswd"), `${testerLine}\n`);
  await writeFile(join(dir, "config.yml"), JSON.stringify(config)); // JSON is YAML
  // It collects its garbage a quarter as often, which is a third of what a small push costs it.
  const env = { ...process.env, GOGC: "400" };
  const child = spawn(program, ["serve", join(dir, "config.yml")], { stdio: ["ignore", "pipe", "pipe"], env });
  try {
    const host = await listening(child);
    return {
      host,
      dir,
      async stop() {
        await ended(child);
        await rm(dir, { recursive: true, force: true });
      },
    };
  } catch (error) {
    await ended(child);
    throw error;
  }
}

/** Its log names the port that the system chose. */
function listening(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let log = "";
    const read = (chunk: Buffer) => {
      log = `${log}${chunk}`.slice(-4000);
      const found = /listening on (127\.0\.0\.1:[0-9]+)/.exec(log)?.[1];
      if (found === undefined) return;
      for (const stream of [child.stdout, child.stderr]) stream?.off("data", read).resume(); // every request is logged
      resolve(found);
    };
    assert.ok(child.stdout !== null && child.stderr !== null);
    child.stdout.on("data", read);
    child.stderr.on("data", read);
    child.on("error", reject);
    child.on("exit", (code) => reject(new Error(`docker-registry ended with ${code}: ${log.slice(-2000)}`)));
  });
}

function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return Promise.resolve();
  return new Promise((resolve) => {
    child.on("exit", () => resolve());
    child.kill("SIGKILL");
  });
}
