// Processes that outlive this one: started in a session of their own, known again by what names them for good, so that
// a number which the kernel gave to somebody else in the meantime is never taken for ours.
import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync } from "node:fs";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { identify, isAlive, type ProcessIdentity, processArguments, processIds } from "../lib/process";

/** Living processes that have an argument for which `matches` holds. */
export function findByArgument(matches: (argument: string) => boolean, proc = "/proc"): ProcessIdentity[] {
  return processIds(proc)
    .filter((pid) => {
      try {
        return pid !== process.pid && processArguments(pid, proc).some(matches);
      } catch {
        return false; // gone meanwhile
      }
    })
    .flatMap((pid) => identify(pid, proc) ?? []);
}

export interface DetachedOptions {
  readonly log: string;
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
  /** What stands first among its arguments, by which it can be found again; default: the program. */
  readonly argv0?: string;
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
      argv0: options.argv0,
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
