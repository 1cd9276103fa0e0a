// The processes of a cluster, found again by their first argument: `.local/clusters/<name>/<component>`. Nothing needs to be
// written down, so nothing can be out of date after a kill.
import { existsSync, readlinkSync, renameSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { printable } from "../../lib/printable";
import { identify, isAlive, type ProcessIdentity, processArguments, processIds } from "../../lib/process";
import { startDetached, stop } from "../process";
import { type Component, components, type LocalCluster } from "./cluster";
import type { Command } from "./commands";

export interface RunningComponent {
  readonly component: Component;
  readonly identity: ProcessIdentity;
  /** Without the first. */
  readonly args: readonly string[];
}

/** The components of a cluster that run, in the order in which they start. */
export function runningComponents(cluster: LocalCluster, proc = "/proc"): RunningComponent[] {
  const byName = new Map(components.map((component) => [nameOf(cluster, component), component]));
  const found = processIds(proc).flatMap((pid) => {
    try {
      const [first, ...args] = processArguments(pid, proc);
      const component = byName.get(first ?? "");
      const identity = component && identify(pid, proc);
      return identity ? [{ component, identity, args: args.slice(0, -1) }] : [];
    } catch {
      return []; // gone meanwhile
    }
  });
  return found.sort((one, other) => components.indexOf(one.component) - components.indexOf(other.component));
}

/** Starts a component in the cluster's folder; the log of its last start is kept beside the new one. */
export async function startComponent(
  cluster: LocalCluster,
  { component, program, args, env }: Command,
): Promise<RunningComponent> {
  const log = logOf(cluster, component);
  if (existsSync(log)) renameSync(log, `${log}.1`);
  const identity = await startDetached(program, args, {
    log,
    env,
    cwd: cluster.folder,
    argv0: nameOf(cluster, component),
  });
  return { component, identity, args };
}

/** True when it runs what the command says: the same program file with the same arguments. */
export function runsAs({ identity, args }: RunningComponent, command: Command): boolean {
  const isSameProgram = programFile(identity.pid) === command.program;
  return (
    isSameProgram && args.length === command.args.length && args.every((one, index) => one === command.args[index])
  );
}

/** Ends every component, controllers first, etcd last; resolves with how many there were. */
export async function stopComponents(cluster: LocalCluster): Promise<number> {
  const running = runningComponents(cluster);
  const isStore = ({ component }: RunningComponent) => component === "etcd";
  const isServer = ({ component }: RunningComponent) => component === "kube-apiserver";
  const rest = running.filter((one) => !isStore(one) && !isServer(one));
  // Each of them writes to the API server as it ends, and that to etcd.
  for (const group of [rest, running.filter(isServer), running.filter(isStore)])
    await Promise.all(group.map(({ identity }) => stop(identity, 10_000)));
  return running.length;
}

/** Components that have ended since they were started or found. */
export function endedAmong(watched: readonly RunningComponent[]): Component[] {
  return watched.filter(({ identity }) => !isAlive(identity)).map(({ component }) => component);
}

/** The last lines of a component's log. */
export async function lastLines(cluster: LocalCluster, component: Component, count = 3): Promise<string[]> {
  const text = await readFile(logOf(cluster, component), "utf8").catch(() => "");
  return text
    .trim()
    .split("\n")
    .slice(-count)
    .filter((line) => line !== "")
    .map((line) => printable(line, 400));
}

export function logOf(cluster: LocalCluster, component: Component): string {
  return join(cluster.logs, `${component}.log`);
}

/** The file that a process was started from; empty when that cannot be seen. */
function programFile(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/exe`);
  } catch {
    return "";
  }
}

function nameOf({ folder }: LocalCluster, component: Component): string {
  return join(folder, component);
}
