// Holds what policy repositories ship to what Kyverno takes, before anything is pushed: YAML, kinds that the pinned Kyverno
// knows, one policy of a name. Files that were in order once are known by their content and never parsed again.
import { readFile } from "node:fs/promises";
import { join, posix } from "node:path";
import { PlatformError } from "../errors";
import { objectKey, objectTitle } from "../kyverno/identity";
import { type PolicyKinds, policyKinds } from "../kyverno/kinds";
import { printable } from "../printable";
import type { PolicyFact } from "./facts";
import { type KnownFacts, recallFacts, rememberFacts } from "./memory";
import { policyRules } from "./rules";
import type { YamlProblem } from "./yaml";

/** One policy repository, or the folder that is to become one. */
export interface CheckedRepository {
  /** Stands before the names of files: a folder as it was written, or an image. */
  readonly shown: string;
  /** What ships: path in the repository → digest of the content, as a layer image lists it. */
  readonly files: Readonly<Record<string, string>>;
  /** Folder that the files are in; or how else one of them is read: undefined where it cannot be any more. */
  readonly source: string | ((path: string) => Promise<Uint8Array | undefined>);
  /** File that remembers contents which are in order; default: nothing is remembered. */
  readonly memory?: string;
}

/** One thing that is wrong with a policy repository. */
export interface PolicyProblem {
  readonly code: keyof typeof policyRules;
  /** Index of the repository among those that were checked. */
  readonly repository: number;
  /** Path in the repository. */
  readonly file: string;
  readonly line: number;
  /** What is wrong in that line. */
  readonly reason: string;
}

/** What was found in all of them. */
export interface CheckedPolicies {
  /** By repository, file and line. */
  readonly problems: readonly PolicyProblem[];
  /** What could not be told for certain. */
  readonly notes: readonly string[];
}

/**
 * Everything that is wrong with some repositories that go into one image. A template of a chart is no YAML before it is
 * rendered, and is not looked at. `kyverno`: the version that is pinned.
 */
export async function checkPolicies(
  repositories: readonly CheckedRepository[],
  { kyverno }: { readonly kyverno?: string },
): Promise<CheckedPolicies> {
  const kinds = policyKinds(kyverno);
  const found = await Promise.all(repositories.map(readFacts));
  const policies = found.flatMap(({ facts }, repository) =>
    facts.flatMap(({ file, policies }) => policies.map((policy) => ({ ...policy, repository, file }))),
  );
  const broken = found.flatMap(({ broken }, repository) =>
    broken.map(({ file, line, reason }) => ({ code: "policy-yaml-broken" as const, repository, file, line, reason })),
  );
  const unknown = policies.flatMap((policy) => kindProblem(policy, kinds) ?? []);
  const unsure = kinds.unsure !== undefined && unknown.some(({ code }) => code === "policy-kind-unknown");
  const refused = unsure ? unknown.filter(({ code }) => code !== "policy-kind-unknown") : unknown;
  const problems = [...broken, ...refused, ...duplicates(policies, repositories)];
  const order = (a: PolicyProblem, b: PolicyProblem) =>
    a.repository - b.repository || (a.file < b.file ? -1 : a.file > b.file ? 1 : a.line - b.line);
  return { problems: problems.sort(order), notes: unsure ? notesOn(unknown, repositories, kinds) : [] };
}

/** Throws with all problems: under the code of the only kind there is, else under `policies-invalid`. Returns the notes. */
export async function requirePolicies(
  repositories: readonly CheckedRepository[],
  options: { readonly kyverno?: string },
): Promise<readonly string[]> {
  const { problems, notes } = await checkPolicies(repositories, options);
  if (problems.length === 0) return notes;
  const codes = [...new Set(problems.map(({ code }) => code))];
  const lines = problems.slice(0, most).map((problem) => `${place(repositories, problem)}: ${problem.reason}`);
  const what = [...lines, ...(problems.length > most ? [`and ${problems.length - most} more`] : [])].join("\n");
  if (codes.length === 1) throw new PlatformError(codes[0]!, { what, ...policyRules[codes[0]!] });
  throw new PlatformError("policies-invalid", {
    what,
    rule: codes.map((code) => policyRules[code].rule).join("; "),
    fix: "mend those lines, or name the files in the folder's .policyignore",
  });
}

/** Problems shown at once. */
const most = 20;

