// docs/resources.md: the resources of the package, read from its schema.
import { type PropertySpec, packageSchema } from "../../provider/inputs";
import { generatedNote, table } from "./markdown";

export function resourcesPage(): string {
  const { resources, types } = packageSchema();
  const sections = Object.entries(resources).map(([token, resource]) => {
    const { description = "", properties, inputProperties, required, requiredInputs } = resource;
    const found = Object.entries(properties).filter(([name]) => !Object.hasOwn(inputProperties, name));
    const outputs = found.map(([name, spec]) => [...row(name, spec), required.includes(name) ? "" : "may be absent"]);
    const inputs = Object.entries(inputProperties).map(([name, spec]) => [
      ...row(name, spec),
      requiredInputs.includes(name) ? "required" : "",
    ]);
    return [
      `## ${nameOf(token)}\n\n${description}`,
      table(["Input", "Type", "Meaning", ""], inputs),
      ...(outputs.length > 0 ? [table(["Output", "Type", "Meaning", ""], outputs)] : []),
    ].join("\n\n");
  });
  const shapes = Object.entries(types).map(([token, { description = "", properties = {}, enum: values }]) =>
    [
      `### ${nameOf(token)}\n\n${description}`,
      values
        ? values.map(({ value }) => `\`${value}\``).join(", ")
        : table(
            ["Member", "Type", "Meaning"],
            Object.entries(properties).map(([name, spec]) => row(name, spec)),
          ),
    ].join("\n\n"),
  );
  return `${generatedNote}
# Resources

What the plugin \`policychain\` offers to a program, in any language of Pulumi: \`policychain:index:<name>\`. The components of this project are made of them. Every input is an
output too; nothing is ever replaced.

${sections.join("\n\n")}

## Types

${shapes.join("\n\n")}
`;
}

function row(name: string, spec: PropertySpec): string[] {
  return [`\`${name}\``, typeOf(spec), spec.description ?? ""];
}

function typeOf({ $ref, type, items, additionalProperties }: PropertySpec): string {
  if ($ref) return `[${nameOf($ref)}](#${nameOf($ref).toLowerCase()})`;
  if (type === "array") return `list of ${typeOf(items!)}`;
  if (type === "object") return `map of ${typeOf(additionalProperties!)}`;
  return type ?? "";
}

/** `Tag` of `policychain:index:Tag` and of a reference to it. */
function nameOf(token: string): string {
  return token.split(":").at(-1)!;
}
