// Whether clusters get the policies that were checked: those of an image held against those of an artifact, each by its kind,
// namespace and name, its rules with those that Kyverno makes of them, and the digest of its spec. A pure function of both.
import { compareText } from "../compareText";
import { objectKey, objectTitle } from "../kyverno/identity";
import { isAppliedKind, isPolicyKind } from "../kyverno/kinds";
import type { Digest } from "../oci/digest";

/** A policy as its document identifies it. */
export interface IdentifiedPolicy {
  readonly apiVersion: string;
  readonly kind: string;
  /** Empty for one that names none. */
  readonly namespace: string;
  readonly name: string;
  /** File that it stands in. */
  readonly path: string;
  /** Of its `spec`. */
  readonly spec: Digest;
  /** Names of its rules as they are written. */
  readonly rules: readonly string[];
  /** What its annotation says of the rules that Kyverno makes of them. */
  readonly autogen: string;
}

/** What was done with a policy of an image. */
export const ParityStanding = {
  /** `kyverno apply` ran its rules. */
  applied: "applied",
  /** It needs a network or a cluster, and was named as not checked. */
  unchecked: "unchecked",
  /** Of a kind that `kyverno apply` is not for, such as a PolicyException. */
  carried: "carried",
  /** `kyverno apply` should have run it, and did not. */
  missed: "missed",
} as const;
export type ParityStanding = (typeof ParityStanding)[keyof typeof ParityStanding];

export interface ImagePolicy extends IdentifiedPolicy {
  readonly standing: ParityStanding;
}

/** One policy that is not the same on both sides. */
export interface PolicyDifference {
  /** `ClusterPolicy require-labels`, `Policy shop/require-labels`. */
  readonly policy: string;
  /** `onlyImage`, `onlyArtifact`: the other side does not have it. `missed`: nobody checked it. */
  readonly kind: "onlyImage" | "onlyArtifact" | "differs" | "missed";
  /** Where it is: of the image where it has it, else of the artifact. */
  readonly path: string;
  /** Rules that only one side has; none where what they say differs. */
  readonly rules: readonly string[];
}

/** What a comparison found. */
export interface Parity {
  /** Policies that are the same on both sides, and `kyverno apply` ran. */
  readonly policies: number;
  /** Their rules as they are written, without those that Kyverno makes of them. */
  readonly rules: number;
  /** The same on both sides, and not checked. */
  readonly unchecked: readonly string[];
  /** The same on both sides, and not for `kyverno apply`. */
  readonly carried: readonly string[];
  /** In order; none where clusters get what was checked. */
  readonly differences: readonly PolicyDifference[];
}

/** Objects that are no policies are nobody's business here. */
export function compareParity(image: readonly ImagePolicy[], artifact: readonly IdentifiedPolicy[]): Parity {
  const checked = byKey(image.filter(isPolicy));
  const delivered = byKey(artifact.filter(isPolicy));
  const same: ImagePolicy[] = [];
  const differences: PolicyDifference[] = [];
  for (const [key, policies] of checked) {
    const others = delivered.get(key) ?? [];
    const [policy] = policies as [ImagePolicy];
    const found = differenceOf(policies, others);
    if (found) differences.push({ policy: objectTitle(policy), path: policy.path, ...found });
    else same.push(policy);
  }
  for (const [key, [policy]] of delivered) {
    if (checked.has(key)) continue;
    const { path, rules } = policy!;
    differences.push({ policy: objectTitle(policy!), kind: "onlyArtifact", path, rules: [...rules] });
  }
  const titles = (standing: ParityStanding) => same.filter((one) => one.standing === standing).map(objectTitle);
  const applied = same.filter(({ standing }) => standing === ParityStanding.applied);
  return {
    policies: applied.length,
    rules: applied.reduce((sum, { rules }) => sum + rules.length, 0),
    unchecked: titles(ParityStanding.unchecked).sort(),
    carried: titles(ParityStanding.carried).sort(),
    differences: differences.sort((a, b) => compareText(a.policy, b.policy) || compareText(a.path, b.path)),
  };
}

type Found = Omit<PolicyDifference, "policy" | "path">;

/** A name that stands twice on a side is a difference of its own: a cluster keeps one of them, and nobody knows which. */
function differenceOf(image: readonly ImagePolicy[], artifact: readonly IdentifiedPolicy[]): Found | undefined {
  const [policy] = image as [ImagePolicy];
  const [other] = artifact;
  if (!other) return { kind: "onlyImage", rules: [...policy.rules] };
  if (image.length > 1 || artifact.length > 1) return { kind: "differs", rules: [] };
  if (!isSame(policy, other)) return { kind: "differs", rules: onlyInOne(policy.rules, other.rules) };
  return policy.standing === ParityStanding.missed ? { kind: "missed", rules: [...policy.rules] } : undefined;
}

function onlyInOne(a: readonly string[], b: readonly string[]): string[] {
  return [...a.filter((rule) => !b.includes(rule)), ...b.filter((rule) => !a.includes(rule))];
}

function isSame(a: IdentifiedPolicy, b: IdentifiedPolicy): boolean {
  const sameRules = a.rules.length === b.rules.length && a.rules.every((rule, index) => rule === b.rules[index]);
  return sameRules && a.spec === b.spec && a.apiVersion === b.apiVersion && a.autogen === b.autogen;
}

function isPolicy({ apiVersion, kind }: IdentifiedPolicy): boolean {
  return isPolicyKind(apiVersion, kind);
}

function byKey<T extends IdentifiedPolicy>(policies: readonly T[]): ReadonlyMap<string, readonly T[]> {
  const found = new Map<string, T[]>();
  for (const policy of policies) {
    const key = objectKey(policy);
    found.set(key, [...(found.get(key) ?? []), policy]);
  }
  return found;
}

/** What a policy of an image stands for; `unchecked`: names of policies with rules that cannot be checked. */
export function standingOf(
  { apiVersion, kind, name }: Pick<IdentifiedPolicy, "apiVersion" | "kind" | "name">,
  { wasApplied, unchecked }: { readonly wasApplied: boolean; readonly unchecked: readonly string[] },
): ParityStanding {
  if (!isAppliedKind(apiVersion, kind)) return ParityStanding.carried;
  if (unchecked.includes(name)) return ParityStanding.unchecked;
  return wasApplied ? ParityStanding.applied : ParityStanding.missed;
}
