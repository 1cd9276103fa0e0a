// What a verb says: data on stdout, narration on stderr, with the symbols that users of Flux know.
import { ConfigurationError } from "../config/problems";
import { PlatformError } from "../lib/errors";

export type Output = "text" | "json";

/** Exit codes of every verb. */
export const exitCodes = { ok: 0, failed: 1, invalid: 2 } as const;

const symbols = { doing: "►", done: "✔", failed: "✗" } as const;
const colours = { doing: 36, done: 32, failed: 31 } as const;

/** One line of narration. */
export function narrate(kind: keyof typeof symbols, text: string): void {
  const coloured = process.stderr.isTTY === true && !process.env.NO_COLOR && process.env.TERM !== "dumb";
  const symbol = coloured ? `\u001b[${colours[kind]}m${symbols[kind]}\u001b[0m` : symbols[kind];
  process.stderr.write(`${symbol} ${text}\n`);
}

/** The answer: lines for people, or one JSON document for programs. */
export function answer(output: Output, data: unknown, lines: readonly string[]): void {
  const text = output === "json" ? [JSON.stringify(data, undefined, 2)] : lines;
  if (text.length > 0) process.stdout.write(`${text.join("\n")}\n`);
}

/** Errors that come of a configuration or a command line; everything else is a failure of the world. */
const invalidCodes = new Set([
  "stack-unnamed",
  "project-missing",
  "stack-file-missing",
  "pin-unknown",
  "pin-argument",
  "promote-argument",
  "digest-unpinned",
  "push-reference",
  "push-name",
  "ci-option",
  "cluster-unknown",
  "cluster-environment",
  "render-secret",
]);

/** Shows what was thrown and returns the exit code. A bug keeps its stack. */
export function fail(output: Output, error: unknown): number {
  if (!(error instanceof PlatformError)) {
    process.stderr.write(`${symbols.failed} ${error instanceof Error ? error.stack : String(error)}\n`);
    return exitCodes.failed;
  }
  narrate("failed", error.message);
  const problems = error instanceof ConfigurationError ? { problems: error.problems } : error.problem;
  if (output === "json") answer(output, { error: { code: error.code, ...problems } }, []);
  return error instanceof ConfigurationError || invalidCodes.has(error.code) ? exitCodes.invalid : exitCodes.failed;
}
