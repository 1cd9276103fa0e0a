// Language hosts and plugins that a killed engine left behind. They work in the project's folder, and the engine that started
// them is no longer their parent: nothing else looks like that, so nothing else is ever ended.
import { readdirSync, readFileSync, readlinkSync, realpathSync } from "node:fs";
import { basename } from "node:path";

/** A process as /proc tells it (proc(5)). */
interface Process {
  readonly pid: number;
  readonly parent: number;
  /** Z: ended, and only waiting for its parent to notice. */
  readonly state: string;
  /** Name of the program, 15 characters at most. */
  readonly name: string;
  /** Clock ticks from boot to its start: with the pid it names a process for good. */
  readonly started: string;
  readonly args: readonly string[];
}

/** Ends what killed engines left in a project's folder; the pids of what was ended. Linux only: elsewhere none is found. */
export function endOrphans(projectDir: string): number[] {
  return orphansOf(projectDir).flatMap(({ pid, started }) => {
    if (read(pid)?.started !== started) return [];
    try {
      process.kill(pid, "SIGKILL"); // nobody is left to whom it could say goodbye
      return [pid];
    } catch {
      return [];
    }
  });
}

function orphansOf(projectDir: string): Process[] {
  const folder = realpathSync(projectDir);
  const all = pids().flatMap((pid) => read(pid) ?? []);
  const byPid = new Map(all.map((one) => [one.pid, one]));
  return all.filter((one) => isOurs(one) && folderOf(one.pid) === folder && !hasEngine(one, byPid));
}

/** A language host, its program, or a plugin; a script's interpreter comes first in its arguments. */
function isOurs({ args }: Process): boolean {
  return args
    .slice(0, 2)
    .some((arg) => /^pulumi-(language|resource)-/.test(basename(arg)) || /\/@pulumi\/pulumi\/cmd\/run\b/.test(arg));
}

function hasEngine({ parent }: Process, byPid: ReadonlyMap<number, Process>): boolean {
  const above = byPid.get(parent);
  return above !== undefined && (above.name === "pulumi" || hasEngine(above, byPid));
}

function pids(): number[] {
  try {
    return readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .map(Number);
  } catch {
    return [];
  }
}

function read(pid: number): Process | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name stands in brackets and may itself hold brackets and spaces.
    const close = stat.lastIndexOf(")");
    const fields = stat.slice(close + 2).split(" ");
    const args = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
    return {
      pid,
      state: fields[0]!,
      parent: Number(fields[1]),
      name: stat.slice(stat.indexOf("(") + 1, close),
      started: fields[19]!,
      args,
    };
  } catch {
    return undefined; // gone meanwhile
  }
}

function folderOf(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return undefined; // gone meanwhile, or somebody else's
  }
}

/** Whether a process of this machine lives and is an engine; a number alone may have been given to another program since. */
export function isEngine(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EPERM") return false;
  }
  const found = read(pid);
  return found === undefined || (found.state !== "Z" && found.name.startsWith("pulumi"));
}
