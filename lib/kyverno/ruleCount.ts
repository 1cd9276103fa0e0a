// How many rules `kyverno apply` is likely to see in a policy: those that are written, and those that it makes of rules about
// Pods for the controllers of Pods (pkg/autogen of 1.13). It is a guess that the real program is asked about, never a verdict.
import { isAppliedKind } from "./kinds";

type Value = Readonly<Record<string, unknown>>;

/** A policy in a file, and how many rules it has. */
export interface CountedPolicy {
  readonly name: string;
  /** Rules in the document. */
  readonly written: number;
  /** With those that Kyverno makes of them. */
  readonly likely: number;
}

/** Of a policy: for which owners of Pods rules are made. */
export const autogenAnnotation = "pod-policies.kyverno.io/autogen-controllers";
const controllers = ["DaemonSet", "Deployment", "Job", "StatefulSet", "ReplicaSet", "ReplicationController"];
const podKinds = ["Pod", "CronJob", ...controllers];

/** Undefined for what adds no rules to `kyverno apply`: other kinds, bindings. A policy in CEL is one rule. */
export function countRules(document: unknown): CountedPolicy | undefined {
  const { apiVersion, kind, metadata, spec } = recordOf(document);
  const name = textOf(recordOf(metadata).name);
  if (!isAppliedKind(textOf(apiVersion), textOf(kind))) return undefined;
  if (kind !== "ClusterPolicy" && kind !== "Policy") return { name, written: 1, likely: 1 };
  const rules = recordsOf(recordOf(spec).rules);
  const wanted = recordOf(recordOf(metadata).annotations)[autogenAnnotation];
  const made = supportsControllers(rules) ? controllersOf(wanted) : [];
  if (made.length === 0) return { name, written: rules.length, likely: rules.length };
  const perRule = Number(made.some((one) => controllers.includes(one) || one === "all")) + Number(hasCronJob(made));
  const ofPods = rules.filter(isAboutPods).length;
  const own = ofPods * perRule > 0 ? rules.filter(({ name: rule }) => !isGenerated(rule)).length : rules.length;
  return { name, written: rules.length, likely: own + ofPods * perRule };
}

function controllersOf(wanted: unknown): string[] {
  if (typeof wanted !== "string") return [...controllers, "CronJob"];
  return wanted === "none" ? [] : wanted.split(",");
}

function hasCronJob(made: readonly string[]): boolean {
  return made.some((one) => one.includes("CronJob") || one.includes("all"));
}

function isGenerated(rule: unknown): boolean {
  return textOf(rule).startsWith("autogen-");
}

/** Rules that generate, or that name or select what they are about, are not carried over, and none of their policy is. */
function supportsControllers(rules: readonly Value[]): boolean {
  const generates = rules.some((rule) => rule.generate !== undefined || patchesJson(rule));
  const described = rules.flatMap((rule) => [...resourcesOf(rule.match), ...resourcesOf(rule.exclude)]);
  const kinds = described.map((resources) => kindsOf(resources));
  const narrow = described.some(
    (resources, index) =>
      ["name", "names", "selector", "annotations"].some((key) => !isEmpty(resources[key])) ||
      (kinds[index]!.length > 1 && kinds[index]!.includes("Pod")),
  );
  return !generates && !narrow && kinds.flat().some((kind) => podKinds.includes(kind));
}

function patchesJson(rule: Value): boolean {
  const mutate = recordOf(rule.mutate);
  return [mutate, ...recordsOf(mutate.foreach)].some(({ patchesJson6902 }) => textOf(patchesJson6902) !== "");
}

function isAboutPods(rule: Value): boolean {
  const excluded = resourcesOf(rule.exclude).flatMap(kindsOf);
  const does = [rule.mutate, rule.validate, rule.verifyImages].some((part) => part !== undefined);
  const matched = resourcesOf(rule.match).flatMap(kindsOf);
  return (
    does && !isGenerated(rule.name) && matched.includes("Pod") && (excluded.length === 0 || excluded.includes("Pod"))
  );
}

/** The `resources` of a match or exclude: directly, and in each entry of `any` and `all`. */
function resourcesOf(filter: unknown): Value[] {
  const { any, all, resources } = recordOf(filter);
  const entries = [...recordsOf(any), ...recordsOf(all)].map((entry) => recordOf(entry.resources));
  return resources === undefined ? entries : [recordOf(resources), ...entries];
}

/** Last part of `apps/v1/Deployment`, without a subresource. */
function kindsOf({ kinds }: Value): string[] {
  const texts = Array.isArray(kinds) ? kinds.filter((kind) => typeof kind === "string") : [];
  return texts.map((kind) => kind.split("/").find((part) => /^[A-Z*]/.test(part)) ?? kind);
}

function isEmpty(value: unknown): boolean {
  return value === undefined || value === null || value === "" || (Array.isArray(value) && value.length === 0);
}

function recordOf(value: unknown): Value {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Value) : {};
}

function recordsOf(value: unknown): Value[] {
  return Array.isArray(value) ? value.map(recordOf) : [];
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}
