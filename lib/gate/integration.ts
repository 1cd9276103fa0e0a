// Integration cases: a chart with its values under policies, as an application team runs it, with the outcome that the
// stack states. All programs are the image's own; a result that cannot be believed is a failure.
import type { Refusal } from "../kyverno/apply";
import { ruleNames } from "../kyverno/outside";
import { printable } from "../printable";
import { type CasePolicies, casePolicies } from "./casePolicies";
import type { PolicyCharts } from "./charts";
import { type Check, counted, failed, listed, passed } from "./check";
import type { GateContext } from "./exec";
import { helmTemplate } from "./helm";
import type { IntegrationCase } from "./integrationCase";
import { applyJointly, type JointRun } from "./jointRun";
import { type Lint, plutoLint, spectralLint } from "./lint";
import { notChecked, uncheckedRule } from "./programs";
import { settled } from "./settled";

/** Cases under way at once; the programs of one follow each other, mostly. */
const atOnce = 2;
/** Refusals shown. */
const shownRefusals = 3;

/** A check for each case, by name. All of them are made, whatever the others say. */
export async function runCases(
  cases: Readonly<Record<string, IntegrationCase>>,
  context: GateContext,
  charts: PolicyCharts,
): Promise<Check[]> {
  const names = Object.keys(cases).sort();
  const checks = new Map<string, Check>();
  const next = names.values();
  const worker = async () => {
    for (const name of next) checks.set(name, await runCase(`integration: ${name}`, cases[name]!, context, charts));
  };
  await settled(Array.from({ length: atOnce }, worker));
  return names.map((name) => checks.get(name)!);
}

async function runCase(
  check: string,
  wanted: IntegrationCase,
  context: GateContext,
  charts: PolicyCharts,
): Promise<Check> {
  const absent = [`${wanted.chart}/Chart.yaml`, ...wanted.values, ...spectralPaths(wanted)]
    .map(absolute)
    .filter((path) => !context.has(path));
  if (absent.length > 0)
    return failed(check, `${listed(absent)} ${absent.length === 1 ? "is" : "are"} not in the image`);
  const policies = await casePolicies(context, charts, wanted);
  if (policies.failure !== undefined) return failed(check, policies.failure);
  const unknown = unknownRules(wanted.by, policies);
  if (unknown !== undefined) return failed(check, unknown);
  const rendering = await helmTemplate(context, {
    chart: absolute(wanted.chart),
    values: wanted.values.map(absolute),
    kubernetes: wanted.kubernetes,
  });
  if (rendering.failure !== undefined) return failed(check, rendering.failure, transcript([rendering]));
  const list = rendering.objects.find(({ kind, text }) => kind.endsWith("List") && /^items:/m.test(text));
  if (list)
    return failed(
      check,
      `${list.source} renders a ${list.kind}, and kyverno does not look into it; render its items as documents of their own`,
      transcript([rendering]),
    );
  const text = rendering.text;
  const mutates = (path: string) => /^\s*-?\s*mutate:/m.test(Buffer.from(policies.content(path)).toString());
  const [joint, ...lints] = await settled([
    applyJointly(
      context,
      policies.files,
      { yaml: text, count: rendering.objects.length },
      { mutates, content: policies.content },
    ),
    ...(wanted.kubernetes === undefined ? [] : [plutoLint(context, text, wanted.kubernetes)]),
    ...(wanted.spectral === undefined
      ? []
      : [spectralLint(context, absolute(wanted.spectral.ruleset), spectralFiles(wanted))]),
  ]);
  const kyverno = {
    command: `kyverno apply ${wanted.policies.map(absolute).join(" ")} --resource -`,
    output: joint.output,
  };
  const output = transcript([rendering, kyverno, ...lints]);
  const problems = [...verdict(wanted, joint), ...lints.flatMap(({ problem }) => problem ?? [])];
  const looks = lookups(context, wanted);
  if (problems.length > 0) return failed(check, `${problems.join("; ")}${looks}`, output);
  return passed(check, `${goodNews(wanted, joint, lints)}${notChecked(policies.outside)}${looks}`, output);
}

