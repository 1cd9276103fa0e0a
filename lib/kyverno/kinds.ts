// Which kinds of policies each Kyverno knows, by minor version, so that a policy that the pinned one would drop without a word
// is named before anything is built. Read off the CRDs (`served`) and the loader of the CLI of 1.11.5, 1.12.6, 1.13.2, 1.14.4,
// 1.15.2 and 1.17.1; what came with 1.16 stands in its release notes.
import { coerce } from "semver";
import { groupOf } from "../kubernetes/objects";

interface Served {
  readonly apiVersion: string;
  readonly kinds: readonly string[];
  /** Minor version of Kyverno 1 that knows it first; `oldest` where it is older than this table. */
  readonly since: number;
  /** The first one that knows it no more. */
  readonly until?: number;
}

/** The minor versions of Kyverno 1 that the table is about. */
const [oldest, newest] = [11, 17];

const celKinds = ["ImageValidatingPolicy", "PolicyException", "ValidatingPolicy"];
const laterCelKinds = ["DeletingPolicy", "GeneratingPolicy", "MutatingPolicy"];
const namespacedKinds = ["NamespacedDeletingPolicy", "NamespacedImageValidatingPolicy", "NamespacedValidatingPolicy"];
const laterNamespacedKinds = ["NamespacedGeneratingPolicy", "NamespacedMutatingPolicy"];
const cleanupKinds = ["CleanupPolicy", "ClusterCleanupPolicy", "PolicyException"];
const admissionKinds = ["ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"];
const mutatingAdmissionKinds = ["MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding"];

const table: readonly Served[] = [
  { apiVersion: "kyverno.io/v1", kinds: ["ClusterPolicy", "Policy"], since: oldest },
  { apiVersion: "kyverno.io/v2beta1", kinds: ["ClusterPolicy", "Policy"], since: oldest },
  { apiVersion: "kyverno.io/v2alpha1", kinds: cleanupKinds, since: oldest, until: 12 },
  { apiVersion: "kyverno.io/v2beta1", kinds: cleanupKinds, since: oldest },
  { apiVersion: "kyverno.io/v2", kinds: cleanupKinds, since: 12 },
  { apiVersion: "kyverno.io/v2alpha1", kinds: ["GlobalContextEntry"], since: 12 },
  { apiVersion: "kyverno.io/v2beta1", kinds: ["GlobalContextEntry"], since: 16 },
  { apiVersion: "kyverno.io/v2", kinds: ["GlobalContextEntry"], since: 16 },
  { apiVersion: "kyverno.io/v1beta1", kinds: ["UpdateRequest"], since: oldest, until: 17 },
  { apiVersion: "kyverno.io/v2", kinds: ["UpdateRequest"], since: 12 },
  { apiVersion: "policies.kyverno.io/v1alpha1", kinds: celKinds, since: 14 },
  { apiVersion: "policies.kyverno.io/v1alpha1", kinds: laterCelKinds, since: 15 },
  { apiVersion: "policies.kyverno.io/v1beta1", kinds: [...celKinds, ...laterCelKinds, ...namespacedKinds], since: 16 },
  { apiVersion: "policies.kyverno.io/v1beta1", kinds: laterNamespacedKinds, since: 17 },
  {
    apiVersion: "policies.kyverno.io/v1",
    kinds: [...celKinds, ...laterCelKinds, ...namespacedKinds, ...laterNamespacedKinds],
    since: 17,
  },
  // Kubernetes' own, as the CLI reads them.
  { apiVersion: "admissionregistration.k8s.io/v1alpha1", kinds: admissionKinds, since: oldest, until: 13 },
  { apiVersion: "admissionregistration.k8s.io/v1beta1", kinds: admissionKinds, since: oldest, until: 14 },
  { apiVersion: "admissionregistration.k8s.io/v1", kinds: admissionKinds, since: 13 },
  { apiVersion: "admissionregistration.k8s.io/v1alpha1", kinds: mutatingAdmissionKinds, since: 15 },
  { apiVersion: "admissionregistration.k8s.io/v1beta1", kinds: mutatingAdmissionKinds, since: 16 },
];

const kyvernoGroups: ReadonlySet<string> = new Set(["kyverno.io", "policies.kyverno.io"]);
const kubernetesGroup = "admissionregistration.k8s.io";

