// One edit of a YAML text as a cut of that text: everything outside of what changes keeps its very bytes.
import { type Document, isMap, isScalar, type Pair, type YAMLMap } from "yaml";

/** A text, which is quoted where it has to be, or true or false. */
export type EditedValue = string | boolean;

/** The text with the value at `path` set, or its key taken away (`undefined`); undefined where the text has no place to cut. */
export function splice(
  text: string,
  document: Document,
  path: readonly string[],
  value: EditedValue | undefined,
): string | undefined {
  if (value === undefined) return cut(text, document.getIn(path.slice(0, -1), true), path.at(-1)!);
  const node = document.getIn(path, true);
  if (isScalar(node) && node.range && node.value !== null) {
    return text.slice(0, node.range[0]) + written(value, node.type) + text.slice(node.range[1]);
  }
  if (node !== undefined && node !== null) return undefined;
  const depth = path.findIndex((_, index) => !isMap(document.getIn(path.slice(0, index + 1), true)));
  const map = document.getIn(path.slice(0, depth), true);
  if (!isMap(map)) return undefined;
  const empty = map.items.find(({ key }) => isScalar(key) && key.value === path[depth]);
  return empty ? fill(text, empty, path.slice(depth + 1), value) : insert(text, map, path.slice(depth), value);
}

/** Double quotes keep every version a text; a plain text stays plain where nothing could read it otherwise. */
function written(value: EditedValue, type?: string): string {
  if (typeof value === "boolean") return String(value);
  if (
    type === "PLAIN" &&
    /^[A-Za-z][A-Za-z0-9._/@:-]*[A-Za-z0-9/]$/.test(value) &&
    !/^(true|false|null|yes|no|on|off)$/i.test(value)
  )
    return value;
  return type === "QUOTE_SINGLE" && !value.includes("'") ? `'${value}'` : JSON.stringify(value);
}

/** Below a key that stands there without a value. */
function fill(text: string, { key }: Pair, path: readonly string[], value: EditedValue): string | undefined {
  if (!hasRange(key) || path.length === 0) return undefined;
  const indent = text.slice(lineStart(text, key.range[0]), key.range[0]);
  return withLines(text, lineEnd(text, key.range[1]), path, value, `${indent}  `);
}

function insert(text: string, map: YAMLMap, path: readonly string[], value: EditedValue): string | undefined {
  const last = map.items.at(-1);
  const lastNode = [last?.value, last?.key].find(hasRange);
  if (map.flow) {
    const at = lastNode?.range[1] ?? map.range![0] + 1;
    return `${text.slice(0, at)}${lastNode ? ", " : ""}${inline(path, value)}${text.slice(at)}`;
  }
  const first = map.items[0]?.key;
  if (!lastNode || !hasRange(first)) return undefined;
  const indent = text.slice(lineStart(text, first.range[0]), first.range[0]);
  return withLines(text, lineEnd(text, lastNode.range[1]), path, value, indent);
}

/** With new lines at `at`, which is behind a line; the last one of a text may lack its end. */
function withLines(text: string, at: number, path: readonly string[], value: EditedValue, indent: string): string {
  const newline = text.includes("\r\n") ? "\r\n" : "\n";
  const before = text.slice(0, at);
  const added = lines(path, value, indent, newline);
  return `${before}${before.endsWith("\n") ? "" : newline}${added}${newline}${text.slice(at)}`;
}

/** `release: {url: "…"}` for the keys that are not there. */
function inline([key, ...rest]: readonly string[], value: EditedValue): string {
  return `${key}: ${rest.length === 0 ? written(value) : `{${inline(rest, value)}}`}`;
}

/** The same as a block, a key on each line. */
function lines([key, ...rest]: readonly string[], value: EditedValue, indent: string, newline: string): string {
  if (rest.length === 0) return `${indent}${key}: ${written(value)}`;
  return `${indent}${key}:${newline}${lines(rest, value, `${indent}  `, newline)}`;
}

/** Without one key: of a block its lines, with what is said behind them; of a flow map one of the commas beside it, too. */
function cut(text: string, map: unknown, name: string): string | undefined {
  if (!isMap(map)) return undefined;
  const index = map.items.findIndex(({ key }) => isScalar(key) && key.value === name);
  const [start, end] = rangeOf(map.items[index]);
  if (start === undefined || end === undefined) return undefined;
  if (!map.flow) {
    const from = lineStart(text, start);
    return /^ *$/.test(text.slice(from, start)) ? text.slice(0, from) + text.slice(lineEnd(text, end)) : undefined;
  }
  const [, before] = rangeOf(map.items[index - 1]);
  const [after] = rangeOf(map.items[index + 1]);
  const [from, to] = before === undefined ? [start, after ?? end] : [before, end];
  return text.slice(from, to).includes("#") ? undefined : text.slice(0, from) + text.slice(to); // no comment of another key's goes with it
}

/** From the first character of a key to behind its value. */
function rangeOf(pair: Pair | undefined): [number?, number?] {
  const last = [pair?.value, pair?.key].find(hasRange);
  return last && hasRange(pair?.key) ? [pair.key.range[0], last.range[1]] : [];
}

function hasRange(node: unknown): node is { range: [number, number, number] } {
  return Array.isArray((node as { range?: unknown } | null | undefined)?.range);
}

function lineStart(text: string, at: number): number {
  return text.lastIndexOf("\n", at - 1) + 1;
}

/** Behind the line that a value ends on. A block scalar's range ends behind its last line, everything else's within it. */
function lineEnd(text: string, end: number): number {
  const found = text.indexOf("\n", text[end - 1] === "\n" ? end - 1 : end);
  return found < 0 ? text.length : found + 1;
}
