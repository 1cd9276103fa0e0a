// Changes the pins of Pulumi.local.yaml that `npm run local` itself wrote, and not one byte more: values are replaced where
// they stand in the text, so comments, order and quoting of everything else stay.
import { isScalar, parseDocument } from "yaml";
import { PlatformError } from "../lib/errors";

/** Values by path below `policy-platform:`: `{"tools.yq.image": "127.0.0.1:5000/layers/tools/yq@sha256:…"}`. */
export type Pins = Readonly<Record<string, string>>;

export interface PinUpdate {
  readonly text: string;
  /** The pins that hold what we wrote, now or before: what the next run may change. */
  readonly owned: Pins;
  /** Paths whose value changed. */
  readonly changed: readonly string[];
}

export interface PinOptions {
  /** What should stand there. */
  readonly wanted: Pins;
  /** What we wrote last time; a value that differs from it is the user's. */
  readonly owned: Pins;
  /** True for a value that can be of no use to anybody any more, whoever wrote it; default: none. */
  readonly isGone?: (path: string, value: string) => boolean;
}

/** Error: `stack-file-malformed` when the text is no YAML. */
export function updatePins(text: string, { wanted, owned, isGone = () => false }: PinOptions): PinUpdate {
  const document = parseDocument(text);
  if (document.errors.length > 0) {
    throw new PlatformError("stack-file-malformed", {
      what: `Pulumi.local.yaml: ${document.errors[0]!.message.split("\n")[0]}`,
      rule: "a stack file is YAML",
      fix: "mend that line, or delete the file to get a new one",
    });
  }
  const edits: { start: number; end: number; value: string }[] = [];
  const mine: Record<string, string> = {};
  const changed: string[] = [];
  for (const [path, value] of Object.entries(wanted)) {
    const node = document.getIn(keysOf(path), true);
    if (!isScalar(node) || !node.range) continue;
    const present = String(node.value);
    if (present !== value && present !== owned[path] && !isGone(path, present)) continue;
    // Equal to what was just built is as good as written here: a lost memory finds its pins again.
    mine[path] = value;
    if (present === value) continue;
    edits.push({ start: node.range[0], end: node.range[1], value });
    changed.push(path);
  }
  return { text: edit(text, edits), owned: mine, changed };
}

/** The value of a pin, when it is there. */
export function readPin(text: string, path: string): string | undefined {
  const value = parseDocument(text).getIn(keysOf(path));
  return value === undefined || value === null ? undefined : String(value);
}

function keysOf(path: string): string[] {
  const [first, ...rest] = path.split(".");
  return ["config", `policy-platform:${first}`, ...rest];
}

function edit(text: string, edits: readonly { start: number; end: number; value: string }[]): string {
  return [...edits]
    .sort((a, b) => b.start - a.start)
    .reduce(
      (result, { start, end, value }) => result.slice(0, start) + JSON.stringify(value) + result.slice(end),
      text,
    );
}
