// Language hosts and plugins that a killed engine left behind. They work in the project's folder, and the engine that started
// them is no longer their parent: nothing else looks like that, so nothing else is ever ended.
import { readlinkSync, realpathSync } from "node:fs";
import { basename } from "node:path";
import { hasEnded, type ProcessStat, processArguments, processIds, processStat } from "./process";

interface Process extends ProcessStat {
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
  const all = processIds().flatMap((pid) => read(pid) ?? []);
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

function read(pid: number): Process | undefined {
  try {
    return { ...processStat(pid), args: processArguments(pid) };
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
  return found === undefined || (!hasEnded(found) && found.name.startsWith("pulumi"));
}
