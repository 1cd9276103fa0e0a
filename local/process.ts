// Processes that outlive this one: started in a session of their own, known again by pid, start time and boot, so that
// a number which the kernel gave to somebody else in the meantime is never taken for ours.
import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks between boot and the start of the process: field 22 of /proc/<pid>/stat (proc(5)). */
  readonly started: string;
  /** The kernel's boot id. */
  readonly boot: string;
}

/** The identity of a living process; `undefined` when there is none, or only a zombie that nobody has reaped. */
export function identify(pid: number, proc = "/proc"): ProcessIdentity | undefined {
  try {
    const stat = readFileSync(`${proc}/${pid}/stat`, "utf8");
    // The second field is the program's name in brackets and may itself hold spaces and brackets.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const state = fields[0];
    const started = fields[19];
    if (started === undefined || state === "Z" || state === "X") return undefined;
    return { pid, started, boot: readFileSync(`${proc}/sys/kernel/random/boot_id`, "utf8").trim() };
  } catch {
    return undefined;
  }
}

/** True while the very process lives that was identified. */
export function isAlive(identity: ProcessIdentity | undefined, proc = "/proc"): identity is ProcessIdentity {
  if (identity === undefined) return false;
  const now = identify(identity.pid, proc);
  return now !== undefined && now.started === identity.started && now.boot === identity.boot;
}

/** Living processes that have an argument for which `matches` holds. */
export function findByArgument(matches: (argument: string) => boolean, proc = "/proc"): ProcessIdentity[] {
  return readdirSync(proc)
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((name) => {
      try {
        return readFileSync(`${proc}/${name}/cmdline`, "utf8").split("\0").some(matches);
      } catch {
        return false;
      }
    })
    .flatMap((name) => identify(Number(name), proc) ?? []);
}

export interface DetachedOptions {
  readonly log: string;
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
}

/** Starts a program that goes on when this command and its terminal are gone. */
export async function startDetached(
  program: string,
  args: readonly string[],
  options: DetachedOptions,
): Promise<ProcessIdentity> {
  mkdirSync(dirname(options.log), { recursive: true });
  const log = openSync(options.log, "a");
  try {
    const child = spawn(program, args, {
      cwd: options.cwd,
      env: options.env,
      detached: true,
      stdio: ["ignore", log, log],
    });
    await new Promise<void>((resolve, reject) => {
      child.once("spawn", resolve);
      child.once("error", reject);
    });
    child.unref();
    // A child that ended at once leaves a zombie until Node has reaped it: no identity, the caller sees it as gone.
    return identify(child.pid!) ?? { pid: child.pid!, started: "", boot: "" };
  } finally {
    closeSync(log);
  }
}

/** Ends one process: SIGTERM, and SIGKILL after `patience` milliseconds. Resolves when it is gone. */
export async function stop(identity: ProcessIdentity, patience = 20_000): Promise<"stopped" | "killed" | "gone"> {
  if (!isAlive(identity)) return "gone";
  signal(identity, "SIGTERM");
  if (await gone(identity, patience)) return "stopped";
  signal(identity, "SIGKILL");
  await gone(identity, 5_000);
  return "killed";
}

function signal(identity: ProcessIdentity, name: NodeJS.Signals): void {
  try {
    if (isAlive(identity)) process.kill(identity.pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

async function gone(identity: ProcessIdentity, patience: number): Promise<boolean> {
  const end = Date.now() + patience;
  while (isAlive(identity)) {
    if (Date.now() > end) return false;
    await sleep(50);
  }
  return true;
}
