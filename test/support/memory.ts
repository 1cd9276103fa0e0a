// Memory of uploads and copies, measured in a process of its own between two real registries.
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import type { MemoryReport } from "./memoryProbe";
import { startRegistry } from "./registry";

/** What moving a layer of `size` bytes takes beyond an idle process, in bytes. */
export async function memoryOf(size: number): Promise<MemoryReport> {
  const registries = await Promise.all([startRegistry(), startRegistry()]);
  try {
    const [from, to] = registries;
    // With the loader of ES modules: a promotion loads its reader of YAML when it has something to read.
    const args = ["--import", "tsx", join(__dirname, "memoryProbe.ts"), from.host, to.host, String(size)];
    const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 300_000 });
    return JSON.parse(stdout);
  } finally {
    await Promise.all(registries.map((registry) => registry.stop()));
  }
}
