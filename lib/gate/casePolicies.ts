// Which policy files a case means: those of repositories, of folders or files in them, and of policy charts as one
// environment renders them.
import { type OutsideRule, outsideRules } from "../kyverno/outside";
import type { PolicyCharts } from "./charts";
import { listed } from "./check";
import type { GateContext, PolicyFile } from "./exec";

/** The policies of one case. */
export interface CasePolicies {
  readonly files: readonly PolicyFile[];
  /** Rules that cannot be checked here; their files are not among `files`. */
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
      const unchecked = outsideRules(content);
      for (const rule of unchecked) outside.set(`${rule.policy}/${rule.rule}`, rule);
      if (unchecked.length > 0) continue;
      files.set(file.path, file);
      contents.set(file.path, content);
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
