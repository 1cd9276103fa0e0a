// A checkout of its own for local clusters: the built command in a folder that has what the command reads.
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ExecResult, exec } from "../../lib/exec";
import { type Layout, layoutOf } from "../../local/layout";
import { canListen } from "../../local/ports";
import { killProcesses, processesOf } from "./processes";

const root = join(__dirname, "..", "..");

export interface ClusterCheckout {
  readonly layout: Layout;
  /** Runs `local/main.ts ARGS`. */
  command(...args: string[]): Promise<ExecResult>;
  /** Starts a cluster as programs do that ask for an environment with one. */
  start(...args: string[]): Promise<ExecResult>;
  remove(): Promise<void>;
}

export function createClusterCheckout(): ClusterCheckout {
  const dir = mkdtempSync(join(tmpdir(), "policy-platform-cluster-"));
  for (const name of ["local", "dist", "node_modules", "package.json", "Pulumi.yaml"])
    symlinkSync(join(root, name), join(dir, name));
  const command = (...args: string[]) =>
    exec(process.execPath, [join(root, "dist/local/main.js"), ...args], { cwd: dir, timeout: 200_000 });
  return {
    layout: layoutOf(dir),
    command,
    start: (...args) => command("env", "--json", "--only", "toolchain", "--cluster", ...args),
    remove: async () => {
      await command("down");
      killProcesses(processesOf(dir));
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** The first of five ports that nothing has. */
export async function freeClusterPorts(): Promise<number> {
  for (;;) {
    const base = 20_000 + Math.floor(Math.random() * 1_000) * 10;
    const free = await Promise.all([0, 1, 2, 3, 4].map((index) => canListen(base + index)));
    if (free.every(Boolean)) return base;
  }
}

/** Bytes that processes have for themselves; what they share counts by its share. */
export function memoryOf(pids: readonly number[]): number {
  const kilobytes = pids.map((pid) =>
    Number(/^Pss:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))![1]),
  );
  return kilobytes.reduce((sum, one) => sum + one, 0) * 1024;
}
