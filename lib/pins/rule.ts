// The version rule as a table: what can change between two releases, and how large a version step each asks for.
// docs/version-rule.md shows this very table.

/** A step of a semantic version. */
export type Bump = "major" | "minor" | "patch";

/** What a row of the table says. */
export interface Row {
  readonly bump: Bump;
  /** Stands in parentheses behind the versions: `v1.0.0 → v1.0.1 (policy update)`. */
  readonly reason: string;
  /** For the documentation: when this row applies. */
  readonly when: string;
}

export const versionRule = {
  "tool-raised": { bump: "major", reason: "tool upgrade", when: "a tool's version is raised" },
  "tool-lowered": { bump: "major", reason: "tool downgrade", when: "a tool's version is lowered" },
  "tool-changed": {
    bump: "major",
    reason: "tool version change",
    when: "a tool's version is another text that is neither higher nor lower, such as other build metadata",
  },
  "tool-removed": { bump: "major", reason: "tool removed", when: "a tool is removed or renamed" },
  "repository-removed": {
    bump: "major",
    reason: "policy repository removed",
    when: "a policy repository is removed or renamed",
  },
  "structure-changed": {
    bump: "major",
    reason: "policy structure change",
    when: "something of a policy repository's structure is removed or renamed, or the old structure cannot be read any more",
  },
  "environment-removed": {
    bump: "major",
    reason: "environment removed",
    when: "an environment is taken out of `artifacts.environments`, or renamed",
  },
  "kind-withdrawn": {
    bump: "major",
    reason: "kind withdrawn",
    when: "a kind is taken out of `artifacts.allow`",
  },
  "bundle-removed": { bump: "major", reason: "bundle removed", when: "a bundle is removed or renamed" },
  "bundle-narrowed": {
    bump: "major",
    reason: "bundle narrowed",
    when: "a bundle leaves out a policy repository that it had",
  },
  "repository-added": { bump: "minor", reason: "new policy repository", when: "a policy repository is added" },
  "tool-added": { bump: "minor", reason: "new tool", when: "a tool is added" },
  "environment-added": {
    bump: "minor",
    reason: "new environment",
    when: "an environment is added to `artifacts.environments`",
  },
  "kind-allowed": { bump: "minor", reason: "new kind", when: "a kind is added to `artifacts.allow`" },
  "bundle-added": { bump: "minor", reason: "new bundle", when: "a bundle is added" },
  "bundle-widened": { bump: "minor", reason: "bundle widened", when: "a bundle takes in one more policy repository" },
  "policies-updated": {
    bump: "patch",
    reason: "policy update",
    when: "a policy repository changes otherwise: rules edited, policies and files added",
  },
  "tool-rebuilt": { bump: "patch", reason: "tool rebuilt", when: "a tool's binary changes and its version does not" },
  "base-changed": { bump: "patch", reason: "base update", when: "the base image changes" },
  "package-added": { bump: "patch", reason: "package added", when: "a package of the base is added" },
  "package-removed": { bump: "patch", reason: "package removed", when: "a package of the base is removed" },
  "package-raised": { bump: "patch", reason: "package upgrade", when: "a package of the base is raised" },
  "package-lowered": { bump: "patch", reason: "package downgrade", when: "a package of the base is lowered" },
  "package-changed": {
    bump: "patch",
    reason: "package version change",
    when: "a package's version is another text that is neither higher nor lower",
  },
  "user-changed": { bump: "patch", reason: "user change", when: "the image's user changes" },
  "template-changed": { bump: "patch", reason: "template change", when: "the Dockerfile's template changes" },
} as const satisfies Record<string, Row>;

/** One row of the table. */
export type ChangeKind = keyof typeof versionRule;

/** From the smallest step to the largest. */
const order: readonly Bump[] = ["patch", "minor", "major"];

/** The largest of the steps; undefined for none. */
export function largestBump(bumps: Iterable<Bump>): Bump | undefined {
  const ranks = [...bumps].map((bump) => order.indexOf(bump));
  return ranks.length === 0 ? undefined : order[Math.max(...ranks)];
}

/** The table as Markdown, largest steps first. */
export function versionRuleTable(): string {
  const rows = Object.values(versionRule).map(({ bump, reason, when }) => `| ${when} | ${bump} | \`${reason}\` |`);
  return ["| What changes | Step | Shown as |", "| --- | --- | --- |", ...rows, ""].join("\n");
}
