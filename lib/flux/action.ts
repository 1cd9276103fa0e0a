// What a policy does with a resource that breaks it, in one word for people: `enforce` refuses it, `audit` reports it.
import { groupOf } from "../kubernetes/objects";
import { listAt, type Observed, textAt, valueAt } from "./observed";

const words: Readonly<Record<string, string>> = { deny: "enforce", enforce: "enforce", audit: "audit", warn: "warn" };

/** `enforce`, `audit`, several with a comma; empty for a policy that judges nothing, such as one that mutates. */
export function actionOf(document: Observed): string {
  const actions =
    groupOf(textAt(document, "apiVersion")) === "kyverno.io" ? ruleActions(document) : celActions(document);
  const known = actions.flatMap((action) => words[action.toLowerCase()] ?? []);
  return [...new Set(known)].sort().join(", ");
}

/** Kyverno audits where neither the rule nor the policy says otherwise. */
function ruleActions(policy: Observed): string[] {
  const general = textAt(policy, "spec", "validationFailureAction") || "Audit";
  return listAt(policy, "spec", "rules").flatMap((rule) => [
    ...(valueAt(rule, "validate") === undefined ? [] : [textAt(rule, "validate", "failureAction") || general]),
    ...listAt(rule, "verifyImages").map((image) => textAt(image, "failureAction") || general),
  ]);
}

/** The CEL kinds that validate deny where they do not say otherwise. */
function celActions(policy: Observed): string[] {
  if (!textAt(policy, "kind").endsWith("ValidatingPolicy")) return [];
  const actions = listAt(policy, "spec", "validationActions").filter((action) => typeof action === "string");
  return actions.length > 0 ? actions : ["Deny"];
}
