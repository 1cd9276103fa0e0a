// What a violation does, changed for one cluster: patches of a Flux Kustomization, made for the very documents of an artifact.
import type { Json } from "../canonicalJson";
import { compareText } from "../compareText";
import { PlatformError } from "../errors";
import { groupOf } from "../kubernetes/objects";
import { isClusterScoped } from "../kyverno/kinds";
import { quotedAscii } from "../printable";
import type { PolicyDocument } from "./documents";
import { type Action, type Operation, operationsFor, patched } from "./enforcementForms";

/** `asAuthored`: what each policy says itself. `audit`: only reports. `enforce`: violations are refused. */
export const Enforcement = { asAuthored: "asAuthored", audit: "audit", enforce: "enforce" } as const;
export type Enforcement = (typeof Enforcement)[keyof typeof Enforcement];

/** What is looked at of a document of an artifact. */
export type PatchedDocument = Pick<PolicyDocument, "apiVersion" | "kind" | "namespace" | "name" | "object">;

/** An entry of a Kustomization's `patches`. Kustomize reads the texts of a target as regular expressions, each as a whole. */
export interface KustomizePatch {
  readonly patch: string;
  readonly target: {
    readonly group: string;
    readonly version: string;
    readonly kind: string;
    readonly name: string;
    readonly namespace?: string;
  };
}

/** What one cluster wants. */
export interface EnforcementChoice {
  readonly enforcement: Enforcement;
  /** Names of policies that audit where the cluster enforces. Default: none. */
  readonly exceptions?: readonly string[];
}

/**
 * One patch for each document that does not do as wanted already, in one order whatever that of the documents. A patch tests that
 * the rules are those that it was made for: on any other document it fails, and Flux keeps what runs. Error: `exception-unknown`.
 */
export function patchesFor(documents: readonly PatchedDocument[], choice: EnforcementChoice): KustomizePatch[] {
  refuseUnknown(documents, choice);
  return documents
    .flatMap((document) => {
      const operations = changesOf(document, choice);
      return operations.length === 0 ? [] : [{ patch: patchText(operations), target: targetOf(document) }];
    })
    .sort((a, b) => compareText(sortKey(a), sortKey(b)));
}

/** The object as the cluster is to hold it: the document's own where nothing changes. */
export function applied(document: PatchedDocument, choice: EnforcementChoice): PatchedDocument["object"] {
  const operations = changesOf(document, choice);
  return operations.length === 0 ? document.object : patched(document.object, operations);
}

function changesOf(document: PatchedDocument, choice: EnforcementChoice): Operation[] {
  const action = actionFor(document, choice);
  return action === undefined ? [] : operationsFor(document.object, action);
}

function actionFor(document: PatchedDocument, { enforcement, exceptions = [] }: EnforcementChoice): Action | undefined {
  if (enforcement === Enforcement.asAuthored) return undefined;
  return enforcement === Enforcement.audit || exceptions.includes(document.name) ? "Audit" : "Enforce";
}

/** An exception without effect would be believed. */
function refuseUnknown(documents: readonly PatchedDocument[], { exceptions = [] }: EnforcementChoice): void {
  const decides = (document: PatchedDocument) =>
    (["Audit", "Enforce"] as const).some((action) => operationsFor(document.object, action).length > 0);
  const unknown = exceptions.filter(
    (name) => !documents.some((document) => document.name === name && decides(document)),
  );
  if (unknown.length === 0) return;
  const names = [...new Set(documents.filter(decides).map(({ name }) => name))].sort();
  const more = names.length > 20 ? ` and ${names.length - 20} more` : "";
  throw new PlatformError("exception-unknown", {
    what: `exceptions name no policy of the artifact that could refuse anything: ${unknown.map(quotedAscii).join(", ")}`,
    rule: "an exception is a policy of the artifact that keeps auditing where the cluster enforces",
    fix: names.length > 0 ? `name one of ${names.slice(0, 20).join(", ")}${more}` : "remove the exceptions",
  });
}

/** YAML, as people write such a patch: values as JSON, which YAML reads as the same. */
function patchText(operations: readonly Operation[]): string {
  const lines = operations.map((operation) => {
    const head = `- op: ${operation.op}\n  path: ${operation.path}\n`;
    return operation.op === "remove" ? head : `${head}  value: ${yamlValue(operation.value)}\n`;
  });
  return lines.join("");
}

/** JSON, with what YAML would take for a line's end or a mark written as escapes. */
function yamlValue(value: Json): string {
  return JSON.stringify(value).replace(
    /[\x7f-\x9f\u2028\u2029\ufeff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** Kustomize takes a document without a namespace for one of `default`. */
function targetOf({ apiVersion, kind, ...document }: PatchedDocument): KustomizePatch["target"] {
  const namespace = isClusterScoped(apiVersion, kind) ? {} : { namespace: document.namespace || "default" };
  const version = apiVersion.slice(apiVersion.indexOf("/") + 1);
  return { group: groupOf(apiVersion), version, kind, name: document.name.replaceAll(".", "\\."), ...namespace };
}

function sortKey({ target }: KustomizePatch): string {
  return [target.group, target.kind, target.namespace ?? "", target.name, target.version].join("\n");
}