/** The kinds of one Kyverno. */
export interface PolicyKinds {
  /** As people name it: `kyverno 1.13.2`. */
  readonly name: string;
  /** Why the table cannot speak for this very version; then what it does not know is said and not refused. */
  readonly unsure?: string;
  /** Undefined where the kind is known, else what to do, for the end of a sentence. */
  refuse(apiVersion: string, kind: string): string | undefined;
}

/** Whether Kyverno would take an object of that kind for a policy, or should: also a kind that no Kyverno has. */
export function isPolicyKind(apiVersion: string, kind: string): boolean {
  const group = groupOf(apiVersion);
  if (group === kubernetesGroup) return [...admissionKinds, ...mutatingAdmissionKinds].includes(kind);
  return kyvernoGroups.has(group) || kyvernoGroups.has(apiVersion);
}

/** Those that `kyverno apply` is not for: they go with policies, or act by the clock in a cluster. */
const notApplied: ReadonlySet<string> = new Set([
  ...cleanupKinds,
  "GlobalContextEntry",
  "UpdateRequest",
  "ValidatingAdmissionPolicyBinding",
  "MutatingAdmissionPolicyBinding",
]);

/** Whether `kyverno apply` must see a rule in it, else it is dropped without a word. Where no apiVersion says more, the kind decides. */
export function isAppliedKind(apiVersion: string, kind: string): boolean {
  if (notApplied.has(kind)) return false;
  return apiVersion === "" ? table.some(({ kinds }) => kinds.includes(kind)) : isPolicyKind(apiVersion, kind);
}

/** Whether a cluster has one of a name, and not one in each namespace. */
export function isClusterScoped(apiVersion: string, kind: string): boolean {
  if (groupOf(apiVersion) === "policies.kyverno.io")
    return kind !== "PolicyException" && !kind.startsWith("Namespaced");
  return groupOf(apiVersion) === kubernetesGroup || kind.startsWith("Cluster") || kind === "GlobalContextEntry";
}

/** The first minor version of Kyverno 1 that serves a kind; undefined for kinds that are not Kyverno's own. */
export function servedSince(apiVersion: string, kind: string): number | undefined {
  if (!kyvernoGroups.has(groupOf(apiVersion))) return undefined;
  return table.find((served) => served.apiVersion === apiVersion && served.kinds.includes(kind))?.since;
}

/** The kinds that a pinned version knows. Without a pin every kind passes that any Kyverno knows. */
export function policyKinds(version: string | undefined): PolicyKinds {
  const pinned = version === undefined ? null : coerce(version);
  const minor = pinned?.major === 1 ? pinned.minor : pinned ? newest + 1 : undefined;
  const name = version === undefined ? "Kyverno" : `kyverno ${version}`;
  const covered = minor === undefined ? undefined : Math.min(Math.max(minor, oldest), newest);
  const known = (served: Served) =>
    covered === undefined || (served.since <= covered && (served.until === undefined || covered < served.until));
  const unsure =
    minor === covered
      ? undefined
      : `${name} is ${minor! > newest ? "newer" : "older"} than what this program knows: the kinds of 1.${covered} are taken for its own`;
  return {
    name,
    ...(unsure !== undefined && { unsure }),
    refuse: (apiVersion, kind) => {
      const ofKind = table.filter(({ kinds }) => kinds.includes(kind));
      const exact = ofKind.filter((served) => served.apiVersion === apiVersion);
      if (exact.some(known)) return undefined;
      const later = exact.find(({ since }) => covered !== undefined && since > covered);
      if (later) return `raise kyverno to 1.${later.since} or later, or change the document`;
      const written = ofKind.filter(known).map((served) => served.apiVersion);
      if (written.length > 0) return `write ${written.join(" or ")}`;
      const first = ofKind.filter((served) => groupOf(served.apiVersion) === groupOf(apiVersion))[0];
      if (first)
        return `raise kyverno to 1.${first.since} or later and write ${first.apiVersion}, or change the document`;
      return `its kinds are ${[...new Set(table.filter(known).flatMap(({ kinds }) => kinds))].sort().join(", ")}`;
    },
  };
}
