// Runs git: argv only, never a shell; an environment that lets nothing ask, nothing run and no protocol through but four;
// bounded time, output and, where it is told how to measure that, size.
import { type ChildProcess, spawn } from "node:child_process";
import { PlatformError } from "../errors";
import { childEnvironment } from "../exec";
import { processIds, processStat } from "../process";

/** Beside what every child may see: how this network is left, whom git may trust, and where it finds credentials. */
const passedOn = [
  ...["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"].flatMap((name) => [name, name.toLowerCase()]),
  ...["SSL_CERT_FILE", "SSL_CERT_DIR", "GIT_SSL_CAINFO", "GIT_SSL_CAPATH"],
  ...["SSH_AUTH_SOCK", "XDG_CONFIG_HOME", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "USER", "LOGNAME"],
];

/** A host that does not answer or stalls ends the command; what asks for a password or a new host's key fails at once. */
const sshOptions = "-oBatchMode=yes -oConnectTimeout=20 -oServerAliveInterval=10 -oServerAliveCountMax=3";

/** Settings of the user's own git that must not hold here. Credential helpers, proxies and addresses' aliases stay. */
const settings: Readonly<Record<string, string>> = {
  "core.hooksPath": "/dev/null",
  "core.fsmonitor": "false",
  "http.followRedirects": "false", // it would lead to hosts inside, and down to plain http, with the credentials for them
  "credential.interactive": "false",
  "fetch.unpackLimit": "1", // a pack can be measured while it grows
  "transfer.unpackLimit": "1",
  "fetch.recurseSubmodules": "false",
  "fetch.writeCommitGraph": "false",
  "gc.auto": "0",
  "maintenance.auto": "false",
  "advice.objectNameWarning": "false",
};

export interface GitOptions {
  /** Milliseconds; default one minute. */
  readonly timeout?: number;
  /** Seconds that a transfer may stand still; default 30. */
  readonly idleSeconds?: number;
  readonly signal?: AbortSignal;
  readonly input?: string;
  /** Bytes of stdout; more ends git with `stopped: "output"`. Default 16 MiB. */
  readonly maxOutput?: number;
  /** Looked at several times a second; the first true ends git with `stopped: "watch"`. */
  readonly watch?: () => boolean;
}

export interface GitResult {
  readonly code: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
  /** Why git was ended by us. */
  readonly stopped?: "timeout" | "output" | "watch";
}

/** Runs one git command; resolves whatever its exit code is. Errors: `git-missing`, and the reason of an aborted signal. */
export function git(args: readonly string[], options: GitOptions = {}): Promise<GitResult> {
  const { timeout = 60_000, maxOutput = 16 * 1024 * 1024, signal } = options;
  const idle = { "http.lowSpeedLimit": "1", "http.lowSpeedTime": `${options.idleSeconds ?? 30}` };
  const given = Object.entries({ ...settings, ...idle }).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const child = spawn("git", [...given, ...args], { env: environment(), stdio: ["pipe", "pipe", "pipe"] });
    let stopped: GitResult["stopped"];
    const stop = (reason?: GitResult["stopped"]) => {
      stopped ??= reason;
      endAll(child);
    };
    const timer = setTimeout(() => stop("timeout"), timeout);
    const watcher = setInterval(() => options.watch?.() === true && stop("watch"), 50);
    const aborted = () => stop();
    signal?.addEventListener("abort", aborted, { once: true });
    const settle = () => {
      clearTimeout(timer);
      clearInterval(watcher);
      signal?.removeEventListener("abort", aborted);
    };
    const stdout: Buffer[] = [];
    let size = 0;
    child.stdout.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size > maxOutput) stop("output");
      else stdout.push(chunk);
    });
    let stderr = "";
    child.stderr.on("data", (chunk: Buffer) => {
      stderr = `${stderr}${chunk.toString("utf8")}`.slice(-16 * 1024);
    });
    child.on("error", (error) => {
      settle();
      reject((error as NodeJS.ErrnoException).code === "ENOENT" ? gitMissing() : error);
    });
    child.on("close", (code) => {
      settle();
      if (signal?.aborted) reject(signal.reason);
      else resolve({ code, stdout: Buffer.concat(stdout), stderr, ...(stopped && { stopped }) });
    });
    child.stdin.on("error", () => undefined); // a git that ends without reading its input says why on stderr
    child.stdin.end(options.input ?? "");
  });
}

function environment(): Record<string, string> {
  const kept = [...passedOn, ...givenSettings()].flatMap((name) =>
    process.env[name] === undefined ? [] : [[name, process.env[name]]],
  );
  return childEnvironment({
    ...Object.fromEntries(kept),
    LC_ALL: "C",
    GIT_TERMINAL_PROMPT: "0",
    GIT_ASKPASS: "",
    SSH_ASKPASS_REQUIRE: "never",
    GCM_INTERACTIVE: "never",
    GIT_SSH_COMMAND: `${process.env.GIT_SSH_COMMAND ?? "ssh"} ${sshOptions}`,
    GIT_ALLOW_PROTOCOL: "https:http:ssh:file",
    GIT_PROTOCOL_FROM_USER: "0",
    GIT_LFS_SKIP_SMUDGE: "1",
    GIT_NO_LAZY_FETCH: "1",
    GIT_NO_REPLACE_OBJECTS: "1",
    GIT_OPTIONAL_LOCKS: "0",
  });
}

/** Settings that a CI system hands to git by its environment: often the header that carries its token. */
function givenSettings(): string[] {
  const count = Math.min(Number(process.env.GIT_CONFIG_COUNT ?? 0) || 0, 100);
  const pairs = Array.from({ length: count }, (_, at) => [`GIT_CONFIG_KEY_${at}`, `GIT_CONFIG_VALUE_${at}`]);
  return count > 0 ? ["GIT_CONFIG_COUNT", ...pairs.flat()] : [];
}

/**
 * Ends git and what it started: a helper of its own would download on. The child stays in our process group, so that Ctrl-C
 * reaches all of them; where there is no procfs its helpers end when they next write to it.
 */
function endAll(child: ChildProcess): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  for (const pid of [...below(child.pid), child.pid]) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It ended by itself.
    }
  }
  for (const stream of [child.stdin, child.stdout, child.stderr]) stream?.destroy();
}

function below(pid: number): number[] {
  const parents = processIds().flatMap((one) => {
    try {
      return [{ pid: one, parent: processStat(one).parent }];
    } catch {
      return [];
    }
  });
  const children = (of: number): number[] =>
    parents.filter(({ parent }) => parent === of).flatMap((one) => [one.pid, ...children(one.pid)]);
  return children(pid);
}

function gitMissing(): PlatformError {
  return new PlatformError("git-missing", {
    what: "the command git is not installed",
    rule: "a repository that is given by git is fetched by git",
    fix: "install git 2.36 or later (apt-get install git)",
  });
}
