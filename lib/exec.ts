// Runs another program: argv only, never a shell; an environment built from an allow-list; bounded time and output.
import { type ChildProcess, spawn } from "node:child_process";
import type { Readable } from "node:stream";
import { StringDecoder } from "node:string_decoder";
import { descendantsOf } from "./process";

/** Variables a child may see beside those given explicitly; everything else, tokens above all, stays behind. */
const allowedEnvironment = ["PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR"];

export interface ExecOptions {
  readonly cwd?: string;
  /** Added to the allow-listed variables. */
  readonly env?: Readonly<Record<string, string>>;
  /**
   * Milliseconds after which the child is killed with all that it started (where there is a procfs to find that in), and
   * nobody waits any more for what is left of it; default 60,000.
   */
  readonly timeout?: number;
  readonly signal?: AbortSignal;
  /** Written to the child's standard input, which is then closed. */
  readonly input?: string | Uint8Array;
  /** Bytes kept of each of stdout and stderr; what is beyond is read and dropped. Default 16 MiB. */
  readonly maxOutput?: number;
  /** Called with the text of both streams as it arrives, in whole characters. */
  readonly onOutput?: (text: string) => void;
}

export interface ExecResult {
  /** Exit code; `null` when a signal ended the child. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** True when `timeout` ended the child. */
  readonly timedOut: boolean;
}

/** The allow-listed part of this process's environment. */
export function childEnvironment(extra: Readonly<Record<string, string>> = {}): Record<string, string> {
  const kept = allowedEnvironment.flatMap((name) =>
    process.env[name] === undefined ? [] : [[name, process.env[name]]],
  );
  return { ...Object.fromEntries(kept), ...extra };
}

/** Milliseconds in which what a killed child has written is still read. */
const drainTime = 100;

/**
 * Runs `program` and resolves whatever its exit code is; rejects when it cannot be started and when `signal` aborts it.
 * The child stays in this process's group, so that Ctrl-C reaches it and all that it starts. These may outlive it and hold its
 * pipes open: then the pipes are let go at the time-out, as nothing of ours may wait for a stranger.
 */
export function exec(program: string, args: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
  const { timeout = 60_000, maxOutput = 16 * 1024 * 1024 } = options;
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd: options.cwd,
      env: childEnvironment(options.env),
      signal: options.signal,
      killSignal: "SIGKILL",
      stdio: ["pipe", "pipe", "pipe"],
    });
    const stdout = collect(child.stdout, maxOutput, options.onOutput);
    const stderr = collect(child.stderr, maxOutput, options.onOutput);
    const letGo = () => {
      for (const stream of [child.stdin, child.stdout, child.stderr]) stream.destroy();
    };
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = child.exitCode === null && child.signalCode === null;
      if (!timedOut) return letGo();
      child.once("exit", () => setTimeout(letGo, drainTime));
      killTree(child);
    }, timeout);
    child.on("error", (error) => {
      clearTimeout(timer);
      letGo();
      reject(error);
    });
    child.on("close", (code) => {
      clearTimeout(timer);
      resolve({ code, stdout: stdout(), stderr: stderr(), timedOut });
    });
    child.stdin.on("error", () => undefined); // a child that exits without reading its input is its own business
    child.stdin.end(options.input ?? "");
  });
}

function killTree(child: ChildProcess): void {
  const below = child.pid === undefined ? [] : descendantsOf(child.pid);
  child.kill("SIGKILL");
  for (const pid of below) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // ended meanwhile
    }
  }
}

/** Reads a stream to its end; the function returned gives the text of its first `maxOutput` bytes. */
function collect(stream: Readable, maxOutput: number, onOutput: ExecOptions["onOutput"]): () => string {
  const chunks: Buffer[] = [];
  const decoder = new StringDecoder();
  let size = 0;
  stream.on("data", (chunk: Buffer) => {
    const text = onOutput ? decoder.write(chunk) : "";
    if (text !== "") onOutput?.(text);
    if (size < maxOutput) chunks.push(chunk.subarray(0, maxOutput - size));
    size += chunk.length;
  });
  stream.on("end", () => {
    const rest = decoder.end();
    if (rest !== "") onOutput?.(rest);
  });
  return () => {
    const whole = new StringDecoder();
    const text = whole.write(Buffer.concat(chunks));
    return size > maxOutput ? text : text + whole.end(); // a character that the bound cut in two is left out
  };
}
