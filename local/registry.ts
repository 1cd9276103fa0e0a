// The local registry: Debian's docker-registry (or the same program built from Go) on 127.0.0.1, with data under .local/.
// It marks its answers with the checkout's identity, so nothing is ever written to a registry that is not ours.
import { randomBytes } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { PlatformError } from "../lib/errors";
import { childEnvironment } from "../lib/exec";
import { isAlive, type ProcessIdentity } from "../lib/process";
import type { Layout } from "./layout";
import { readMemory, remember } from "./memory";
import { canListen } from "./ports";
import { findByArgument, startDetached, stop } from "./process";

export const defaultPort = 5000;
const identityHeader = "x-policy-platform";
const startPatience = 15_000;

/** Who answers on a port of this machine. */
export type Answerer = "nobody" | "ours" | "another checkout" | "something else";

/** The port to use: the one asked for, else the one of the last run, else 5000. Error: `port-malformed`. */
export function choosePort(asked: string | undefined, remembered: number | undefined): number {
  if (asked === undefined) return remembered ?? defaultPort;
  const port = /^\d{1,5}$/.test(asked) ? Number(asked) : 0;
  if (port >= 1 && port <= 65_535) return port;
  throw new PlatformError("port-malformed", {
    what: `--registry-port is ${JSON.stringify(asked)}`,
    rule: "a port is a number from 1 to 65535",
    fix: "give another one, for example --registry-port 5001",
  });
}

/** Asks once, for at most `patience` milliseconds. A port that takes connections and says nothing is something else. */
export async function whoAnswers(port: number, identity: string, patience = 2_000): Promise<Answerer> {
  try {
    const answer = await fetch(`http://127.0.0.1:${port}/v2/`, {
      signal: AbortSignal.timeout(patience),
      redirect: "manual",
    });
    await answer.body?.cancel();
    const mark = answer.headers.get(identityHeader);
    if (mark === null) return "something else";
    return mark === identity ? "ours" : "another checkout";
  } catch (error) {
    const cause = (error as { cause?: { code?: string; errors?: { code?: string }[] } }).cause;
    return cause?.code === "ECONNREFUSED" ? "nobody" : "something else";
  }
}

export interface RegistryOptions {
  readonly layout: Layout;
  readonly port: number;
  /** The program, asked for only when it has to be started. */
  readonly program: () => Promise<string>;
}

/** Starts the registry unless it runs. Errors: `port-taken`, `registry-start`. */
export async function ensureRegistry({ layout, port, program }: RegistryOptions): Promise<"running" | "started"> {
  const answerer = await whoAnswers(port, layout.identity);
  if (answerer === "ours") {
    if (!isAlive(readMemory(layout.memoryFile).registry)) adopt(layout);
    remember(layout.memoryFile, { registryPort: port });
    return "running";
  }
  if (answerer !== "nobody") throw portTaken(port, answerer, await freePortAbove(port));
  // Ours, but on the port of an earlier run.
  await stopRegistry(layout);
  const file = await program();
  const log = join(layout.logs, "registry.log");
  const started = await startDetached(file, ["serve", await writeConfiguration(layout, port)], {
    log,
    env: childEnvironment(),
    cwd: layout.projectDir,
  });
  remember(layout.memoryFile, { registryPort: port, registry: { ...started, program: file } });
  const end = Date.now() + startPatience;
  while (Date.now() < end && isAlive(started)) {
    if ((await whoAnswers(port, layout.identity)) === "ours") return "started";
    await sleep(50);
  }
  throw new PlatformError("registry-start", {
    what: `the registry does not answer on 127.0.0.1:${port}: ${await lastLine(log)}`,
    rule: "the local stack keeps its images in a registry of its own",
    fix: `read ${log}, then run it again, with --registry-port if the port is the trouble`,
  });
}

/** Ends the registry of this checkout, and nothing else. */
export async function stopRegistry(layout: Layout): Promise<boolean> {
  const running = [readMemory(layout.memoryFile).registry, ...byConfiguration(layout)].filter((process) =>
    isAlive(process),
  );
  for (const process of running) await stop(process, 10_000);
  remember(layout.memoryFile, { registry: undefined });
  return running.length > 0;
}

/** A registry that an interrupted run started before it could write that down. */
function adopt(layout: Layout): void {
  const found = byConfiguration(layout)[0];
  if (found) remember(layout.memoryFile, { registry: { ...found, program: "registry" } });
}

function byConfiguration(layout: Layout): ProcessIdentity[] {
  return findByArgument((argument) => argument === configurationFile(layout));
}

function configurationFile(layout: Layout): string {
  return join(layout.registry, "config.yml");
}

async function writeConfiguration(layout: Layout, port: number): Promise<string> {
  const storage = join(layout.registry, "data");
  await mkdir(storage, { recursive: true });
  const configuration = {
    version: "0.1",
    log: { level: "warn", accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: storage }, delete: { enabled: true } },
    http: {
      addr: `127.0.0.1:${port}`,
      secret: randomBytes(24).toString("hex"),
      headers: { "X-Policy-Platform": [layout.identity] },
    },
  };
  const file = configurationFile(layout);
  await writeFile(file, `${JSON.stringify(configuration, null, 2)}\n`, { mode: 0o600 });
  return file;
}

async function lastLine(file: string): Promise<string> {
  const text = await readFile(file, "utf8").catch(() => "");
  return text.trim().split("\n").at(-1) ?? "";
}

/** The next port that nothing listens on: the one that is proposed must work. */
async function freePortAbove(port: number): Promise<number> {
  for (let candidate = port + 1; candidate < 65_536; candidate++) if (await canListen(candidate)) return candidate;
  return port + 1;
}

function portTaken(port: number, answerer: Answerer, free: number): PlatformError {
  return new PlatformError("port-taken", {
    what: `127.0.0.1:${port} is answered by ${answerer === "another checkout" ? "the local registry of another checkout" : answerer}`,
    rule: "nothing is written to a registry that this checkout did not start",
    fix: `choose a free port: npm run local -- --registry-port ${free}`,
  });
}
