// What verbs that work on a stack have in common on the command line: options, examples and exit codes.
import { type Command, Option } from "commander";
import type { Output } from "./screen";

/** Options of every verb. */
export interface CommonOptions {
  readonly stack?: string;
  readonly cwd?: string;
  readonly output: Output;
}

/** Adds a verb, below another one where `parent` is given, with the common options and its examples. */
export type AddVerb = (
  usage: string,
  summary: string,
  description: string,
  examples: readonly string[],
  parent?: Command,
) => Command;

/** The end of a help page. */
export const exitCodeHelp = `
Exit codes:
  0  done
  1  failed: a registry, a download or the engine said no
  2  the configuration or the command line is not valid`;

/** Adds verbs to `program`. */
export function verbsOf(program: Command): AddVerb {
  return (usage, summary, description, examples, parent = program) =>
    parent
      .command(usage)
      .summary(summary)
      .description(description)
      .option("-s, --stack <name>", "stack; default: the one that is selected, or PULUMI_STACK")
      .option("-C, --cwd <folder>", "the project's folder or one below; default: this one")
      .addOption(new Option("-o, --output <format>", "what stdout is").choices(["text", "json"]).default("text"))
      .addHelpText("after", `\nExamples:\n${examples.map((line) => `  ${line}`).join("\n")}\n${exitCodeHelp}`);
}
