// Whose a container is, so that those of a killed run are known at once and those of a running one are never touched.
import { readlinkSync } from "node:fs";
import { bootId, hasEnded, processStat } from "../process";

/**
 * Names this process for good: kernel, process namespace, pid, start. Empty where the kernel does not tell (not Linux).
 * Host names would not do: a container may have its host's, and a pid means something else in it.
 */
export function thisProcess(): string {
  try {
    return [...space(), process.pid, processStat(process.pid).started].join(" ");
  } catch {
    return "";
  }
}

/** True when the named process is certainly gone; false for one of another machine or namespace, of which nothing is known. */
export function isGone(owner: string): boolean {
  try {
    const [boot, namespace, pid, started] = owner.split(" ");
    const [ownBoot, ownNamespace] = space();
    if (boot !== ownBoot || namespace !== ownNamespace) return false;
    const found = processStat(Number(pid));
    return found.started !== started || hasEnded(found);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOENT" && /^\S+ \S+ \d+ \d+$/.test(owner);
  }
}

/** Within which a pid and its start mean one process. */
function space(): [boot: string, namespace: string] {
  return [bootId(), readlinkSync("/proc/self/ns/pid")];
}
