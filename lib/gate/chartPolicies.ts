// The policies among what helm rendered of a repository's charts, each as a file of its own with the rules that it applies.
import { parseApply } from "../kyverno/apply";
import { isAppliedKind, isPolicyKind } from "../kyverno/kinds";
import { type OutsideRule, uncheckedRules } from "../kyverno/outside";
import type { GateContext, PolicyFile } from "./exec";
import type { RenderedObject, Rendering } from "./helm";
import type { Resources } from "./jointRun";
import { programTrouble } from "./programs";
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
  /** Texts of what is not among the files: policies with such rules, and what `kyverno apply` is not for. */
  readonly others: readonly string[];
  /** Why they are none, a sentence. */
  readonly failure?: string;
}

/** What rules are counted on: any object will do. */
export const anyPod: Resources = {
  yaml: "apiVersion: v1\nkind: Pod\nmetadata: {name: app, namespace: app}\nspec: {containers: [{name: app, image: app}]}\n",
  count: 1,
};

/** What was counted, or why nothing was. */
export type Counted = number | string;

/** `folder`: where the files are put. `count`: rules that a file applies alone. */
export async function policiesOf(
  context: GateContext,
  folder: string,
  renderings: readonly (Rendering & { readonly chart: string })[],
  count: (path: string, text: string) => Promise<Counted>,
): Promise<RenderedPolicies> {
  const none = { files: [], contents: new Map(), charts: new Map(), outside: [], others: [] };
  const failure = renderings.find((rendering) => rendering.failure !== undefined)?.failure;
  if (failure !== undefined) return { ...none, failure };
  const policies = renderings.flatMap(({ chart, objects }) =>
    objects.filter(({ apiVersion, kind }) => isPolicyKind(apiVersion, kind)).map((object) => ({ ...object, chart })),
  );
  const unsafe = policies.find(({ source }) => !isSafe(source));
  if (unsafe) return { ...none, failure: `helm names a template ${JSON.stringify(unsafe.source)} in ${unsafe.chart}` };
  const twice = duplicate(policies);
  if (twice !== undefined) return { ...none, failure: `${twice} is rendered twice; a cluster keeps only one of them` };
  const judged = policies.map((policy) => ({
    ...policy,
    outside: uncheckedRules(Buffer.from(policy.text)),
    isApplied: isAppliedKind(policy.apiVersion, policy.kind),
  }));
  const isFile = ({ outside, isApplied }: (typeof judged)[number]) => outside.length === 0 && isApplied;
  // A file for each policy, so that each can be counted alone.
  const named = judged.filter(isFile).map((policy, index, all) => {
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
    others: judged.filter((policy) => !isFile(policy)).map(({ text }) => text),
  };
}

/** Rules that one file applies alone, or why it applies none. */
export async function countAlone(context: GateContext, path: string): Promise<Counted> {
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

/** The first object that is there twice; namespaces count, as for a cluster. */
function duplicate(objects: readonly RenderedObject[]): string | undefined {
  const titles = objects.map(
    ({ kind, namespace, name }) => `${kind} ${namespace === "" ? "" : `${namespace}/`}${name}`,
  );
  return titles.find((title, index) => titles.indexOf(title) !== index);
}

/** A template's name that stays in its folder. */
export function isSafe(source: string): boolean {
  return /^[^/\0]+(?:\/[^/\0]+)+$/.test(source) && !source.split("/").includes("..");
}
