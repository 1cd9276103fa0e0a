// What a YAML file says of itself that checks need: whether it can be read, and the policies in it, each with its line.
// A pure function of the content, so that it is remembered by the content's digest.
import { type Document, isAlias, isMap, isNode, isScalar, isSeq, type Node } from "yaml";
import { isPolicyKind } from "../kyverno/kinds";
import { parseYaml, type YamlProblem } from "./yaml";

/** One policy as its file names it. */
export interface PolicyFact {
  /** From 1: where the document begins. */
  readonly line: number;
  readonly apiVersion: string;
  /** Empty when there is none. */
  readonly kind: string;
  readonly namespace: string;
  /** Empty when there is none, or none that is a text. */
  readonly name: string;
}

/** What a file holds. */
export type FileFacts = { readonly problem: YamlProblem } | { readonly policies: readonly PolicyFact[] };

/** Reads one file. Objects that are no policies are nobody's business here. */
export function factsOf(bytes: Uint8Array): FileFacts {
  const { documents, problem, lineAt } = parseYaml(bytes);
  if (problem) return { problem };
  return {
    policies: documents.flatMap((document) =>
      objectsIn(document).flatMap((object) => {
        const [apiVersion, kind] = [textAt(document, object, "apiVersion"), textAt(document, object, "kind")];
        if (!isPolicyKind(apiVersion, kind)) return [];
        const metadata = member(document, object, "metadata");
        const [namespace, name] = [textAt(document, metadata, "namespace"), textAt(document, metadata, "name")];
        return [{ line: lineAt(object.range?.[0] ?? 0), apiVersion, kind, namespace, name }];
      }),
    ),
  };
}

/** The document's own object, or the items of a list. */
function objectsIn(document: Document.Parsed): Node[] {
  const { contents } = document;
  if (!isMap(contents)) return [];
  const items = textAt(document, contents, "kind") === "List" ? member(document, contents, "items") : undefined;
  return isSeq(items) ? items.items.flatMap((item) => resolved(document, item) ?? []) : [contents];
}

function member(document: Document.Parsed, node: Node | undefined, key: string): Node | undefined {
  return isMap(node) ? resolved(document, node.get(key, true)) : undefined;
}

function resolved(document: Document.Parsed, node: unknown): Node | undefined {
  const target = isAlias(node) ? node.resolve(document) : node;
  return isNode(target) ? target : undefined;
}

function textAt(document: Document.Parsed, node: Node | undefined, key: string): string {
  const value = member(document, node, key);
  return isScalar(value) && typeof value.value === "string" ? value.value : "";
}
