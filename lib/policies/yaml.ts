// YAML of unknown origin, parsed within bounds: its errors come with a line, and nothing in it can hang or exhaust us.
import { type Document, isAlias, isMap, isScalar, Lexer, LineCounter, type Node, parseAllDocuments, visit } from "yaml";
import { printable } from "../printable";

/** The first thing wrong with a text. */
export interface YamlProblem {
  /** From 1. */
  readonly line: number;
  /** `Nested mappings are not allowed in compact mappings`. */
  readonly reason: string;
}

export interface ParsedYaml {
  readonly documents: readonly Document.Parsed[];
  readonly problem?: YamlProblem;
  /** The line, from 1, of an offset in the text. */
  readonly lineAt: (offset: number) => number;
}

/** Bytes above which a text is refused unread; the largest custom resource definitions have about 2 MiB. */
const maxYamlBytes = 8 * 1024 * 1024;

/** Parses all documents. Duplicate keys, unknown anchors and bytes that are no UTF-8 are errors, as for Kubernetes' readers. */
export function parseYaml(bytes: Uint8Array): ParsedYaml {
  const failed = (reason: string, line = 1) => ({ documents: [], problem: { line, reason }, lineAt: () => line });
  if (bytes.length > maxYamlBytes) return failed(`is larger than ${maxYamlBytes / 2 ** 20} MiB`);
  const text = decoded(bytes);
  if (text === undefined) return failed("is not UTF-8");
  const deep = tooDeepAt(text);
  if (deep !== undefined) return failed("is nested too deeply", deep);
  const lines = new LineCounter();
  // Without uniqueKeys, which compares every key with every other one: a large map would take minutes.
  const parsed = parseAllDocuments(text, {
    lineCounter: lines,
    uniqueKeys: false,
    merge: true, // as Kubernetes' readers do
    prettyErrors: false,
    logLevel: "silent",
  });
  const documents = Array.isArray(parsed) ? parsed : [];
  const lineAt = (offset: number) => lines.linePos(offset).line;
  const error = documents.flatMap(({ errors }) => errors)[0];
  const problem = error
    ? { at: error.pos[0], reason: error.message }
    : documents.map(structureProblem).find((found) => found !== undefined);
  if (!problem) return { documents, lineAt };
  return { documents, lineAt, problem: { line: lineAt(problem.at), reason: printable(problem.reason, 160) } };
}

const maxDepth = 256;

/** The line at which nesting passes all measure. The parser recurses, and close to the stack's end Node aborts the process. */
function tooDeepAt(text: string): number | undefined {
  let line = 1;
  let flow = 0;
  let indicators = 0;
  let indents: number[] = [];
  let lineStart = true;
  for (const token of new Lexer().lex(text)) {
    if (token === "[" || token === "{") flow++;
    else if (token === "]" || token === "}") flow = Math.max(0, flow - 1);
    else if (/^[-?:]$/.test(token)) indicators++;
    if (/^[^-?: ]/.test(token)) indicators = 0;
    if (lineStart && flow === 0 && !/^\r?\n$/.test(token)) {
      const indent = /^ +$/.test(token) ? token.length : 0;
      indents = [...indents.slice(0, indents.findLastIndex((outer) => outer < indent) + 1), indent];
    }
    lineStart = token.endsWith("\n");
    if (flow + indicators + indents.length > maxDepth) return line;
    line += token.split("\n").length - 1;
  }
  return undefined;
}

function decoded(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** Two equal keys in a map, and aliases of anchors that are not there. */
function structureProblem(document: Document.Parsed): { at: number; reason: string } | undefined {
  const anchors = new Set<string>();
  let problem: { at: number; reason: string } | undefined;
  const stop = (node: Node, reason: string) => {
    problem = { at: node.range?.[0] ?? 0, reason };
    return visit.BREAK;
  };
  visit(document, {
    Node(_key, node) {
      if (isAlias(node)) return anchors.has(node.source) ? undefined : stop(node, `Unknown anchor ${node.source}`);
      if (node.anchor) anchors.add(node.anchor);
      if (!isMap(node)) return undefined;
      const seen = new Set<unknown>();
      for (const { key } of node.items) {
        if (!isScalar(key) || key.value === "<<") continue;
        if (seen.has(key.value)) return stop(key, `Map keys must be unique; "${key.value}" is repeated`);
        seen.add(key.value);
      }
      return undefined;
    },
  });
  return problem;
}
