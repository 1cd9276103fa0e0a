// The objects that a file of an artifact holds, each with what identifies it: its kind and name, and the digest of what it asks for.
import { posix } from "node:path";
import { canonicalJson, type Json } from "../canonicalJson";
import { namespaceOf } from "../kyverno/identity";
import { autogenAnnotation } from "../kyverno/ruleCount";
import { type Digest, sha256 } from "../oci/digest";
import { parseYaml, type YamlProblem } from "../policies/yaml";
import { isRecord } from "../record";

/** One object as a cluster is to get it. */
export interface PolicyDocument {
  readonly apiVersion: string;
  readonly kind: string;
  /** Empty for an object that names none, and for a policy of the whole cluster that does. */
  readonly namespace: string;
  readonly name: string;
  /** Path of its file in the artifact. */
  readonly path: string;
  /** The policy repository that it comes from. */
  readonly repository: string;
  /** Of the canonical JSON of its `spec`, or where it has none of everything but its metadata. */
  readonly spec: Digest;
  /** Names of its rules in order; none for a kind without. */
  readonly rules: readonly string[];
  /** For which owners of Pods Kyverno makes more rules of them, as its annotation says it; empty where it says nothing. */
  readonly autogen: string;
  /** All of it. */
  readonly object: Readonly<Record<string, unknown>>;
}

/** The documents in a folder of the artifact, `./…`; `./` is all of it. */
export function documentsBelow<T extends Pick<PolicyDocument, "path">>(documents: readonly T[], path: string): T[] {
  const folder = posix.join(path, "/").replace(/^(?:\.?\/)+/, "");
  return documents.filter((document) => document.path.startsWith(folder));
}

/** An object before anything is asked of it: its name may be missing. */
export type ReadDocument = Omit<PolicyDocument, "path" | "repository">;

/** All objects of a file, those in a `List` too; what has no apiVersion and kind is none. */
export function documentsOf(content: Uint8Array): readonly ReadDocument[] | { readonly problem: YamlProblem } {
  const { documents, problem, lineAt } = parseYaml(content);
  if (problem) return { problem };
  const found: ReadDocument[] = [];
  for (const document of documents) {
    try {
      found.push(...objectsIn(document.toJS({ maxAliasCount: 1000 })).map(readDocument));
    } catch {
      return { problem: { line: lineAt(document.range[0]), reason: "its aliases expand to too much" } };
    }
  }
  return found;
}

/** The objects of one file of an artifact; the first folder of its path is the policy repository. */
export function inFile(path: string, documents: readonly ReadDocument[]): PolicyDocument[] {
  return documents.map((document) => ({ ...document, path, repository: path.split("/")[0]! }));
}

function objectsIn(value: unknown): Readonly<Record<string, unknown>>[] {
  if (!isRecord(value) || textOf(value.apiVersion) === "" || textOf(value.kind) === "") return [];
  return value.kind === "List" && Array.isArray(value.items) ? value.items.flatMap(objectsIn) : [value];
}

function readDocument(object: Readonly<Record<string, unknown>>): ReadDocument {
  const { apiVersion, kind, metadata, ...content } = object;
  const { namespace, name, annotations } = isRecord(metadata) ? metadata : {};
  const { spec } = content;
  const rules = isRecord(spec) && Array.isArray(spec.rules) ? spec.rules.filter(isRecord) : [];
  const type = { apiVersion: textOf(apiVersion), kind: textOf(kind) };
  return {
    ...type,
    namespace: namespaceOf({ ...type, namespace: textOf(namespace) }),
    name: textOf(name),
    spec: sha256(canonicalJson(plain(spec ?? content))),
    rules: rules.map((rule) => textOf(rule.name)),
    autogen: isRecord(annotations) ? textOf(annotations[autogenAnnotation]) : "",
    object,
  };
}

/** As JSON has it: a YAML date, for one, is the text that Kubernetes would be sent. */
function plain(value: unknown): Json {
  return JSON.parse(JSON.stringify(value)) as Json;
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}
