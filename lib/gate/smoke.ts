// The smoke check's judgements, as pure functions: what was seen in, verdict out. What looks is in run.ts.
import vm from "node:vm";
import { printable } from "../printable";
import { type Check, counted, failed, listed, passed } from "./check";
import type { ProgramLimits } from "./container";
import type { ExecOutcome } from "./exec";

/** How a tool says its version. */
export interface ToolSmoke {
  /** The pinned version, as the pin writes it. */
  readonly version: string;
  /** argv in the image, run without a shell. */
  readonly command: readonly string[];
  /**
   * Regular expression (multi-line, its first match counts) over what the tool prints. Group 1 is the version; without a
   * group, the match holds it.
   */
  readonly expect: string;
}

/** What the image says about itself that decides whether it can be run as documented. */
export interface ImageStart {
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
  readonly user: string;
  /** Why the container did not start or did not stay up; undefined when it did. */
  readonly failure?: string;
}

/** Milliseconds for one match: a pattern that backtracks for ever must not stop the plugin. */
const matchLimit = 1000;

/** The image must start its own command, a shell: CI hosts run their steps in it. */
export function evaluateStart(start: ImageStart): Check {
  const name = "smoke: shell";
  const shell = start.command.join(" ");
  if (start.entrypoint.length > 0) {
    return failed(
      name,
      `the image has the ENTRYPOINT ${JSON.stringify(start.entrypoint)}: \`docker run IMAGE <tool>\` would not run the tool; use a base without one`,
    );
  }
  if (start.command.length === 0) return failed(name, "the image has no CMD: it needs a shell, such as /bin/bash");
  if (start.failure !== undefined) {
    // The engine's own words for a program that is not there; a shell that misses a library says it in others.
    const missing = /exec: .*(no such file or directory|executable file not found)/i.test(start.failure);
    return failed(
      name,
      missing
        ? `the image has no ${shell}: its base is without a shell; use a base with bash`
        : `${shell} does not run in the image: ${printable(start.failure)}`,
    );
  }
  return passed(name, `${shell} runs as ${start.user === "" ? "root" : start.user}`);
}

/** A tool must end by itself, in its bounds, with code 0, and print the pinned version. */
export function evaluateTool(name: string, tool: ToolSmoke, result: ExecOutcome, limits: ProgramLimits): Check {
  const check = `smoke: ${name}`;
  const command = `\`${tool.command.join(" ")}\``;
  if (result.timedOut) return failed(check, `${command} did not end within ${limits.timeoutSeconds} s${said(result)}`);
  if (result.truncated) return failed(check, `${command} printed more than ${limits.outputBytes} bytes${said(result)}`);
  if (result.code === 126 || result.code === 127) {
    return failed(check, `${command} cannot be run in the image (code ${result.code})${said(result)}`);
  }
  if (result.oomKilled) {
    return failed(
      check,
      `${command} needed more than the ${limits.memoryBytes} bytes of memory that the gate gives it`,
    );
  }
  if (result.code !== 0) return failed(check, `${command} ended with code ${result.code}${said(result)}`);
  let found: RegExpExecArray | null;
  try {
    found = match(tool.expect, result.output);
  } catch (error) {
    return failed(check, `the pattern ${tool.expect} cannot be used: ${(error as Error).message}`);
  }
  if (found === null || (found[1] ?? found[0]) === "" || (found.length > 1 && found[1] === undefined)) {
    return failed(
      check,
      `${command} prints no version that ${tool.expect} finds; ${tool.version} is pinned${said(result)}`,
    );
  }
  const version = found[1] ?? found[0];
  return (found.length > 1 ? version === tool.version : holds(found, tool.version))
    ? passed(check, tool.version)
    : failed(check, `${command} prints version ${printable(version, 300)}; ${tool.version} is pinned`);
}

/** `/repos/<name>` must hold the files of its source, all of them and no other. Both are absolute paths of files. */
export function evaluateRepository(name: string, expected: readonly string[], found: readonly string[]): Check {
  const check = `smoke: /repos/${name}`;
  const missing = without(expected, found);
  const extra = without(found, expected);
  if (missing.length === 0 && extra.length === 0) return passed(check, files(found.length));
  const parts = [
    ...(missing.length > 0 ? [`${files(missing.length)} missing (${listed(missing)})`] : []),
    ...(extra.length > 0 ? [`${files(extra.length)} too many (${listed(extra)})`] : []),
  ];
  return failed(check, `differs from its source: ${parts.join(", ")}`);
}

/** Nothing else may stand in /repos; `undefined` when nothing does: it is a check only when it fails. */
export function evaluateStrays(repositories: readonly string[], found: readonly string[]): Check | undefined {
  const strays = found.filter((path) => !repositories.some((name) => path.startsWith(`/repos/${name}/`)));
  return strays.length === 0
    ? undefined
    : failed("smoke: /repos", `holds ${files(strays.length)} of no repository of this image (${listed(strays)})`);
}

function match(pattern: string, text: string): RegExpExecArray | null {
  // A timer cannot interrupt a match that runs away; the time-out of a vm can.
  return vm.runInNewContext("new RegExp(pattern, 'm').exec(text)", { pattern, text }, { timeout: matchLimit });
}

/** Whether a match holds the pinned version: 1.2.3 is neither in 11.2.3 nor in 1.2.30, 1.2.3.4 or 1.2.3-rc1, wherever the match ends. */
function holds(found: RegExpExecArray, version: string): boolean {
  const literal = version.replace(/[.+]/g, "\\$&");
  const whole = new RegExp(`(?<![0-9]|[0-9]\\.)${literal}(?![0-9A-Za-z]|[.+-][0-9A-Za-z])`, "g");
  const end = found.index + found[0].length;
  return [...found.input.matchAll(whole)].some(({ index }) => index >= found.index && index + version.length <= end);
}

function said({ output }: ExecOutcome): string {
  const text = printable(output.slice(0, 4096), 300);
  return text === "" ? ", and printed nothing" : `; it printed: ${text}`;
}

function without(list: readonly string[], other: readonly string[]): string[] {
  const known = new Set(other);
  return list.filter((item) => !known.has(item)).sort();
}

function files(count: number): string {
  return counted(count, "file");
}
