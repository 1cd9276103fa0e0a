// Errors of the plugin's own, and what must not stand in any error.
import { PlatformError } from "../../../lib/errors";
import { ClusterError } from "../../../lib/kubernetes/errors";
import type { KubernetesObject } from "../../../lib/kubernetes/objects";
import { printable } from "../../../lib/printable";
import { stackOf } from "../../../lib/urn";
import { isSecret, isValues, unwrapSecrets, type Value, type Values } from "../../../provider/host";
import { idOf } from "./state";

export function alreadyThere(live: KubernetesObject, urn: string): PlatformError {
  return new PlatformError("object-exists", {
    what: describe(live),
    rule: "what a stack does not know of is never taken over without a word",
    fix: `choose another name, let the other stack go of it, or \`pulumi import ${importArguments(live, urn)}\``,
  });
}

/** The object is this stack's, but under a provider that is replaced: made again it would be deleted with the old one. Or its state was another. */
export function madeByAnotherProvider(live: KubernetesObject, urn: string): PlatformError {
  return new PlatformError("object-exists", {
    what: `${describe(live)}: this very resource has made it, by another way to the cluster or in another state`,
    rule: "two ways lead to one cluster where both can be asked for the uid of its namespace kube-system",
    fix: `give the kubeconfig's entry that the stack used before the new address of the cluster, and its user the right to get this namespace; where the state was lost, \`pulumi import ${importArguments(live, urn)}\``,
  });
}

function describe(live: KubernetesObject): string {
  const managers = [...new Set((live.metadata.managedFields ?? []).flatMap(({ manager }) => manager ?? []))];
  const who = managers.slice(0, 5).map((one) => printable(one, 80));
  return `the cluster has ${live.kind} ${idOf(live)} already${who.length > 0 ? `, managed by ${who.join(", ")}` : ""}`;
}

function importArguments(live: KubernetesObject, urn: string): string {
  const [type, name] = urn.split("::").slice(2);
  const token = type?.split("$").at(-1) ?? "";
  return `${token} ${name} ${idOf(live)} --stack ${stackOf(urn)}`;
}

/** Too short to be found by chance in a sentence of the cluster's. */
const shortest = 4;

/** The same error without any secret of the inputs: an API server quotes the values that it refuses. */
export function withoutSecrets(error: unknown, inputs: Values): unknown {
  if (!(error instanceof PlatformError)) return error;
  const secrets = secretTexts(inputs).filter((one) => one.length >= shortest);
  const hide = (text: string) =>
    [...secrets].sort((a, b) => b.length - a.length).reduce((kept, one) => kept.replaceAll(one, "[secret]"), text);
  const { what, rule, fix } = error.problem;
  if (hide(what) === what && hide(fix) === fix) return error;
  const problem = { what: hide(what), rule, fix: hide(fix) };
  return error instanceof ClusterError
    ? new ClusterError(error.code, problem, error.status && { code: error.status.code, reason: error.status.reason })
    : new PlatformError(error.code, problem);
}

/** Every text that stands under a secret mark, as it is, printed on one line, and out of its base64. */
function secretTexts(value: Value, isInside = false): string[] {
  if (isSecret(value)) return secretTexts(unwrapSecrets(value), true);
  if (Array.isArray(value)) return value.flatMap((item) => secretTexts(item, isInside));
  if (isValues(value)) return Object.values(value).flatMap((item) => secretTexts(item, isInside));
  if (!isInside || typeof value !== "string") return [];
  const decoded = Buffer.from(value, "base64").toString();
  return [value, printable(value, value.length + 1), decoded, printable(decoded, decoded.length + 1)];
}
