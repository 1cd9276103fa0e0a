// Where each form of policy says what a violation does. Read off Kyverno 1.13 (api/kyverno/v1, pkg/policycache) and the CRDs of
// policies.kyverno.io and admissionregistration.k8s.io.
import type { Json } from "../canonicalJson";
import { groupOf } from "../kubernetes/objects";

export type Action = "Audit" | "Enforce";

/** An operation of a JSON patch (RFC 6902). */
export type Operation =
  | { readonly op: "test" | "add"; readonly path: string; readonly value: Json }
  | { readonly op: "remove"; readonly path: string };

type JsonMap = { readonly [key: string]: Json | undefined };

/** What makes a document do as wanted; nothing where it does already, and where it decides nothing: it mutates, generates, cleans up. */
export function operationsFor(object: Readonly<Record<string, unknown>>, action: Action): Operation[] {
  const { apiVersion, kind, spec } = object as JsonMap;
  if (!isMap(spec) || typeof apiVersion !== "string" || typeof kind !== "string") return [];
  const group = groupOf(apiVersion);
  if (group === "kyverno.io" && (kind === "ClusterPolicy" || kind === "Policy")) return ofRules(spec, action);
  const isCel = group === "policies.kyverno.io" && /ValidatingPolicy$/.test(kind);
  const isBinding = group === "admissionregistration.k8s.io" && kind === "ValidatingAdmissionPolicyBinding";
  return isCel || isBinding ? ofActions(spec, action) : [];
}

/** `spec.validationActions`, of which Deny is the default and the only one that refuses. */
function ofActions({ validationActions }: JsonMap, action: Action): Operation[] {
  const refuses = isList(validationActions) ? validationActions.includes("Deny") : true;
  if (refuses === (action === "Enforce")) return [];
  return [{ op: "add", path: "/spec/validationActions", value: [action === "Enforce" ? "Deny" : "Audit"] }];
}

/** The field of the whole policy, and those of its rules, which win. Overrides by namespace go: the choice is for all of the cluster. */
function ofRules(spec: JsonMap, action: Action): Operation[] {
  const rules = isList(spec.rules) ? spec.rules.filter(isMap) : [];
  if (!rules.some((rule) => isMap(rule.validate) || isList(rule.verifyImages))) return [];
  const inherits = rules.some(
    ({ validate, verifyImages }) =>
      (isMap(validate) && validate.failureAction === undefined) ||
      (isList(verifyImages) && verifyImages.some((one) => isMap(one) && one.failureAction === undefined)),
  );
  const own = spec.validationFailureAction;
  const isWrong = own === undefined || own === null ? inherits && action === "Enforce" : !isAction(own, action);
  return [
    ...(isWrong ? [set("/spec/validationFailureAction", action)] : []),
    ...withoutOverrides("/spec/validationFailureActionOverrides", spec.validationFailureActionOverrides),
    ...(isList(spec.rules) ? spec.rules : []).flatMap((rule, index) =>
      isMap(rule) ? ofRule(rule, `/spec/rules/${index}`, action) : [],
    ),
  ];
}

function ofRule({ name, validate, verifyImages }: JsonMap, path: string, action: Action): Operation[] {
  const changes = [
    ...(isMap(validate)
      ? [
          ...ownAction(validate, `${path}/validate`, action),
          ...withoutOverrides(`${path}/validate/failureActionOverrides`, validate.failureActionOverrides),
        ]
      : []),
    ...(isList(verifyImages) ? verifyImages : []).flatMap((one, index) =>
      isMap(one) ? ofImages(one, `${path}/verifyImages/${index}`, action) : [],
    ),
  ];
  if (changes.length === 0 || name === undefined) return changes;
  // The same place in another document may be another rule.
  return [{ op: "test", path: `${path}/name`, value: name }, ...changes];
}

/** Kyverno refuses a policy that audits images and writes digests into them, which is what it does unless told not to. */
function ofImages(images: JsonMap, path: string, action: Action): Operation[] {
  const writes = action === "Audit" && images.mutateDigest !== false;
  return [...ownAction(images, path, action), ...(writes ? [set(`${path}/mutateDigest`, false)] : [])];
}

function ownAction({ failureAction }: JsonMap, path: string, action: Action): Operation[] {
  const isWrong = failureAction !== undefined && failureAction !== null && !isAction(failureAction, action);
  return isWrong ? [set(`${path}/failureAction`, action)] : [];
}

/** Whatever they say: where one names other namespaces, Kyverno 1.13 does not look at the rule at all. */
function withoutOverrides(path: string, overrides: Json | undefined): Operation[] {
  return isList(overrides) && overrides.length > 0 ? [{ op: "remove", path }] : [];
}

/** `add` replaces what is there: it is right whether or not the field is written. */
function set(path: string, value: Json): Operation {
  return { op: "add", path, value };
}

/** Older policies write it in lower case. */
function isAction(value: Json, action: Action): boolean {
  return typeof value === "string" && value.toLowerCase() === action.toLowerCase();
}

/** A copy with these operations made, each of which fits. */
export function patched<T extends object>(document: T, operations: readonly Operation[]): T {
  const copy = structuredClone(document);
  for (const operation of operations) {
    if (operation.op === "test") continue;
    const steps = operation.path.split("/").slice(1);
    const holder = steps.slice(0, -1).reduce<unknown>((at, step) => (at as Record<string, unknown>)[step], copy);
    const last = steps.at(-1)!;
    if (operation.op === "remove") delete (holder as Record<string, unknown>)[last];
    else (holder as Record<string, unknown>)[last] = operation.value;
  }
  return copy;
}

function isMap(value: Json | undefined): value is JsonMap {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}

function isList(value: Json | undefined): value is readonly Json[] {
  return Array.isArray(value);
}
