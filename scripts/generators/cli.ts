// docs/cli.md, from the command's own help.
import { policyPlatform } from "../../cli/program";
import { generatedNote } from "./markdown";

export function cliPage(): string {
  const program = policyPlatform(() => undefined);
  const help = [program, ...program.commands].map((command) => {
    let text = "";
    command.configureOutput({ writeOut: (part) => (text += part), getOutHasColors: () => false });
    command.outputHelp();
    const name = command === program ? "policy-platform" : `policy-platform ${command.name()}`;
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
