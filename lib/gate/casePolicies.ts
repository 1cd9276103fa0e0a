// Which policy files a case means: those of repositories, of folders or files in them, and of policy charts as one
// environment renders them.
import { type OutsideRule, ruleNames, uncheckedRules } from "../kyverno/outside";
import { countRules } from "../kyverno/ruleCount";
import { sha256 } from "../oci/digest";
import { parseYaml } from "../policies/yaml";
import type { PolicyCharts } from "./charts";
import { listed } from "./check";
import type { GateContext, PolicyFile } from "./exec";

/** The policies of one case. */
export interface CasePolicies {
  readonly files: readonly PolicyFile[];
  /** Rules that cannot be checked here; their policies are in none of the files. */
  readonly outside: readonly OutsideRule[];
  /** Content of any of the files. */
  readonly content: (path: string) => Uint8Array;
  /** Why they cannot be told, a sentence. */
  readonly failure?: string;
}

/** Finds the policies that `names` (repositories, or paths below /repos) stand for. Each file counts once. */
export async function casePolicies(
  context: GateContext,
  charts: PolicyCharts,
  { policies, environment }: { readonly policies: readonly string[]; readonly environment?: string },
): Promise<CasePolicies> {
  const files = new Map<string, PolicyFile>();
  const contents = new Map<string, Uint8Array>();
  const outside = new Map<string, OutsideRule>();
  const failures: string[] = [];
  for (const name of policies) {
    const [repository = "", ...rest] = name.split("/");
    const prefix = ["/repos", repository, ...rest].join("/");
    const isMeant = (path: string) => path === prefix || path.startsWith(`${prefix}/`);
    const plain = context.policies(repository).filter(({ path }) => isMeant(path));
    const rendered = await renderedPolicies(charts, { repository, environment, isMeant, prefix });
    if (rendered.failure !== undefined) failures.push(rendered.failure);
    if (rendered.failure === undefined && plain.length + rendered.files.length + rendered.outside.length === 0)
      failures.push(`/repos/${name} holds no policy`);
    for (const file of plain) {
      const content = context.files.get(file.path) ?? Buffer.alloc(0);
      const unchecked = uncheckedRules(content);
      for (const rule of unchecked) outside.set(`${rule.policy}/${rule.rule}`, rule);
      const rest = unchecked.length === 0 ? { file, content } : await withoutUnchecked(context, file, content);
      if ("left" in rest) for (const rule of rest.left) outside.set(`${rule.policy}/${rule.rule}`, rule);
      else {
        files.set(rest.file.path, rest.file);
        contents.set(rest.file.path, rest.content);
      }
    }
    for (const file of rendered.files) {
      files.set(file.path, file);
      contents.set(file.path, Buffer.from(rendered.contents.get(file.path) ?? ""));
    }
    for (const rule of rendered.outside) outside.set(`${rule.policy}/${rule.rule}`, rule);
  }
  return {
    files: [...files.values()],
    outside: [...outside.values()],
    content: (path) => contents.get(path) ?? Buffer.alloc(0),
    ...(failures.length === 0 ? {} : { failure: failures.join("; ") }),
  };
}

interface Part {
  readonly file: PolicyFile;
  readonly content: Uint8Array;
}

/** The policies of a file that can be checked, as a file of their own; all of its rules where they cannot be told apart. */
async function withoutUnchecked(
  context: GateContext,
  file: PolicyFile,
  content: Buffer,
): Promise<Part | { readonly left: readonly OutsideRule[] }> {
  // As it was parsed: without a byte order mark.
  const text = new TextDecoder().decode(content);
  const documents = parseYaml(content).documents.map((document) => {
    const part = text.slice(document.range[0], document.range[2]);
    return { part, rules: likelyRules(document), isUnchecked: uncheckedRules(Buffer.from(part)).length > 0 };
  });
  const rest = documents.filter(({ rules, isUnchecked }) => rules > 0 && !isUnchecked);
  if (rest.length === 0) return { left: [] };
  // Only where the guess at the whole file's rules is Kyverno's own count is the guess at a part of it believed.
  const all = documents.reduce((sum, { rules }) => sum + rules, 0);
  if (all !== file.rules || /^%/m.test(text)) {
    const [first] = uncheckedRules(content);
    const left = ruleNames(content).map((name) => {
      const [policy = "", ...rule] = name.split("/");
      return { policy, rule: rule.join("/"), needs: first!.needs, beside: true as const };
    });
    const named = new Set(uncheckedRules(content).map(({ policy, rule }) => `${policy}/${rule}`));
    return { left: left.filter(({ policy, rule }) => !named.has(`${policy}/${rule}`)) };
  }
  const kept = Buffer.from(rest.map(({ part }) => `---\n${part}`).join("\n"));
  const name = `${sha256(kept).slice("sha256:".length)}.yaml`;
  const folder = await context.put("checked", new Map([[name, kept]]));
  const rules = rest.reduce((sum, one) => sum + one.rules, 0);
  return { file: { path: `${folder}/${name}`, rules }, content: kept };
}

function likelyRules(document: { toJS(options: { maxAliasCount: number }): unknown }): number {
  try {
    return countRules(document.toJS({ maxAliasCount: 1000 }))?.likely ?? 0;
  } catch {
    return 0; // an alias bomb
  }
}

interface Wanted {
  readonly repository: string;
  readonly environment?: string;
  readonly prefix: string;
  readonly isMeant: (path: string) => boolean;
}

interface FromCharts {
  readonly files: readonly PolicyFile[];
  readonly contents: ReadonlyMap<string, string>;
  readonly outside: readonly OutsideRule[];
  readonly failure?: string;
}

/** Those of charts in what is meant; a path inside a chart means the chart's rendered policies, all of them. */
async function renderedPolicies(charts: PolicyCharts, wanted: Wanted): Promise<FromCharts> {
  const { repository, environment, prefix, isMeant } = wanted;
  const none = { files: [], contents: new Map(), outside: [] };
  const meant = charts.of(repository).filter((chart) => isMeant(chart) || prefix.startsWith(`${chart}/`));
  if (meant.length === 0) return none;
  const known = charts.environments(repository);
  const choice = known.length === 0 ? "it has no cd/<environment>/values.yaml" : `it has values for ${listed(known)}`;
  if (environment === undefined)
    return { ...none, failure: `${listed(meant)}: policies in charts need the case's \`environment\`; ${choice}` };
  if (!known.includes(environment))
    return { ...none, failure: `${repository} has no values for the environment ${environment}; ${choice}` };
  const rendered = await charts.rendered(repository, environment);
  if (rendered.failure !== undefined) return { ...none, failure: rendered.failure };
  return { ...rendered, files: rendered.files.filter(({ path }) => meant.includes(rendered.charts.get(path) ?? "")) };
}
