// Policies that are charts: rendered by the image's own helm for each environment, and held to what plain policies are held to.
import { parseApply } from "../kyverno/apply";
import { isPolicyKind } from "../kyverno/kinds";
import { type OutsideRule, uncheckedRules } from "../kyverno/outside";
import { sha256 } from "../oci/digest";
import { type Check, counted, failed, listed, passed, skipped } from "./check";
import type { GateContext, PolicyFile } from "./exec";
import { helmTemplate, type RenderedObject, type Rendering } from "./helm";
import { applyJointly, type Resources } from "./jointRun";
import type { PolicyMemory } from "./policyMemory";
import { notChecked, programTrouble } from "./programs";
import { settled } from "./settled";

/** The policies of one repository's charts in one environment. */
export interface RenderedPolicies {
  /** Files in the container, each with the rules that it applies alone; none when `failure` is there. */
  readonly files: readonly PolicyFile[];
  /** Absolute path in the container → content, of the same files. */
  readonly contents: ReadonlyMap<string, string>;
  /** Chart that each file comes from: absolute path → absolute path. */
  readonly charts: ReadonlyMap<string, string>;
  /** Rules that cannot be checked here; their policies are not among the files. */
  readonly outside: readonly OutsideRule[];
  /** Why they are none, a sentence. */
  readonly failure?: string;
}

/** The policy charts of an image, rendered when they are first asked for. */
export interface PolicyCharts {
  /** Absolute paths of a repository's policy charts. */
  of(repository: string): readonly string[];
  /** Environments that a repository has values for. */
  environments(repository: string): readonly string[];
  rendered(repository: string, environment: string): Promise<RenderedPolicies>;
  /**
   * The rendered files as `helm template --output-dir` writes them, for a repository's own tests:
   * `rendered/<environment>/<chart>/templates/<file>` → content. What cannot be rendered is left out.
   */
  forTests(repository: string): Promise<ReadonlyMap<string, string>>;
  /** Why charts cannot be rendered for one of the repository's environments, sentences that begin with the environment. */
  failures(repository: string): Promise<string[]>;
  /** A line for each repository with policy charts and each of the environments. */
  checks(repositories: readonly string[], environments: readonly string[]): Promise<Check[]>;
}

