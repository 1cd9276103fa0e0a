// Ports of this machine's loopback: whether one is free, and who has it.
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { createServer } from "node:net";
import { printable } from "../lib/printable";
import { processArguments, processIds } from "../lib/process";

/** True when a server can listen there now. */
export function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}

/** What listens on a port, as far as this user may know: `process 4711 (python3 -m http.server)`. */
export function holderOf(port: number, proc = "/proc"): string {
  const inodes = new Set(["tcp", "tcp6"].flatMap((table) => listenersOn(port, `${proc}/net/${table}`)));
  const pid = processIds(proc).find((one) => socketsOf(one, proc).some((inode) => inodes.has(inode)));
  if (pid === undefined) return "something else";
  const [program = "", ...args] = processArguments(pid, proc).filter((argument) => argument !== "");
  return `process ${pid} (${printable([program.split("/").at(-1), ...args].join(" "), 60)})`;
}

/** Inodes of the listening sockets of a port: fields of proc_net_tcp(5), state 0A is LISTEN. */
function listenersOn(port: number, table: string): string[] {
  const wanted = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  return readText(table)
    .split("\n")
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .flatMap(([, local = "", , state, , , , , , inode]) =>
      local.endsWith(wanted) && state === "0A" && inode !== undefined ? [inode] : [],
    );
}

function socketsOf(pid: number, proc: string): string[] {
  const folder = `${proc}/${pid}/fd`;
  return listOf(folder).flatMap((fd) => /^socket:\[(\d+)\]$/.exec(linkOf(`${folder}/${fd}`))?.[1] ?? []);
}

/** Empty for another user's process, and for one that is gone meanwhile. */
function listOf(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
