// Runs Pulumi on the local stack: what it prints is passed on line by line, and kept to be read.
import { type ChildProcess, spawn } from "node:child_process";
import { childEnvironment } from "../lib/exec";
import { loginEnvironment } from "../lib/oci/credentials";
import { networkEnvironment } from "./toolchain/network";

export interface PulumiOptions {
  readonly pulumi: string;
  readonly cwd: string;
  /** The stack's environment with PATH. */
  readonly environment: Readonly<Record<string, string>>;
  /** Receives both streams as they come; default: nothing is shown. */
  readonly onOutput?: (text: string) => void;
}

export interface PulumiResult {
  readonly code: number;
  /** Set when a signal ended it. */
  readonly signal?: NodeJS.Signals;
  readonly stdout: string;
  /** Both streams, as they came. */
  readonly output: string;
}

/** Registry credentials are found by the plugin itself, at call time. */
function credentialsEnvironment(): Record<string, string> {
  return { ...networkEnvironment(), ...loginEnvironment() };
}

const running = new Set<ChildProcess>();

/** Runs `pulumi ARGS` to its end, whatever that is. */
export function runPulumi(args: readonly string[], options: PulumiOptions): Promise<PulumiResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(options.pulumi, [...args, "--non-interactive", "--color", "never"], {
      cwd: options.cwd,
      env: { ...childEnvironment(credentialsEnvironment()), ...options.environment },
      stdio: ["ignore", "pipe", "pipe"],
    });
    running.add(child);
    let stdout = "";
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
      output += text;
      options.onOutput?.(text);
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      output += text;
      options.onOutput?.(text);
    });
    child.on("error", reject);
    child.on("close", (code, signal) => {
      running.delete(child);
      resolve({ code: code ?? 1, signal: signal ?? undefined, stdout, output });
    });
  });
}

/** Asks what runs to end in order: a terminal's Ctrl-C reaches it anyhow, a signal to this process alone does not. */
export function interruptPulumi(): void {
  for (const child of running) child.kill("SIGINT");
}
