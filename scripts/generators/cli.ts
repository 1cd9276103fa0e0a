// docs/cli.md, from the command's own help.
import type { Command } from "commander";
import { allCommands, policyPlatform } from "../../cli/program";
import { generatedNote } from "./markdown";

export function cliPage(): string {
  const program = policyPlatform(() => undefined);
  const help = allCommands(program).map((command) => {
    let text = "";
    command.configureOutput({ writeOut: (part) => (text += part), getOutHasColors: () => false });
    command.outputHelp();
    const name = nameOf(command);
    return `## ${name}\n\n\`\`\`text\n${text.trim()}\n\`\`\``;
  });
  return `${generatedNote}
# The command policy-platform

\`npm ci\` builds it; in the project's folder it is \`npx policy-platform\`. Data goes to stdout and narration to stderr; with
\`-o json\` stdout is one JSON document, errors included: \`{"error": {"code": …}}\`, with the codes of [errors](errors.md).
\`NO_COLOR\` is respected.

${help.join("\n\n")}
`;
}

/** With the names of those above it. */
function nameOf(command: Command): string {
  return command.parent ? `${nameOf(command.parent)} ${command.name()}` : command.name();
}
