// Reads a sample policy repository from the work tree: its policies, and the Kyverno tests beside them.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";

/** Where the sample repository lies. */
export const securityPolicy = join(__dirname, "..", "..", "policies", "security-policy");

/** The one whose policies are charts. */
export const devopsPolicy = join(__dirname, "..", "..", "policies", "devops-policy");

export interface Rule {
  readonly name: string;
  readonly match: {
    readonly any: readonly { readonly resources: { readonly kinds: string[]; readonly operations: string[] } }[];
  };
  readonly validate: {
    failureAction?: string;
    message?: string;
    pattern?: unknown;
    anyPattern?: unknown;
    foreach?: ForEach[];
    deny?: unknown;
  };
}

export interface ForEach {
  list: string;
  readonly deny: unknown;
}

export interface Policy {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly annotations: Readonly<Record<string, string>> };
  readonly spec: {
    readonly background: boolean;
    readonly emitWarning?: boolean;
    readonly validationFailureAction?: string;
    rules: Rule[];
  };
}

export interface Resource {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>> };
}

export interface Row {
  readonly policy: string;
  readonly rule: string;
  readonly kind: string;
  readonly result: "pass" | "fail" | "skip";
  readonly resources: readonly string[];
}

/** One `kyverno-test.yaml` with the resources it names. */
export interface Suite {
  readonly policies: readonly string[];
  readonly results: readonly Row[];
  readonly checks: readonly {
    readonly match: { readonly resource: Resource };
    readonly assert: { readonly status: string };
  }[];
  readonly resources: readonly Resource[];
}

/** Every document of a YAML file; a syntax error is thrown with its line. */
export function documents<T>(file: string): T[] {
  return parseAllDocuments(readFileSync(file, "utf8")).map((document) => {
    const [error] = document.errors;
    if (error) throw error;
    return document.toJS() as T;
  });
}

/** File name (`x.yaml`) → its documents, of a repository's `policies/`. */
export function policyFiles(repository: string): Map<string, Policy[]> {
  const folder = join(repository, "policies");
  return new Map(readdirSync(folder).map((file) => [file, documents<Policy>(join(folder, file))]));
}

/** Policy name → its suite, of a repository's `tests/`. */
export function suites(repository: string): Map<string, Suite> {
  const folder = join(repository, "tests");
  return new Map(
    readdirSync(folder).map((name) => {
      const [suite] = documents<Suite>(join(folder, name, "kyverno-test.yaml"));
      return [name, { ...suite!, resources: documents<Resource>(join(folder, name, "resources.yaml")) }];
    }),
  );
}
