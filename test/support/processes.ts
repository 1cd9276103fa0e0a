// The processes that belong to one project's engine runs: found from outside by /proc, as an operator would after a kill.
// Plugins are in process groups of their own, so neither a parent nor a group leads to them.
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/** `program` is the Node process that runs index.ts; `host` is what started it for the engine. */
export type ProcessKind = "engine" | "policychain" | "docker" | "host" | "program" | "other";

export interface ProjectProcess {
  readonly pid: number;
  readonly kind: ProcessKind;
  /** Arguments, joined by blanks. */
  readonly command: string;
}

/** Every living process that works for the project in `dir`: started there, or with its state as backend. */
export function processesOf(dir: string): ProjectProcess[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap((name) => {
      try {
        const environment = readFileSync(`/proc/${name}/environ`, "latin1");
        const ours = readlinkSync(`/proc/${name}/cwd`) === dir || environment.includes(`=file://${dir}/`);
        const command = readFileSync(`/proc/${name}/cmdline`, "utf8").split("\0").join(" ").trim();
        return ours && command !== "" ? [{ pid: Number(name), kind: kindOf(command), command }] : [];
      } catch {
        return []; // ended while we looked, or not ours to look at
      }
    });
}

/** The plugins of this repository. */
export function pluginsOf(dir: string): ProjectProcess[] {
  return processesOf(dir).filter(({ kind }) => kind === "policychain" || kind === "docker");
}

/** SIGKILL, as the kernel or an operator would; one that has just ended is no error. */
export function killProcesses(processes: readonly ProjectProcess[]): void {
  for (const { pid } of processes) {
    try {
      process.kill(pid, "SIGKILL");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
  }
}

/** Waits until `find` finds nothing, and returns what is still there after `patience` milliseconds. */
export async function leftAfter(patience: number, find: () => ProjectProcess[]): Promise<ProjectProcess[]> {
  const end = Date.now() + patience;
  for (;;) {
    const found = find();
    if (found.length === 0 || Date.now() > end) return found;
    await sleep(25);
  }
}

function kindOf(command: string): ProcessKind {
  if (command.includes("pulumi-resource-policychain")) return "policychain";
  if (command.includes("pulumi-resource-docker")) return "docker";
  if (command.includes("pulumi-language-")) return "host";
  if (/\/cmd\/run(-policy-pack)?(\.js)?\b/.test(command) || command.includes("@pulumi/pulumi/cmd/run"))
    return "program";
  if (/(^|\/)pulumi /.test(command)) return "engine";
  return "other";
}
