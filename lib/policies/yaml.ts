// YAML of unknown origin, parsed within bounds: its errors come with a line, and nothing in it can hang or exhaust us.
import { type Document, isAlias, isMap, isScalar, LineCounter, type Node, parseAllDocuments, visit } from "yaml";

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
}

/** Bytes above which a text is refused unread; the largest custom resource definitions have about 2 MiB. */
export const maxYamlBytes = 8 * 1024 * 1024;

/** Parses all documents. Duplicate keys, unknown anchors and bytes that are no UTF-8 are errors, as for Kubernetes' readers. */
export function parseYaml(bytes: Uint8Array): ParsedYaml {
  const failed = (reason: string, line = 1) => ({ documents: [], problem: { line, reason } });
  if (bytes.length > maxYamlBytes) return failed(`is larger than ${maxYamlBytes / 2 ** 20} MiB`);
  const text = decoded(bytes);
  if (text === undefined) return failed("is not UTF-8");
  const lines = new LineCounter();
  try {
    // Without uniqueKeys, which compares every key with every other one: a large map would take minutes.
    const documents = parseAllDocuments(text, {
      lineCounter: lines,
      uniqueKeys: false,
      prettyErrors: false,
      logLevel: "silent",
    });
    const parsed = Array.isArray(documents) ? documents : [];
    const found = parsed
      .flatMap(({ errors }) => errors)
      .map(({ pos, message }) => ({ at: pos[0], reason: message }))[0];
    const problem = found ?? parsed.map(structureProblem).find((one) => one !== undefined);
    return problem
      ? { documents: parsed, problem: { line: lines.linePos(problem.at).line, reason: oneLine(problem.reason) } }
      : { documents: parsed };
  } catch (error) {
    if (error instanceof RangeError) return failed("is nested too deeply");
    throw error;
  }
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

function oneLine(text: string): string {
  const plain = text.replace(/[^\x20-\x7e]+/g, " ").trim();
  return plain.length > 160 ? `${plain.slice(0, 159)}…` : plain;
}
