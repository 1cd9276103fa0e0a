// Which rules cannot be checked without a network or a cluster. Kyverno 1.13 says so in no usable way: a rule that calls
// the API server takes its whole policy away in silence, one with a ConfigMap is an error of no name, and images that cannot
// be verified for want of a network are refused.
import { parseYaml } from "../policies/yaml";
import { isPolicyKind } from "./kinds";

/** A rule that needs what is not there. */
export interface OutsideRule {
  readonly policy: string;
  /** Empty for a policy that has no rules of its own. */
  readonly rule: string;
  /** `image signatures`, `a ConfigMap of a cluster`, … */
  readonly needs: string;
  /** The rule itself needs nothing, but another one of its policy does, and Kyverno applies a policy whole. */
  readonly beside?: true;
}

/** Context entries by key → what they need. */
const outsideContext: Readonly<Record<string, string>> = {
  apiCall: "a call of an API",
  configMap: "a ConfigMap of a cluster",
  globalReference: "a global context of a cluster",
  imageRegistry: "an image registry",
};

/** Nothing else in a file can be such a rule: most files are not parsed. */
const hint = new RegExp(`\\b(verifyImages|${Object.keys(outsideContext).join("|")})\\b`);

/** Those of one policy file; none when it is no YAML, which others say. */
export function outsideRules(content: Uint8Array): OutsideRule[] {
  if (!hint.test(Buffer.from(content).toString("latin1"))) return [];
  return policiesIn(content).flatMap(({ name, rules }) =>
    rules.flatMap((rule) => {
      const needs = needsOf(rule);
      return needs === undefined ? [] : [{ policy: name, rule: textOf(rule.name), needs }];
    }),
  );
}

/** All rules of the policies that have one of `outsideRules`. */
export function uncheckedRules(content: Uint8Array): OutsideRule[] {
  if (!hint.test(Buffer.from(content).toString("latin1"))) return [];
  return policiesIn(content).flatMap(({ name, rules }) => {
    const needs = rules.map(needsOf);
    const [first] = needs.filter((one) => one !== undefined);
    if (first === undefined) return [];
    return rules.map((rule, index) => ({
      policy: name,
      rule: textOf(rule.name),
      ...(needs[index] === undefined ? { needs: first, beside: true as const } : { needs: needs[index] }),
    }));
  });
}

/** `policy/rule` of each rule in a policy file. */
export function ruleNames(content: Uint8Array): string[] {
  return policiesIn(content).flatMap(({ name, rules }) => rules.map((rule) => `${name}/${textOf(rule.name)}`));
}

type Value = Readonly<Record<string, unknown>>;

function policiesIn(content: Uint8Array): { readonly name: string; readonly rules: readonly Value[] }[] {
  return parseYaml(content).documents.flatMap((document) => {
    let value: unknown;
    try {
      value = document.toJS({ maxAliasCount: 1000 });
    } catch {
      return []; // an alias bomb
    }
    if (!isValue(value) || !isPolicyKind(textOf(value.apiVersion), textOf(value.kind))) return [];
    const { metadata, spec } = value;
    const rules = isValue(spec) && Array.isArray(spec.rules) ? spec.rules.filter(isValue) : [];
    return [{ name: isValue(metadata) ? textOf(metadata.name) : "", rules }];
  });
}

function needsOf(rule: Value): string | undefined {
  if (rule.verifyImages !== undefined) return "image signatures";
  // A context may stand in the rule and in each `foreach` of it.
  const found = Object.entries(outsideContext).find(([key]) =>
    contexts(rule).some((entry) => entry[key] !== undefined),
  );
  return found?.[1];
}

function contexts(value: unknown): Value[] {
  if (Array.isArray(value)) return value.flatMap(contexts);
  if (!isValue(value)) return [];
  const own = Array.isArray(value.context) ? value.context.filter(isValue) : [];
  return [...own, ...Object.values(value).flatMap(contexts)];
}

function isValue(value: unknown): value is Value {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}
