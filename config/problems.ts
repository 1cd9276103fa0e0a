// What is wrong with a configuration, said so that it can be mended by pasting one line.
import { PlatformError, type Problem } from "../lib/errors";
import { cut, quotedAscii } from "../lib/printable";
import { shortName } from "../lib/stackName";

/** Configuration keys all live in this namespace, whatever the project is called. */
export const namespace = "policy-platform";

/** Keys and list positions from the top: `["tools", "yq", "version"]`. */
export type Path = readonly (string | number)[];

/** One thing wrong with one key. */
export interface ConfigurationProblem extends Problem {
  /** The key's full path: `policy-platform:tools.yq.version`. */
  readonly key: string;
  /** Stable and documented: `version-moving`, `key-unknown`. */
  readonly code: string;
  /** Of an unknown key: the known one that it probably is. Then other problems may be its consequences. */
  readonly meant?: string;
}

/** What a fix refers to. */
export interface Place {
  /** Stack name as given to Pulumi: `dev` or `organization/project/dev`. */
  readonly stack: string;
}

/** Every problem of one stack's configuration, thrown once. */
export class ConfigurationError extends PlatformError {
  constructor(
    readonly problems: readonly ConfigurationProblem[],
    place: Place,
  ) {
    super("configuration-invalid", problems[0]!);
    this.name = "ConfigurationError";
    this.message = render(problems, place);
  }
}

const shown = 50;

/** One problem on one line; several as a numbered list. */
function render(problems: readonly ConfigurationProblem[], place: Place): string {
  const lines = problems.map(({ what, rule, fix }) => `${what}; ${rule}; ${fix}`);
  if (lines.length === 1) return lines[0]!;
  const numbered = lines.slice(0, shown).map((line, index) => `  ${String(index + 1).padStart(2)}. ${line}`);
  const more = lines.length > shown ? [`  and ${lines.length - shown} more`] : [];
  return [`${lines.length} errors in ${stackFileName(place.stack)}:`, ...numbered, ...more].join("\n");
}

/** The file that holds a stack's configuration; the owner and project parts of a full stack name are not in it. */
export function stackFileName(stack: string): string {
  return `Pulumi.${shortName(stack)}.yaml`;
}

/** `policy-platform:tools.yq.version`; what is not a plain word is put as `["…"]`, which is how Pulumi reads it. */
export function keyPath(path: Path): string {
  return path
    .map((part, index) => {
      if (typeof part === "number") return `[${part}]`;
      if (index === 0) return `${namespace}:${/^[\x20-\x7e]{1,70}$/.test(part) ? part : quoted(part)}`;
      return /^[A-Za-z0-9_-]+$/.test(part) ? `.${bounded(part)}` : `[${quoted(part)}]`;
    })
    .join("");
}

/** A value as it may be printed: one line, at most 80 characters, nothing that a terminal would act on. */
export function quoted(value: unknown): string {
  if (value instanceof Secret) return "[secret]";
  if (Array.isArray(value)) return "a list";
  if (value !== null && typeof value === "object") return "a map";
  if (typeof value !== "string") return bounded(String(value));
  return bounded(quotedAscii(value.slice(0, 200)));
}

function bounded(text: string): string {
  return cut(text, 80);
}

/** Stands where a secret was, so that none can reach a message: nothing that prints an object sees what it holds. */
export class Secret {
  readonly #text: string | undefined;

  /** Without a text for a secret that is only known to be there, as in a stack's file. */
  constructor(text?: string) {
    this.#text = text;
  }

  get isKnown(): boolean {
    return this.#text !== undefined;
  }

  /** Undefined where it is not known. Hand it on as a secret, and to nothing that prints. */
  reveal(): string | undefined {
    return this.#text;
  }
}

/** One argument for a POSIX shell, whatever is in it. */
export function shellQuote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** The line that sets one value. `--type string` where Pulumi would take a text for a number, `--` where for a flag. */
export function setLine(path: Path, value: string | number, { stack }: Place): string {
  if (!typeable(path)) return `edit ${keyPath(path)} in ${stackFileName(stack)}`;
  const text = String(value);
  const type = typeof value === "string" && /^[-+]?\d[\d._eE+-]*$/.test(value) ? " --type string" : "";
  const line = `pulumi config set${pathFlag(path)}`;
  const flags = `${type}${stackFlag(stack)}`;
  return /^-./.test(text) ? `${line}${flags} -- ${shellQuote(text)}` : `${line} ${shellQuote(text)}${flags}`;
}

/** The line that sets a secret: the engine asks for it, so that it never stands in a shell's history. */
export function secretLine(path: Path, { stack }: Place): string {
  if (!typeable(path)) return `edit ${keyPath(path)} in ${stackFileName(stack)}`;
  return `pulumi config set --secret${pathFlag(path)}${stackFlag(stack)}`;
}

/** The line that removes one key. */
export function removeLine(path: Path, { stack }: Place): string {
  if (!typeable(path)) return `remove ${keyPath(path)} from ${stackFileName(stack)}`;
  return `pulumi config rm${pathFlag(path)}${stackFlag(stack)}`;
}

/** A key of its own goes without `--path`, under which Pulumi would read its dots as steps. */
function pathFlag(path: Path): string {
  return `${path.length > 1 ? " --path" : ""} ${shellQuote(keyPath(path))}`;
}

/** The line that looks up what a pin lacks. */
export function pinLine(name: string, { stack }: Place, version?: string): string {
  return `policy-platform pin ${name}${version === undefined ? "" : ` ${version}`}${stackFlag(stack)}`;
}

/** ` --stack NAME`, to be typed behind a command. */
export function stackFlag(stack: string): string {
  return ` --stack ${/^[A-Za-z0-9._/-]+$/.test(stack) ? stack : shellQuote(stack)}`;
}

/** Whether the path survives being printed: a key with control characters, or cut for length, cannot be pasted. */
function typeable(path: Path): boolean {
  return path.every((part) => typeof part === "number" || /^[\x20-\x7e]{0,70}$/.test(part));
}
