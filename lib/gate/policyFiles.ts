// Which files of an image hold policies, and what stands beside them.
import { countRules } from "../kyverno/ruleCount";
import { type Digest, sha256 } from "../oci/digest";
import { parseYaml } from "../policies/yaml";

/** A file of the image that Kyverno would read, as we read it. */
export interface ReadFile {
  /** Absolute path in the image. */
  readonly path: string;
  readonly content: Buffer;
  readonly digest: Digest;
  /** Names of its policies. */
  readonly policies: readonly string[];
  /** Rules as they are written. */
  readonly written: number;
  /** Rules that Kyverno is likely to see. */
  readonly likely: number;
}

/**
 * The files of a repository that hold a policy. Templates of charts are no YAML before they are rendered; a binding alone
 * has no rule.
 */
export function policyFiles(repository: string, contents: ReadonlyMap<string, Buffer>): ReadFile[] {
  const inside = [...contents].filter(([path]) => path.startsWith(`/repos/${repository}/`) && /\.ya?ml$/i.test(path));
  return inside
    .filter(([path]) => !isTemplate(path, contents))
    .map(([path, content]) => read(path, content))
    .filter(({ policies }) => policies.length > 0)
    .sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** In `templates/` beside a Chart.yaml, at any depth. */
export function isTemplate(path: string, contents: ReadonlyMap<string, unknown>): boolean {
  const steps = path.split("/");
  return steps.some(
    (step, index) =>
      step === "templates" &&
      index < steps.length - 1 &&
      contents.has([...steps.slice(0, index), "Chart.yaml"].join("/")),
  );
}

/** True where `kyverno apply FOLDER` reads the file: it leaves out hidden names, and knows two endings, in small letters. */
export function isReadByKyverno(path: string): boolean {
  return /\.ya?ml$/.test(path) && !path.split("/").some((step) => step.startsWith("."));
}

function read(path: string, content: Buffer): ReadFile {
  const policies = mayHoldPolicy(content)
    ? parseYaml(content).documents.flatMap((document) => {
        try {
          return countRules(document.toJS({ maxAliasCount: 1000 })) ?? [];
        } catch {
          return []; // an alias bomb
        }
      })
    : [];
  return {
    path,
    content,
    digest: sha256(content),
    policies: policies.map(({ name }) => name),
    written: policies.reduce((sum, { written }) => sum + written, 0),
    likely: policies.reduce((sum, { likely }) => sum + likely, 0),
  };
}

/** Most files beside policies are not parsed. */
export function mayHoldPolicy(content: Buffer): boolean {
  return content.includes("Policy") || content.includes("kyverno.io");
}
