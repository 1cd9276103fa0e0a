// What is asked of the policies that ship, by the code of the error that says so.

interface PolicyRule {
  readonly rule: string;
  /** The way out. */
  readonly fix: string;
}

function asked<Code extends string>(code: Code, rule: string, fix: string): Record<Code, PolicyRule> {
  return { [code]: { rule, fix } } as Record<Code, PolicyRule>;
}

/** Rule and way out for each code. */
export const policyRules = {
  ...asked(
    "policy-yaml-broken",
    "every YAML file that ships is in order, as Kyverno drops a broken one without a word",
    "mend that line, or name the file in the folder's .policyignore",
  ),
  ...asked(
    "policy-unnamed",
    "a policy has a kind and, as metadata.name, a text",
    "complete the document, or name the file in the folder's .policyignore",
  ),
  ...asked(
    "policy-kind-unknown",
    "every policy that ships is of a kind that the pinned Kyverno knows, as it drops any other without a word",
    "raise kyverno, change the document, or name the file in the folder's .policyignore",
  ),
  ...asked(
    "policy-duplicate",
    "kind, namespace and name of a policy are given once in all repositories, as a cluster keeps only the last one",
    "rename or remove one of the two, or name its file in the folder's .policyignore",
  ),
};
