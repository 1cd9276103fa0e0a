// Runs another program: argv only, never a shell; an environment built from an allow-list; bounded time and output.
import { spawn } from "node:child_process";

/** Variables a child may see beside those given explicitly; everything else, tokens above all, stays behind. */
const allowedEnvironment = ["PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR"];

export interface ExecOptions {
  readonly cwd?: string;
  /** Added to the allow-listed variables. */
  readonly env?: Readonly<Record<string, string>>;
  /** Milliseconds after which the child is killed; default 60,000. */
  readonly timeout?: number;
  readonly signal?: AbortSignal;
  /** Written to the child's standard input, which is then closed. */
  readonly input?: string | Uint8Array;
  /** Bytes kept of each of stdout and stderr; what is beyond is read and dropped. Default 16 MiB. */
  readonly maxOutput?: number;
  /** Called with each chunk of both streams as it arrives. */
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
  const kept = allowedEnvironment.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]]));
  return { ...Object.fromEntries(kept), ...extra };
}

/** Runs `program` and resolves whatever its exit code is; rejects only when it cannot be started. */
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
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      child.kill("SIGKILL");
    }, timeout);
    const collect = (stream: NodeJS.ReadableStream) => {
      const chunks: Buffer[] = [];
      let kept = 0;
      stream.on("data", (chunk: Buffer) => {
        options.onOutput?.(chunk.toString());
        if (kept < maxOutput) chunks.push(chunk.subarray(0, maxOutput - kept));
        kept += chunk.length;
      });
      return () => Buffer.concat(chunks).toString();
    };
    const stdout = collect(child.stdout);
    const stderr = collect(child.stderr);
    child.on("error", (error) => {
      clearTimeout(timer);
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
