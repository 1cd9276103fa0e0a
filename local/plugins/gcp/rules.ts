// What Google Cloud takes of what this program declares; anything else is refused here, at preview already. Written from Google's
// rules and not from the configuration's grammar, so that each one finds what the other lets through.
import { type Failure, isUnknown, isValues, type Value, type Values } from "../../../provider/host";

interface Property {
  readonly form: (value: Value) => boolean;
  readonly reason: string;
  readonly required?: true;
}
type Properties = Readonly<Record<string, Property>>;

const text = (form: RegExp, reason: string): Property => ({
  form: (value) => typeof value === "string" && form.test(value),
  reason,
});
const boolean: Property = { form: (value) => typeof value === "boolean", reason: "is not a boolean" };
const required = (property: Property): Property => ({ ...property, required: true });

const place: Properties = {
  project: required(text(/^([a-z0-9.-]+:)?[a-z][-a-z0-9]{4,28}[a-z0-9]$/, "is no project id")),
  location: required(text(/^(asia|europe|us|[a-z]+-[a-z]+[0-9]{1,2})$/, "is no location of Artifact Registry")),
};
const repositoryId = required(text(/^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/, "is no name of a repository"));

const repository: Properties = {
  ...place,
  repositoryId,
  format: required(text(/^DOCKER$/, "is not served by the stand-in: DOCKER only")),
  description: text(/^.{0,1024}$/s, "is longer than 1024 characters"),
  labels: { form: areLabels, reason: "are not at most 64 labels in lower case" },
  dockerConfig: { form: isValues, reason: "is no map" },
  cleanupPolicyDryRun: boolean,
  cleanupPolicies: { form: Array.isArray, reason: "are no list" },
};

/** Problems with the inputs of a repository. */
export function repositoryFailures(inputs: Values): Failure[] {
  const policies = Array.isArray(inputs.cleanupPolicies) ? (inputs.cleanupPolicies as Values[]) : [];
  const ids = policies.map(({ id }) => id);
  const config = isValues(inputs.dockerConfig) ? inputs.dockerConfig : {};
  return [
    ...failuresOf(inputs, repository),
    ...failuresOf(config, { immutableTags: boolean }, "dockerConfig."),
    ...(policies.length > 10 ? [{ property: "cleanupPolicies", reason: "are more than 10" }] : []),
    ...(new Set(ids).size < ids.length ? [{ property: "cleanupPolicies", reason: "have one id twice" }] : []),
    ...policies.flatMap((policy, index) => policyFailures(policy, `cleanupPolicies[${index}]`)),
  ];
}

const role = text(/^roles\/artifactregistry\.(reader|writer|repoAdmin|admin)$/, "is no role on a repository");
const member = text(
  /^(allUsers|allAuthenticatedUsers|(user|group|serviceAccount|domain):[^\s]+|principal(Set)?:\/\/iam\.googleapis\.com\/[^\s]+)$/,
  "is no member",
);

/** Problems with the inputs of a member. */
export function memberFailures(inputs: Values): Failure[] {
  return failuresOf(inputs, { ...place, repository: repositoryId, role: required(role), member: required(member) });
}

function failuresOf(inputs: Values, properties: Properties, prefix = ""): Failure[] {
  const missing = Object.keys(properties).filter((key) => properties[key]!.required && isAbsent(inputs[key]));
  const given = Object.keys(inputs).filter((key) => !isAbsent(inputs[key]) && !isUnknown(inputs[key]));
  return [
    ...missing.map((key) => ({ property: prefix + key, reason: "is required" })),
    ...given.flatMap((key) => {
      const property = Object.hasOwn(properties, key) ? properties[key] : undefined;
      if (property?.form(inputs[key])) return [];
      return [{ property: prefix + key, reason: property?.reason ?? "is not served by the stand-in" }];
    }),
  ];
}

function policyFailures(policy: Values, at: string): Failure[] {
  const { id, action, condition, mostRecentVersions } = policy;
  const fail = (property: string, reason: string) => [{ property: `${at}${property}`, reason }];
  if (typeof id !== "string" || id.length === 0 || id.length >= 128)
    return fail(".id", "is not of 1 to 127 characters");
  if (action !== "DELETE" && action !== "KEEP") return fail(".action", "is neither DELETE nor KEEP");
  if (isValues(condition) === isValues(mostRecentVersions))
    return fail("", "has not exactly one of condition and mostRecentVersions");
  if (isValues(mostRecentVersions)) {
    const { keepCount } = mostRecentVersions;
    if (action !== "KEEP") return fail(".mostRecentVersions", "is for KEEP only");
    return Number.isInteger(keepCount) && Number(keepCount) > 0 ? [] : fail(".keepCount", "is no whole number above 0");
  }
  const { olderThan, newerThan, tagState = "ANY" } = condition as Values;
  for (const age of [olderThan, newerThan] as readonly Value[])
    if (!isAbsent(age) && !/^[1-9]\d*s$/.test(String(age)))
      return fail(".condition", "has an age that is not in seconds");
  if (!["ANY", "TAGGED", "UNTAGGED"].includes(String(tagState)))
    return fail(".condition.tagState", "is no state of tags");
  const isBounded = !isAbsent(olderThan) || tagState === "UNTAGGED";
  return action === "KEEP" || isBounded ? [] : fail(".condition", "would delete everything: it has no olderThan");
}

function areLabels(value: Value): boolean {
  if (!isValues(value) || Object.keys(value).length > 64) return false;
  return Object.entries(value).every(
    ([key, label]) =>
      /^[a-z][a-z0-9_-]{0,62}$/.test(key) && typeof label === "string" && /^[a-z0-9_-]{0,63}$/.test(label),
  );
}

function isAbsent(value: Value): boolean {
  return value === undefined || value === null;
}