/** What a template of a policy says before it is rendered. */
const policyTemplate = /^\s*apiVersion:\s*["']?(?:[a-z0-9-]+\.)*kyverno\.io\//m;

/** What rules are counted on: any object will do. */
const anyPod: Resources = {
  yaml: "apiVersion: v1\nkind: Pod\nmetadata: {name: app, namespace: app}\nspec: {containers: [{name: app, image: app}]}\n",
  count: 1,
};

/** Finds the policy charts of an image; nothing is run yet. `memory`: what Kyverno said of a policy before. */
export function policyCharts(context: GateContext, memory?: Pick<PolicyMemory, "rules" | "learn">): PolicyCharts {
  const charts = findCharts(context.files);
  const known = new Map<string, Promise<RenderedPolicies>>();
  const counts = new Map<string, Promise<Counted>>();
  const count = (path: string, text: string) =>
    once(counts, text, async () => {
      const about = sha256(text);
      const rules = memory?.rules("chart", about) ?? (await countAlone(context, path));
      if (typeof rules === "number") memory?.learn("chart", about, rules);
      return rules;
    });
  const renderings = new Map<string, Promise<Rendering>>();
  const render = (one: OneChart) =>
    once(renderings, `${one.environment} ${one.chart}`, () => renderChart(context, one));
  const of = (repository: string) => charts.get(repository) ?? [];
  const environments = (repository: string) => environmentsOf(context.files, repository);
  const rendered = (repository: string, environment: string) =>
    once(known, `${repository}/${environment}`, async () => {
      const found = of(repository).map(async (chart) => ({
        chart,
        ...(await render({ repository, environment, chart })),
      }));
      return policiesOf(context, `rendered/${repository}/${environment}`, await settled(found), count);
    });
  const forTests = async (repository: string) => {
    const files = new Map<string, string>();
    if (of(repository).length === 0) return files;
    for (const environment of environments(repository)) {
      for (const chart of of(repository)) {
        const { objects } = await render({ repository, environment, chart });
        for (const { source, text } of objects.filter(({ source }) => isSafe(source))) {
          const path = `rendered/${environment}/${source}`;
          files.set(path, `${files.get(path) ?? ""}---\n${text}\n`);
        }
      }
    }
    return files;
  };
  const failures = async (repository: string) => {
    const all = environments(repository).flatMap((environment) =>
      of(repository).map((chart) => ({ environment, chart })),
    );
    const made = await Promise.all(all.map(async (one) => ({ ...one, ...(await render({ repository, ...one })) })));
    return made.flatMap(({ environment, failure }) => (failure === undefined ? [] : [`${environment}: ${failure}`]));
  };
  const checks = async (repositories: readonly string[], wanted: readonly string[]) => {
    const withCharts = repositories.filter((repository) => of(repository).length > 0);
    const lines = withCharts.flatMap((repository) =>
      wanted.length === 0
        ? [
            Promise.resolve(
              notRendered(
                `policies: ${repository} in charts`,
                of(repository),
                "no environment is configured; name them in policy-platform:artifacts.environments",
              ),
            ),
          ]
        : wanted.map((environment) => {
            const name = `policies: ${repository} for ${environment}`;
            return environments(repository).includes(environment)
              ? checkOne(context, name, rendered(repository, environment))
              : Promise.resolve(notRendered(name, of(repository), `it has no cd/${environment}/values.yaml`));
          }),
    );
    return settled(lines);
  };
  return { of, environments, rendered, forTests, failures, checks };
}

function once<T>(known: Map<string, Promise<T>>, key: string, make: () => Promise<T>): Promise<T> {
  const found = known.get(key) ?? make();
  known.set(key, found);
  return found;
}

function notRendered(name: string, charts: readonly string[], why: string): Check {
  return skipped(
    name,
    `${listed(charts)} ${charts.length === 1 ? "is" : "are"} not rendered, so its policies are not checked: ${why}`,
  );
}

/** Charts of each repository one of whose templates is a policy; a chart inside another one is part of that one. */
function findCharts(files: GateContext["files"]): ReadonlyMap<string, readonly string[]> {
  const roots = [...files.keys()]
    .flatMap((path) => /^(\/repos\/[^/]+(?:\/.+)?)\/Chart\.yaml$/.exec(path)?.[1] ?? [])
    .sort();
  const outer = roots.filter((root) => !roots.some((other) => root.startsWith(`${other}/charts/`)));
  const found = new Map<string, string[]>();
  for (const root of outer) {
    const templates = [...files].filter(([path]) => path.startsWith(`${root}/`) && path.includes("/templates/"));
    if (!templates.some(([, content]) => policyTemplate.test(content.toString("latin1")))) continue;
    const repository = root.split("/")[2]!;
    found.set(repository, [...(found.get(repository) ?? []), root]);
  }
  return found;
}

function environmentsOf(files: GateContext["files"], repository: string): string[] {
  const found = [...files.keys()].flatMap(
    (path) => new RegExp(`^/repos/${repository}/cd/([^/]+)/values\\.yaml$`).exec(path)?.[1] ?? [],
  );
  return [...new Set(found)].sort();
}

interface OneChart {
  readonly repository: string;
  readonly environment: string;
  /** Absolute path. */
  readonly chart: string;
}

/** Values of the environment for all charts, then those for this one. */
async function renderChart(context: GateContext, { repository, environment, chart }: OneChart) {
  const folder = `/repos/${repository}/cd/${environment}`;
  const values = [`${folder}/values.yaml`, `${folder}/${chart.split("/").at(-1)}.yaml`];
  return helmTemplate(context, { chart, values: values.filter((path) => context.files.has(path)) });
}

/** What was counted, or why nothing was. */
type Counted = number | string;

async function policiesOf(
  context: GateContext,
  folder: string,
  renderings: readonly (Rendering & { readonly chart: string })[],
  count: (path: string, text: string) => Promise<Counted>,
): Promise<RenderedPolicies> {
  const none = { files: [], contents: new Map(), charts: new Map(), outside: [] };
  const failure = renderings.find((rendering) => rendering.failure !== undefined)?.failure;
  if (failure !== undefined) return { ...none, failure };
  const policies = renderings.flatMap(({ chart, objects }) =>
    objects.filter(({ apiVersion, kind }) => isPolicyKind(apiVersion, kind)).map((object) => ({ ...object, chart })),
  );
  const unsafe = policies.find(({ source }) => !isSafe(source));
  if (unsafe) return { ...none, failure: `helm names a template ${JSON.stringify(unsafe.source)} in ${unsafe.chart}` };
  const twice = duplicate(policies);
  if (twice !== undefined) return { ...none, failure: `${twice} is rendered twice; a cluster keeps only one of them` };
  const judged = policies.map((policy) => ({ ...policy, outside: uncheckedRules(Buffer.from(policy.text)) }));
  // A file for each policy, so that each can be counted alone.
  const named = judged
    .filter(({ outside }) => outside.length === 0)
    .map((policy, index, all) => {
      const before = all.slice(0, index).filter(({ source }) => source === policy.source).length;
      return {
        ...policy,
        file: before === 0 ? policy.source : policy.source.replace(/(\.[^./]*)?$/, `-${before + 1}$1`),
      };
    });
  const at = await context.put(folder, new Map(named.map(({ file, text }) => [file, `${text}\n`])));
  const all = await settled(
    named.map(async ({ chart, file, text, source }) => {
      const path = `${at}/${file}`;
      return { chart, path, text, source, rules: await count(path, text) };
    }),
  );
  const uncounted = all.filter(({ rules }) => typeof rules === "string");
  if (uncounted.length > 0)
    return { ...none, failure: uncounted.map(({ source, rules }) => `${source}: ${rules}`).join("; ") };
  return {
    files: all.map(({ path, rules }) => ({ path, rules: rules as number })),
    contents: new Map(all.map(({ path, text }) => [path, text])),
    charts: new Map(all.map(({ path, chart }) => [path, chart])),
    outside: judged.flatMap(({ outside }) => outside),
  };
}

/** Rules that one file applies alone, or why it applies none. */
async function countAlone(context: GateContext, path: string): Promise<Counted> {
  const outcome = await context.exec(["kyverno", "apply", path, "--resource", "-", "--remove-color"], {
    input: anyPod.yaml,
  });
  const trouble = programTrouble("kyverno", outcome);
  if (trouble !== undefined) return trouble;
  const { rules, invalid } = parseApply(outcome.stdout);
  if (invalid.length > 0) return "kyverno calls it invalid";
  if (rules === undefined || rules === 0) return "kyverno applies 0 rules of it";
  return rules;
}

async function checkOne(context: GateContext, name: string, rendering: Promise<RenderedPolicies>): Promise<Check> {
  const { files, contents, charts, outside, failure } = await rendering;
  if (failure !== undefined) return failed(name, failure);
  const unchecked = notChecked(outside);
  if (files.length === 0)
    return unchecked === ""
      ? failed(name, "its policy charts render no policy with these values")
      : skipped(name, `nothing of it can be checked${unchecked}`);
  const content = (path: string) => Buffer.from(contents.get(path) ?? "");
  const joint = await applyJointly(context, files, anyPod, { content });
  if (joint.failure !== undefined) return failed(name, joint.failure, joint.output);
  const policies = `${counted(files.length, "policy", "policies")} of ${counted(new Set(charts.values()).size, "chart")}`;
  return passed(name, `${counted(joint.rules, "rule")} in ${policies}${unchecked}`, joint.output);
}

/** The first object that is there twice; namespaces count, as for a cluster. */
function duplicate(objects: readonly RenderedObject[]): string | undefined {
  const titles = objects.map(
    ({ kind, namespace, name }) => `${kind} ${namespace === "" ? "" : `${namespace}/`}${name}`,
  );
  return titles.find((title, index) => titles.indexOf(title) !== index);
}

/** A template's name that stays in its folder. */
function isSafe(source: string): boolean {
  return /^[^/\0]+(?:\/[^/\0]+)+$/.test(source) && !source.split("/").includes("..");
}
