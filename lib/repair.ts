// Brings a stack back after a killed run: the lock, pending creates, orphaned processes. Harmless when nothing is wrong.
import { readdirSync, readFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { PlatformError } from "./errors";
import { type ExecResult, exec } from "./exec";
import { fromHome } from "./home";
import { endOrphans, isEngine } from "./orphans";
import { shortName } from "./stackName";
import { dropBrokenAttributes } from "./stateFiles";

export interface RepairOptions {
  /** As Pulumi takes it: `local` or `organization/project/local`. */
  readonly stack: string;
  readonly projectDir: string;
  /** The `pulumi` command; default: the one on PATH. */
  readonly pulumi?: string;
  /** What `pulumi` is to see, backend and passphrase among it; default: this process's environment. */
  readonly env?: NodeJS.ProcessEnv;
  /** Called with each thing that is done. */
  readonly log?: (text: string) => void;
  readonly signal?: AbortSignal;
}

export interface Repaired {
  /** `unknown`: this backend does not show its locks; a lock that is there makes the refresh fail, if one is needed. */
  readonly lock: "none" | "released" | "unknown";
  /** Processes that a killed engine had left. */
  readonly ended: readonly number[];
  /** Creates that a killed run had begun; the next `pulumi up` does them again. */
  readonly cleared: number;
}

/**
 * Releases a lock whose process is gone, ends orphaned processes, and clears pending creates. Then `pulumi up` works again.
 * Errors: `pulumi-missing`, `stack-locked` (a run is going on), `repair-failed`.
 */
export async function repair(options: RepairOptions): Promise<Repaired> {
  const { log } = options;
  const lock = await releaseLock(options);
  const ended = endOrphans(options.projectDir); // after the lock, whose engine is gone by then: until it is, it is still their parent
  if (ended.length > 0) log?.(`ended what a killed run had left: ${ended.join(", ")}`);
  const cleared = await clearPending(options);
  return { lock, ended, cleared };
}

/** Who holds a lock, as the file backend writes it. */
interface Lock {
  readonly pid: number;
  readonly hostname: string;
  readonly username: string;
  readonly timestamp: string;
}

async function releaseLock(options: RepairOptions): Promise<Repaired["lock"]> {
  const { url } = JSON.parse((await succeed(options, ["whoami", "--json"])).stdout) as { url: string };
  if (!url.startsWith("file://")) return "unknown";
  const state = backendFolder(url);
  const locks = locksIn(state, options);
  const live = locks.find((lock) => lock.hostname !== hostname() || isEngine(lock.pid));
  if (live) throw locked(live, options.stack);
  const broken = dropBrokenAttributes(state);
  if (broken.length > 0) options.log?.(`removed what was only begun to be written: ${broken.join(", ")}`);
  if (locks.length === 0) return "none";
  await succeed(options, ["cancel", "--yes", "--stack", options.stack]);
  options.log?.(`released the lock of pid ${locks.map(({ pid }) => pid).join(", ")}, which is gone`);
  return "released";
}

/** The folder of a file backend; its address may carry options. */
function backendFolder(url: string): string {
  return fromHome(url.slice("file://".length).replace(/\?.*$/, ""));
}

/** Locks stand in `.pulumi/locks/organization/<project>/<stack>/<uuid>.json`; without the levels above in old backends. */
function locksIn(state: string, { stack, projectDir }: RepairOptions): Lock[] {
  const root = join(state, ".pulumi", "locks");
  const name = shortName(stack);
  const project = /^name:\s*["']?([\w.-]+)/m.exec(readFileSync(join(projectDir, "Pulumi.yaml"), "utf8"))?.[1] ?? "";
  return [join(root, "organization", project, name), join(root, name)].flatMap((folder) => {
    try {
      const files = readdirSync(folder).filter((file) => file.endsWith(".json"));
      return files.map((file) => JSON.parse(readFileSync(join(folder, file), "utf8")) as Lock);
    } catch {
      return []; // no folder, or a lock that was released meanwhile
    }
  });
}

async function clearPending(options: RepairOptions): Promise<number> {
  const { stack, log } = options;
  const exported = JSON.parse((await succeed(options, ["stack", "export", "--stack", stack])).stdout) as Exported;
  const pending = exported.deployment?.pending_operations ?? [];
  if (pending.length === 0) return 0;
  await succeed(options, ["refresh", "--clear-pending-creates", "--yes", "--skip-preview", "--stack", stack]);
  log?.(`cleared ${pending.length} pending operation${pending.length === 1 ? "" : "s"}`);
  return pending.length;
}

interface Exported {
  readonly deployment?: { readonly pending_operations?: readonly unknown[] };
}

async function succeed(options: RepairOptions, args: readonly string[]): Promise<ExecResult> {
  const { pulumi = "pulumi", projectDir, env = process.env, signal } = options;
  // The very command that its user would type: it sees what it would see in their shell.
  const environment = Object.fromEntries(
    Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
  const result = await exec(pulumi, [...args, "--non-interactive"], {
    cwd: projectDir,
    env: environment,
    timeout: 10 * 60_000,
    maxOutput: 512 * 1024 * 1024,
    signal,
  }).catch((error: NodeJS.ErrnoException) => {
    throw error.code === "ENOENT" ? missing(pulumi) : error;
  });
  if (result.code === 0) return result;
  const reason = /^error: (.*)$/m.exec(result.stderr + result.stdout)?.[1] ?? `exit code ${result.code}`;
  if (/locked|conflict: Another update/i.test(reason)) throw foreignLock(options.stack, reason);
  throw new PlatformError("repair-failed", {
    what: `pulumi ${args.slice(0, 2).join(" ")} failed: ${reason}`,
    rule: "a stack is repaired by the engine that made it",
    fix: `mend what it says and run policy-platform repair --stack ${options.stack} again`,
  });
}

function locked({ pid, hostname: host, username, timestamp }: Lock, stack: string): PlatformError {
  return new PlatformError("stack-locked", {
    what: `stack ${stack} is locked by pid ${pid} of ${username}@${host} since ${timestamp.slice(0, 19)}Z`,
    rule: "a lock is taken away only from a process that is gone",
    fix:
      host === hostname()
        ? `wait for it, or end it with kill ${pid}`
        : `wait for it; if it is gone, pulumi cancel --yes --stack ${stack}`,
  });
}

function foreignLock(stack: string, reason: string): PlatformError {
  return new PlatformError("stack-locked", {
    what: `stack ${stack} is locked: ${reason}`,
    rule: "a lock is taken away only from a process that is gone, and this backend does not tell",
    fix: `wait for it; if no run is going on, pulumi cancel --yes --stack ${stack}`,
  });
}

function missing(pulumi: string): PlatformError {
  return new PlatformError("pulumi-missing", {
    what: `no command ${pulumi}`,
    rule: "a stack is repaired by the engine that made it",
    fix: "install Pulumi or source .local/env",
  });
}
