// Whose a container is, so that those of a killed run are known at once and those of a running one are never touched.
import { readFileSync, readlinkSync } from "node:fs";

/** Fields of /proc/<pid>/stat behind the program's name (proc(5)): the state, and the clock ticks from boot to the start. */
const fields = { state: 0, started: 19 };

/**
 * Names this process for good: kernel, process namespace, pid, start. Empty where the kernel does not tell (not Linux).
 * Host names would not do: a container may have its host's, and a pid means something else in it.
 */
export function thisProcess(): string {
  try {
    return [...space(), process.pid, stat(process.pid)[fields.started]].join(" ");
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
    const found = stat(Number(pid));
    return found[fields.started] !== started || /[ZX]/.test(found[fields.state]!);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOENT" && /^\S+ \S+ \d+ \d+$/.test(owner);
  }
}

/** Within which a pid and its start mean one process. */
function space(): [boot: string, namespace: string] {
  return [readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim(), readlinkSync("/proc/self/ns/pid")];
}

function stat(pid: number): string[] {
  const text = readFileSync(`/proc/${pid}/stat`, "utf8");
  // The name stands in brackets and may itself hold brackets and spaces.
  return text.slice(text.lastIndexOf(")") + 2).split(" ");
}
