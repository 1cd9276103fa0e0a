// Processes as /proc tells of them (proc(5)), and what names one for good: a number alone is given to another process later.
import { readdirSync, readFileSync } from "node:fs";

/** The fields of /proc/<pid>/stat that are used. */
export interface ProcessStat {
  readonly pid: number;
  /** Name of the program, 15 characters at most. */
  readonly name: string;
  readonly state: string;
  readonly parent: number;
  /** Clock ticks between boot and the start of the process. */
  readonly started: string;
}

/** Names a process for good: within one boot no two processes have one number and one start. */
export interface ProcessIdentity {
  readonly pid: number;
  readonly started: string;
  /** The kernel's boot id. */
  readonly boot: string;
}

/** Throws what the file system throws: ENOENT where there is no such process. `proc` is the folder of procfs, default /proc. */
export function processStat(pid: number, proc = "/proc"): ProcessStat {
  const stat = readFileSync(`${proc}/${pid}/stat`, "utf8");
  // The name stands in brackets and may itself hold brackets and spaces.
  const close = stat.lastIndexOf(")");
  const fields = stat.slice(close + 2).split(" ");
  return {
    pid,
    name: stat.slice(stat.indexOf("(") + 1, close),
    state: fields[0]!,
    parent: Number(fields[1]),
    started: fields[19]!,
  };
}

/** Its arguments, the program first; throws where there is no such process. */
export function processArguments(pid: number, proc = "/proc"): string[] {
  return readFileSync(`${proc}/${pid}/cmdline`, "utf8").split("\0");
}

/** Every process that is seen from here; none where there is no procfs. */
export function processIds(proc = "/proc"): number[] {
  try {
    return readdirSync(proc)
      .filter((name) => /^\d+$/.test(name))
      .map(Number);
  } catch {
    return [];
  }
}

/** What a process started, and what that started, as far as it still has it above; none where there is no procfs. */
export function descendantsOf(pid: number, proc = "/proc"): number[] {
  const parents = new Map<number, number>();
  for (const one of processIds(proc)) {
    try {
      parents.set(one, processStat(one, proc).parent);
    } catch {
      // ended meanwhile
    }
  }
  const below = (parent: number): number[] =>
    [...parents].filter(([, above]) => above === parent).flatMap(([one]) => [one, ...below(one)]);
  return below(pid);
}

/** True for one that has ended and only waits for its parent to notice. */
export function hasEnded({ state }: Pick<ProcessStat, "state">): boolean {
  return state === "Z" || state === "X";
}

/** The kernel's boot id: numbers and starts of another boot mean nothing. */
export function bootId(proc = "/proc"): string {
  return readFileSync(`${proc}/sys/kernel/random/boot_id`, "utf8").trim();
}

/** The identity of a living process; `undefined` when there is none, or only a zombie that nobody has reaped. */
export function identify(pid: number, proc = "/proc"): ProcessIdentity | undefined {
  try {
    const stat = processStat(pid, proc);
    return hasEnded(stat) ? undefined : { pid, started: stat.started, boot: bootId(proc) };
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
