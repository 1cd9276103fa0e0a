// Policies of every form that says what a violation does, for whoever patches them.
import fc from "fast-check";
import type { PatchedDocument } from "../../lib/flux/enforcement";

const action = fc.constantFrom("Audit", "Enforce");
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
/** Without what is undefined, as YAML would have it. */
const record = (model: Record<string, fc.Arbitrary<unknown>>) =>
  fc.record(model).map((value) => Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined)));

const overrides = fc.array(record({ action, namespaces: fc.constantFrom(["a"], ["b", "c-*"]) }), { maxLength: 2 });
const validate = record({
  message: fc.constantFrom("no", 'say "why"', "zwei\nZeilen", "ü: #"),
  pattern: fc.constant({ metadata: { labels: { team: "?*" } } }),
  failureAction: maybe(action),
  failureActionOverrides: maybe(overrides),
});
const images = record({
  imageReferences: fc.constant(["*"]),
  failureAction: maybe(action),
  mutateDigest: maybe(fc.boolean()),
});
const ruleName = fc.constantFrom(
  "check",
  "a b",
  'q"uote',
  "colon: #",
  "-",
  "[x]",
  "null",
  "1",
  "ü-name",
  "🦀",
  "{{a}}",
);
const match = { any: [{ resources: { kinds: ["Pod"] } }] };
const rule = record({
  name: ruleName,
  match: fc.constant(match),
  validate: maybe(validate),
  verifyImages: maybe(fc.array(images, { minLength: 1, maxLength: 2 })),
  mutate: maybe(fc.constant({ patchStrategicMerge: { metadata: { labels: { a: "b" } } } })),
});
const rulesSpec = record({
  background: maybe(fc.boolean()),
  validationFailureAction: maybe(fc.constantFrom("Audit", "Enforce", "audit", "enforce")),
  validationFailureActionOverrides: maybe(overrides),
  rules: fc.array(rule, { maxLength: 3 }),
});
const celSpec = record({
  validationActions: maybe(fc.constantFrom(["Deny"], ["Audit"], ["Warn"], ["Audit", "Warn"], ["Deny", "Audit"], [])),
  validations: fc.constant([{ expression: "object.spec.replicas > 1" }]),
});
const forms = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(fc.constant(["kyverno.io/v1", "ClusterPolicy", ""] as const), rulesSpec) },
  fc.tuple(fc.constantFrom(["kyverno.io/v1", "Policy", "team-a"], ["kyverno.io/v1", "Policy", ""] as const), rulesSpec),
  fc.tuple(
    fc.constantFrom(
      ["policies.kyverno.io/v1alpha1", "ValidatingPolicy", ""],
      ["policies.kyverno.io/v1", "ImageValidatingPolicy", ""],
      ["policies.kyverno.io/v1beta1", "NamespacedValidatingPolicy", "team-b"],
      ["policies.kyverno.io/v1", "MutatingPolicy", ""],
      ["admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicyBinding", ""] as const,
    ),
    celSpec,
  ),
);

/** A document as an artifact's reader gives it. */
export function documentOf(
  apiVersion: string,
  kind: string,
  name: string,
  spec: object,
  namespace = "",
): PatchedDocument & { readonly path: string } {
  const metadata = { name, ...(namespace !== "" && { namespace }) };
  return { apiVersion, kind, name, namespace, path: `s/${name}.yaml`, object: { apiVersion, kind, metadata, spec } };
}

/** Documents of an artifact, each with a name of its own; some names differ in a dot alone. */
export const policyDocuments: fc.Arbitrary<PatchedDocument[]> = fc
  .array(forms, { maxLength: 12 })
  .map((list) =>
    list.map(([[apiVersion, kind, namespace], spec], index) =>
      documentOf(apiVersion, kind, `p${index >> 1}${index % 2 ? "." : "x"}q`, spec, namespace),
    ),
  );
