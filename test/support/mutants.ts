// Policies that are wrong on purpose: their tests must notice each of them.
import { stringify } from "yaml";
import type { TestRun } from "./kyverno";
import type { Policy, Rule, Suite } from "./policyRepository";

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

interface Mutant {
  readonly what: string;
  /** Plain `kyverno test` is not to be asked about it. */
  readonly quiet: boolean;
  readonly policy: Policy;
}

/**
 * Spoils each rule of a policy in every way, and tries its tests on all of that in one run, as Kyverno reads its schemas anew for each
 * file: each mutant has a name of its own, and the rows of the test file are repeated for it. `test` gets the file of policies and the
 * test file. Names the mutants that the tests let through.
 */
export async function survivingMutants(
  policy: Policy,
  suite: Suite,
  test: (policies: string, suite: string) => Promise<TestRun>,
): Promise<{ readonly survivors: string[]; readonly tried: number }> {
  const mutants = mutantsOf(policy);
  const results = mutants.flatMap((mutant) =>
    suite.results.map((row) => ({ ...row, policy: mutant.policy.metadata.name })),
  );
  const file = mutants.map((mutant) => stringify(mutant.policy)).join("---\n");
  const run = await test(file, stringify({ ...suite, results }));
  const survivors = mutants.flatMap(({ what, quiet, policy: { metadata } }) => {
    const rows = run.rows.filter((row) => row.policy === metadata.name);
    return [
      ...(rows.length < suite.results.length ? [`${what}: only ${rows.length} rows`] : []),
      ...(quiet || rows.some(({ result }) => result === "Fail") ? [] : [`${what}: exit code 0`]),
      ...(unmet({ rows }).length > 0 ? [] : [`${what}: no row unmet`]),
    ];
  });
  return { survivors, tried: mutants.length };
}

function mutantsOf(policy: Policy): Mutant[] {
  const spoilt = policy.spec.rules.flatMap(({ name }) => {
    const one =
      (quiet: boolean) =>
      ([what, mutate]: [string, (rule: Rule) => boolean]) => ({
        what: `${name} ${what}`,
        quiet,
        policy: spoil(policy, name, mutate),
      });
    const without = policy.spec.rules.filter((rule) => rule.name !== name);
    return [
      ...Object.entries(mutations).map(one(false)),
      ...Object.entries(quietMutations).map(one(true)),
      {
        what: `${name} removed`,
        quiet: true,
        policy: without.length > 0 ? { ...policy, spec: { ...policy.spec, rules: without } } : undefined,
      },
    ];
  });
  return spoilt.flatMap(({ policy: mutant, ...rest }, index) =>
    mutant
      ? [{ ...rest, policy: { ...mutant, metadata: { ...mutant.metadata, name: `${mutant.metadata.name}-${index}` } } }]
      : [],
  );
}

/** The rows whose rule did not do what they expect, whatever the exit code says. */
export function unmet(run: Pick<TestRun, "rows">): string[] {
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
