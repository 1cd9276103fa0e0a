// What is said of a program that did not do its work in the image, whichever check ran it.
import type { OutsideRule } from "../kyverno/outside";
import { listed } from "./check";
import type { ExecOutcome } from "./exec";

/** Why a program's result is none: it is not there, or it passed a bound. Undefined when it ended by itself. */
export function programTrouble(tool: string, outcome: ExecOutcome): string | undefined {
  if (outcome.timedOut) return `${tool} did not end in the time that gate.checks.timeout gives it`;
  if (outcome.truncated) return `${tool} printed more than the gate reads`;
  if (outcome.oomKilled) return `${tool} needed more memory than gate.checks.memory gives it`;
  if (outcome.code === 126 || outcome.code === 127)
    return `the image has no ${tool} that runs; pin it under policy-platform:tools, or leave out what needs it`;
  return undefined;
}

/** `; not checked here: a/b (needs image signatures)`, for the end of a sentence; empty when there is nothing of that kind. */
export function notChecked(outside: readonly OutsideRule[]): string {
  if (outside.length === 0) return "";
  // Every one by name: what a passing check does not say must not be taken for checked.
  return `; not checked here: ${listed(outside.map(uncheckedRule), outside.length)}`;
}

/** `a/b (needs image signatures)`. */
export function uncheckedRule({ policy, rule, needs, beside }: OutsideRule): string {
  return `${policy}/${rule} (${beside ? "its policy needs" : "needs"} ${needs})`;
}