/** `policies/a/b.yaml:3`. */
function place(repositories: readonly CheckedRepository[], { repository, file, line }: Located): string {
  return `${posix.join(repositories[repository]!.shown, file)}:${line}`;
}

interface Located {
  readonly repository: number;
  readonly file: string;
  readonly line: number;
}

type Found = PolicyFact & Located;

function kindProblem(policy: Found, kinds: PolicyKinds): PolicyProblem | undefined {
  const { repository, file, line, apiVersion, kind, name } = policy;
  const at = { repository, file, line };
  if (kind === "")
    return { ...at, code: "policy-unnamed", reason: `an object of ${printable(apiVersion, 80)} has no kind` };
  const advice = kinds.refuse(apiVersion, kind);
  if (advice !== undefined) {
    const reason = `${printable(kind, 80)} of ${printable(apiVersion, 80)} is not known to ${kinds.name}: ${advice}`;
    return { ...at, code: "policy-kind-unknown", reason };
  }
  if (name === "") return { ...at, code: "policy-unnamed", reason: `${kind} has no name` };
  return undefined;
}

/** Each policy whose name another one had before it, in the order of repositories, files and lines. */
function duplicates(policies: readonly Found[], repositories: readonly CheckedRepository[]): PolicyProblem[] {
  const first = new Map<string, Found>();
  return policies.flatMap((policy) => {
    const { repository, file, line, kind, name } = policy;
    if (kind === "" || name === "") return [];
    const key = objectKey(policy);
    const before = first.get(key);
    if (!before) first.set(key, policy);
    const reason = before && `${printable(objectTitle(policy), 160)} is in ${place(repositories, before)} already`;
    return reason ? [{ code: "policy-duplicate" as const, repository, file, line, reason }] : [];
  });
}

function notesOn(
  unknown: readonly PolicyProblem[],
  repositories: readonly CheckedRepository[],
  { unsure }: PolicyKinds,
): string[] {
  const places = unknown.filter(({ code }) => code === "policy-kind-unknown");
  const shown = places.slice(0, 3).map((problem) => place(repositories, problem));
  const more = places.length > shown.length ? ` and ${places.length - shown.length} more` : "";
  return [`${unsure}; the gate tells whether it takes ${shown.join(", ")}${more}`];
}

interface Facts {
  readonly facts: readonly { readonly file: string; readonly policies: readonly PolicyFact[] }[];
  readonly broken: readonly (YamlProblem & { readonly file: string })[];
}

/** What a repository's files hold, by path. */
async function readFacts({ files, source, memory }: CheckedRepository): Promise<Facts> {
  const known = await recallFacts(memory);
  const yaml = Object.keys(files)
    .filter((file) => /\.ya?ml$/i.test(file) && !isTemplate(file, files))
    .sort();
  const fresh = yaml.filter((file) => !known.has(files[file]!));
  const broken: (YamlProblem & { file: string })[] = [];
  const read = new Map<string, readonly PolicyFact[]>();
  if (fresh.length > 0) {
    const { factsOf } = await import("./facts"); // loaded here alone: mostly nothing is fresh
    for (const file of fresh) {
      const bytes = typeof source === "string" ? await readFile(join(source, file)) : await source(file);
      const facts = bytes && factsOf(bytes);
      if (!facts) continue;
      if ("problem" in facts) broken.push({ file, ...facts.problem });
      else read.set(files[file]!, facts.policies);
    }
  }
  const all: KnownFacts = new Map(yaml.flatMap((file) => entryOf(files[file]!, known, read)));
  if (memory !== undefined && read.size > 0) await rememberFacts(memory, all);
  return { facts: yaml.map((file) => ({ file, policies: all.get(files[file]!) ?? [] })), broken };
}

function entryOf(digest: string, ...memories: readonly KnownFacts[]): [string, readonly PolicyFact[]][] {
  const facts = memories.map((memory) => memory.get(digest)).find((found) => found !== undefined);
  return facts === undefined ? [] : [[digest, facts]];
}

/** In `templates/` beside a Chart.yaml, at any depth. */
function isTemplate(file: string, files: Readonly<Record<string, string>>): boolean {
  const steps = file.split("/");
  return steps.some((step, index) => {
    const chart = [...steps.slice(0, index), "Chart.yaml"].join("/");
    return step === "templates" && index < steps.length - 1 && Object.hasOwn(files, chart);
  });
}
