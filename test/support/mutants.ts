// Policies that are wrong on purpose: their tests must notice each of them.
import type { TestRun } from "./kyverno";
import type { Policy, Rule } from "./policyRepository";

const never = { conditions: { all: [{ key: 1, operator: "Equals", value: 2 }] } };
const always = { conditions: { all: [{ key: 1, operator: "Equals", value: 1 }] } };

/** Ways to spoil a rule; each returns false where it does not apply to that rule. */
const mutations: Record<string, (rule: Rule) => boolean> = {
  "denies nothing": (rule) => replaceConditions(rule, never),
  "denies everything": (rule) => replaceConditions(rule, always),
  "forgets init containers": (rule) => forget(rule, "initContainers"),
  "forgets ephemeral containers": (rule) => forget(rule, "ephemeralContainers"),
};

/** Ways of which plain `kyverno test` says nothing: a rule that looks at fewer objects is "Excluded", and passed. */
const quietMutations: Record<string, (rule: Rule) => boolean> = {
  "forgets its first kind": (rule) => forgetKind(rule, (kinds) => kinds.shift()),
  "forgets its last kind": (rule) => forgetKind(rule, (kinds) => kinds.pop()),
};

/** Spoils each rule of a policy in every way, and runs its tests; names the mutants that the tests let through. */
export async function survivingMutants(
  policy: Policy,
  test: (mutant: Policy) => Promise<TestRun>,
): Promise<{ readonly survivors: string[]; readonly tried: number }> {
  const survivors: string[] = [];
  let tried = 0;
  for (const { name } of policy.spec.rules) {
    const spoilt = Object.entries({ ...mutations, ...quietMutations }).map(
      ([what, mutate]) => [`${name} ${what}`, spoil(policy, name, mutate)] as const,
    );
    for (const [what, mutant] of spoilt) {
      if (mutant === undefined) continue;
      tried++;
      const run = await test(mutant);
      if (run.code === 0 && !isQuiet(what)) survivors.push(`${what}: exit code 0`);
      if (unmet(run).length === 0) survivors.push(`${what}: no row unmet`);
    }
    if (policy.spec.rules.length > 1) {
      const without = {
        ...policy,
        spec: { ...policy.spec, rules: policy.spec.rules.filter((rule) => rule.name !== name) },
      };
      tried++;
      if (unmet(await test(without)).length === 0) survivors.push(`${name} removed: no row unmet`);
    }
  }
  return { survivors, tried };
}

function isQuiet(what: string): boolean {
  return Object.keys(quietMutations).some((mutation) => what.endsWith(mutation));
}

/** The rows whose rule did not do what they expect, whatever the exit code says. */
export function unmet(run: TestRun): string[] {
  return run.rows
    .filter(({ reason }) => reason !== "Ok")
    .map((row) => `${row.policy}/${row.rule} ${row.resource}: ${row.reason}`);
}

function spoil(policy: Policy, name: string, mutate: (rule: Rule) => boolean): Policy | undefined {
  const mutant = structuredClone(policy);
  return mutate(mutant.spec.rules.find((rule) => rule.name === name)!) ? mutant : undefined;
}

function replaceConditions(rule: Rule, deny: unknown): boolean {
  const { pattern, anyPattern, foreach, ...rest } = rule.validate;
  Object.assign(rule, { validate: { ...rest, deny } });
  return true;
}

function forget(rule: Rule, kind: string): boolean {
  const before = JSON.stringify(rule.validate);
  for (const each of rule.validate.foreach ?? []) each.list = each.list.replace(`${kind}, `, "");
  const patterns = [rule.validate.pattern, ...((rule.validate.anyPattern as unknown[] | undefined) ?? [])];
  for (const pattern of patterns) {
    delete (pattern as { spec?: Record<string, unknown> } | undefined)?.spec?.[`=(${kind})`];
  }
  return JSON.stringify(rule.validate) !== before;
}

/** A rule for one kind alone would be for nothing at all. */
function forgetKind(rule: Rule, drop: (kinds: string[]) => unknown): boolean {
  const { kinds } = rule.match.any[0]!.resources;
  return kinds.length > 1 && drop(kinds) !== undefined;
}
