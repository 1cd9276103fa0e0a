// Edits a stack's file in place: the bytes of the values that change, and no others, so comments, order and quotes of
// everything else stay. Whole or not at all.
import { chmod, readFile, realpath, stat, writeFile } from "node:fs/promises";
import { isDeepStrictEqual } from "node:util";
import { type Document, isMap, isScalar, parseDocument, visit, type YAMLMap } from "yaml";
import { writeByRename } from "../lib/cache";
import { PlatformError } from "../lib/errors";
import { namespace } from "./problems";

/** One value to set; keys that are not there yet are added at the end of their map. */
export interface Edit {
  /** From the key without its namespace: `["tools", "yq", "version"]`. Maps only, no lists. */
  readonly path: readonly string[];
  readonly value: string;
}

/** The text with all edits made. */
export function editedText(text: string, edits: readonly Edit[]): string {
  return edits.reduce(withEdit, text);
}

/** The value that stands at a path, as text; `undefined` where there is none, or a map or list. Error: `stack-file-malformed`. */
export function valueIn(text: string, path: Edit["path"]): string | undefined {
  const document = parsed(text);
  const node = document.getIn(documentPath(document, path), true);
  return isScalar(node) && node.value !== null ? String(node.value) : undefined;
}

/** True when an encrypted value stands anywhere in the text, of whatever namespace and form. Error: `stack-file-malformed`. */
export function holdsSecrets(text: string): boolean {
  let found = false;
  visit(parsed(text), {
    Pair: (_, { key, value }) => {
      if (!isScalar(key) || key.value !== "secure" || !isScalar(value)) return undefined;
      found = true;
      return visit.BREAK;
    },
  });
  return found;
}

/** Makes the edits in the file that still holds `text`. Error: `stack-file-changed`, as for `replaceText`. */
export function writeEdits(path: string, text: string, edits: readonly Edit[]): Promise<void> {
  return replaceText(path, text, editedText(text, edits));
}

/**
 * Writes `changed` into the file that still holds `text`, by rename: a reader sees the old file or the new one. Mode and
 * link stay. Error: `stack-file-changed` when somebody else wrote it meanwhile; then nothing is written.
 */
export async function replaceText(path: string, text: string, changed: string): Promise<void> {
  const file = await realpath(path);
  const { mode } = await stat(file);
  await writeByRename(file, async (temporary) => {
    await writeFile(temporary, changed);
    await chmod(temporary, mode & 0o777);
    if ((await readFile(file, "utf8")) !== text) {
      throw new PlatformError("stack-file-changed", {
        what: `${path} was changed by somebody else while its pins were looked up`,
        rule: "a stack file is edited by one at a time",
        fix: "nothing was written; run the command again",
      });
    }
  });
}

function parsed(text: string): Document.Parsed {
  const document = parseDocument(text);
  if (document.errors.length === 0) return document;
  throw new PlatformError("stack-file-malformed", {
    what: `the stack file is no YAML: ${document.errors[0]!.message.split("\n")[0]!.replace(/:$/, "")}`,
    rule: "a stack's configuration stands in a file of YAML",
    fix: "mend that line; of Pulumi.local.yaml `npm run local` makes a new one when it is deleted",
  });
}

function withEdit(text: string, { path, value }: Edit): string {
  const document = parseDocument(text);
  const full = documentPath(document, path);
  const wanted = parseDocument(text);
  setValue(wanted, full, value);
  const spliced = splice(text, document, full, value);
  if (spliced !== undefined && reads(spliced, wanted.toJS())) return spliced;
  // Where the text is of a form that cannot be spliced, the whole file is written anew; comments and order stay.
  return wanted.toString({ lineWidth: 0 });
}

function reads(text: string, value: unknown): boolean {
  const document = parseDocument(text);
  return document.errors.length === 0 && isDeepStrictEqual(document.toJS(), value);
}

/** Keys that stand there without a value become maps; their comments stay. */
function setValue(document: Document, path: readonly string[], value: string): void {
  for (const depth of path.keys()) {
    const node = document.getIn(path.slice(0, depth), true);
    if (!isScalar(node) || node.value !== null) continue;
    const map = document.createNode({});
    map.comment = node.comment;
    map.commentBefore = node.commentBefore;
    if (depth === 0) document.contents = map as typeof document.contents;
    else document.setIn(path.slice(0, depth), map);
  }
  document.setIn(path, value);
}

/** A key may stand in the file with its namespace or, as the project's own, without. */
function documentPath(document: Document, [first, ...rest]: readonly string[]): string[] {
  const bare = document.hasIn(["config", first]);
  return ["config", bare ? first! : `${namespace}:${first}`, ...rest];
}

function splice(text: string, document: Document, path: readonly string[], value: string): string | undefined {
  const node = document.getIn(path, true);
  if (isScalar(node) && node.range && node.value !== null) {
    return text.slice(0, node.range[0]) + written(value, node.type) + text.slice(node.range[1]);
  }
  if (node !== undefined && node !== null) return undefined;
  const depth = path.findIndex((_, index) => !isMap(document.getIn(path.slice(0, index + 1), true)));
  const map = document.getIn(path.slice(0, depth), true);
  const added = nested(path.slice(depth), value);
  return isMap(map) ? insert(text, map, added) : undefined;
}

/** `release: {url: "…"}` for the keys that are not there. */
function nested([key, ...rest]: readonly string[], value: string): string {
  return `${key}: ${rest.length === 0 ? written(value) : `{${nested(rest, value)}}`}`;
}

/** Double quotes keep every version a text; a plain text stays plain where nothing could read it otherwise. */
function written(value: string, type?: string): string {
  if (
    type === "PLAIN" &&
    /^[A-Za-z][A-Za-z0-9._/@:-]*[A-Za-z0-9/]$/.test(value) &&
    !/^(true|false|null|yes|no|on|off)$/i.test(value)
  )
    return value;
  return type === "QUOTE_SINGLE" && !value.includes("'") ? `'${value}'` : JSON.stringify(value);
}

function insert(text: string, map: YAMLMap, added: string): string | undefined {
  const last = map.items.at(-1) as { key: unknown; value: unknown } | undefined;
  const first = map.items[0] as { key: unknown } | undefined;
  const lastNode = [last?.value, last?.key].find((node) => (node as { range?: unknown } | null)?.range) as
    | { range: [number, number, number] }
    | undefined;
  if (map.flow) {
    const at = lastNode?.range[1] ?? map.range![0] + 1;
    return `${text.slice(0, at)}${lastNode ? ", " : ""}${added}${text.slice(at)}`;
  }
  const key = first?.key as { range?: [number, number, number] } | undefined;
  if (!lastNode || !key?.range) return undefined;
  const lineStart = text.lastIndexOf("\n", key.range[0] - 1) + 1;
  const indent = text.slice(lineStart, key.range[0]);
  // A block scalar's range ends behind its last line, everything else's within it.
  const from = text[lastNode.range[1] - 1] === "\n" ? lastNode.range[1] - 1 : lastNode.range[1];
  const lineEnd = text.indexOf("\n", from);
  const end = lineEnd < 0 ? text.length : lineEnd + 1;
  const newline = text.includes("\r\n") ? "\r\n" : "\n";
  const before = lineEnd < 0 ? text + newline : text.slice(0, end);
  return `${before}${indent}${added}${newline}${text.slice(end)}`;
}