/** What is wrong with what kyverno did; nothing when it did as the case states. */
function verdict({ expect, by }: IntegrationCase, joint: JointRun): string[] {
  if (joint.failure !== undefined) return [joint.failure];
  const refusing = new Set(joint.refusals.map(ruleOf));
  const others = joint.refusals.filter((refusal) => !by.includes(ruleOf(refusal)));
  if (expect === "pass") {
    if (refusing.size > 0) return [`refused by ${refusals(joint.refusals)}`];
    // Rules that find nothing to look at satisfy nobody.
    return joint.passes === 0
      ? [`no rule looked at any of the ${counted(joint.resources, "object")}; name policies that are about them`]
      : [];
  }
  const silent = by.filter((rule) => !refusing.has(rule));
  return [
    ...(silent.length > 0 ? [`not refused by ${listed(silent)}`] : []),
    ...(others.length > 0 ? [`refused also by ${refusals(others)}, which \`by\` does not name`] : []),
  ];
}

function goodNews({ expect, by }: IntegrationCase, joint: JointRun, lints: readonly Lint[]): string {
  const work = `${counted(joint.rules, "rule")} on ${counted(joint.resources, "object")}`;
  const outcome = expect === "pass" ? `${work} pass` : `${work}, refused by ${listed(by)} as it must be`;
  return [outcome, ...lints.map(({ good }) => good)].join("; ");
}

/** Names in `by` that no rule has, with what there is in its place. */
function unknownRules(by: readonly string[], policies: CasePolicies): string | undefined {
  if (by.length === 0) return undefined;
  const outside = new Map(policies.outside.map((one) => [`${one.policy}/${one.rule}`, one]));
  const known = new Set(policies.files.flatMap(({ path }) => ruleNames(policies.content(path))));
  const unknown = by.filter((rule) => !known.has(rule));
  if (unknown.length === 0) return undefined;
  return unknown
    .map((rule) => {
      const unchecked = outside.get(rule);
      if (unchecked) return `${uncheckedRule(unchecked)} cannot be checked without a network or a cluster`;
      const policy = rule.split("/")[0];
      const siblings = [...known].filter((name) => name.startsWith(`${policy}/`));
      const rest = siblings.length > 0 ? `there is ${listed(siblings)}` : `no policy is called ${policy}`;
      return `the case's policies have no rule ${rule}: ${rest}`;
    })
    .join("; ");
}

/** Without what Kyverno puts in front of a rule that it derives for Deployments and CronJobs. */
function ruleOf({ policy, rule }: Refusal): string {
  return `${policy}/${rule.replace(/^autogen-(?:cronjob-)?/, "")}`;
}

function refusals(all: readonly Refusal[]): string {
  const lines = all.map((refusal) => `${ruleOf(refusal)} (${refusal.resource}: ${printable(refusal.message, 240)})`);
  return listed(lines, shownRefusals);
}

/** A template that asks the cluster gets nothing here, and may render something else there. */
function lookups(context: GateContext, { chart }: IntegrationCase): string {
  const templates = [...context.files].filter(
    ([path]) => path.startsWith(`${absolute(chart)}/`) && path.includes("/templates/"),
  );
  const found = templates.filter(([, content]) => /\{\{[^}]*\blookup\s/.test(content.toString("latin1")));
  if (found.length === 0) return "";
  return `; ${listed(found.map(([path]) => path))} uses lookup, which finds nothing without a cluster`;
}

function spectralFiles({ chart, values, spectral }: IntegrationCase): string[] {
  return (spectral?.files ?? [`${chart}/values.yaml`, ...values]).map(absolute);
}

function spectralPaths(wanted: IntegrationCase): string[] {
  return wanted.spectral === undefined ? [] : [wanted.spectral.ruleset, ...(wanted.spectral.files ?? [])];
}

function absolute(path: string): string {
  return `/repos/${path}`;
}

function transcript(programs: readonly { readonly command: string; readonly output: string }[]): string {
  return programs.map(({ command, output }) => `$ ${command}\n${output}\n`).join("\n");
}
