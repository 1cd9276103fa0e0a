// docs/configuration.md, from the schema of config/.
import { namespace, type Path } from "../../config/problems";
import { type KeyShape, shapeAt, topLevelKeys } from "../../config/shape";
import { generatedNote, table } from "./markdown";

const example = `config:
  policy-platform:version: auto
  policy-platform:registry: {address: "127.0.0.1:5000"}
  policy-platform:image: {name: policy-platform, user: "65532:65532"}
  policy-platform:base: {image: "127.0.0.1:5000/layers/base@sha256:…"}
  policy-platform:tools:
    kyverno: {version: "1.13.2", release: {url: "https://…", sha256: "…", digest: "sha256:…"}}
    yq: {version: "4.54.1", image: "127.0.0.1:5000/layers/tools/yq@sha256:…"}
  policy-platform:policies:
    security-policy: {folder: policies/security-policy}
  policy-platform:gate: {smoke: {timeout: 60s, memory: 512Mi}}
  policy-platform:artifacts: {environments: [production]}
  policy-platform:clusters:
    europe: {context: europe, secretRef: registry-login, enforcement: audit}`;

export function configurationPage(): string {
  return `${generatedNote}
# Configuration

A stack is configured in \`Pulumi.<stack>.yaml\`, below \`config:\`. Keys have the namespace \`${namespace}:\`.

\`\`\`yaml
${example}
\`\`\`

- Everything that goes into an image is pinned: tools by version and digest, images by digest, downloads by checksum.
  \`policy-platform pin NAME [VERSION]\` looks up what a pin lacks.
- Versions are quoted: without quotes YAML takes 1.10 for the number 1.1.
- A nested key is set with \`--path\`: \`pulumi config set --path 'policy-platform:gate.smoke.timeout' 90s\`.
- \`policy-platform check\` finds every error of a stack without a network; a preview finds the same ones, all at once, each
  with the line that mends it.
- Nothing here is secret but \`pullSecret\` of a cluster. Registry credentials are found where the docker command finds them:
  its config file and its credential helpers.

${topLevelKeys.map((key) => section([key])).join("\n\n")}
`;
}

function section(path: Path): string {
  const shape = shapeAt(path)!;
  const rows = rowsBelow(path);
  const meaning = shape.kind === "text" ? [] : [sentence(shape.description)];
  return [`## \`${path[0]}\``, ...meaning, table(["Key", "Default", "Meaning", "Rule", "Example"], rows)].join("\n\n");
}

/** A row for each key that holds a value, below a map or an entry the keys in it. */
function rowsBelow(path: Path): string[][] {
  const shape = shapeAt(path)!;
  if (shape.kind === "map") return shape.keys.flatMap((key) => withOwnRow([...path, key]));
  if (shape.kind === "entries") return withOwnRow([...path, path[0] === "mirrors" ? "<host>" : "<name>"]);
  return [row(path, shape)];
}

function withOwnRow(path: Path): string[][] {
  const shape = shapeAt(path)!;
  const own = shape.kind === "map" ? [row(path, shape)] : [];
  return [...own, ...rowsBelow(path)];
}

function row(path: Path, shape: KeyShape): string[] {
  const { description, rule, examples } = shape;
  const shown = examples.map((one) => `\`${typeof one === "string" ? one : JSON.stringify(one)}\``).join(", ");
  const inEntry = /^<.*>$/.test(String(path.at(-1)));
  return [`\`${path.join(".")}\``, inEntry ? "" : defaultOf(shape), sentence(description), rule, shown];
}

function defaultOf({ required, default: fallback, kind }: KeyShape): string {
  if (required && !(kind === "map")) return "required";
  return typeof fallback === "string" || typeof fallback === "boolean" ? `\`${fallback}\`` : "";
}

function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
