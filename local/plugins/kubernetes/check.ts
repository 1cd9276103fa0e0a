// The inputs of an object, as the official plugin normalises them: what they become is in the state.
import { messageOf } from "../../../lib/errors";
import {
  type CheckResult,
  type Failure,
  isUnknown,
  isValues,
  unwrapSecrets,
  type Values,
} from "../../../provider/host";
import { annotation } from "./annotations";
import { parseWaitFor } from "./conditions";
import { cluster, settings } from "./configure";
import type { ObjectType } from "./resource";
import { marked, withoutServerMade, withPlainData } from "./state";

/** Kinds that are in no namespace, and need no cluster to be known. */
const clusterScoped = ["Namespace", "CustomResourceDefinition", "ClusterRole", "ClusterRoleBinding"];

export async function checkObject(type: ObjectType, news: Values): Promise<CheckResult> {
  let inputs: Values = withoutServerMade({
    ...news,
    apiVersion: news.apiVersion ?? type.apiVersion,
    kind: news.kind ?? type.kind,
  });
  if (type.kind === "Secret" && type.apiVersion === "v1") inputs = withPlainData(inputs);
  const { namespace } = settings();
  const metadata = inputs.metadata;
  if (namespace !== undefined && isValues(metadata) && metadata.namespace === undefined && (await isNamespaced(type)))
    inputs = { ...inputs, metadata: { ...metadata, namespace } };
  return { inputs: marked(inputs, inputs), failures: failuresOf(type, inputs) };
}

function failuresOf(type: ObjectType, inputs: Values): Failure[] {
  const failures: Failure[] = [];
  for (const key of ["apiVersion", "kind"] as const)
    if (!isUnknown(inputs[key]) && unwrapSecrets(inputs[key]) !== type[key])
      failures.push({ property: key, reason: `is not ${type[key]}, which the type of the resource says` });
  const metadata = unwrapSecrets(inputs.metadata);
  if (isUnknown(metadata)) return failures;
  const name = isValues(metadata) ? metadata.name : undefined;
  if (!isUnknown(name) && (typeof name !== "string" || name === ""))
    failures.push({ property: "metadata.name", reason: "is required: the closed-network plugin makes up no names" });
  const waitFor = annotation(inputs, "waitFor");
  if (waitFor === undefined) return failures;
  try {
    parseWaitFor(waitFor);
  } catch (error) {
    failures.push({ property: 'metadata.annotations["pulumi.com/waitFor"]', reason: messageOf(error) });
  }
  return failures;
}

/** A kind whose controller is not there yet counts as namespaced, as almost all are. */
async function isNamespaced({ apiVersion, kind }: ObjectType): Promise<boolean> {
  if (clusterScoped.includes(kind)) return false;
  if (apiVersion === "v1" && kind === "Secret") return true;
  try {
    return (await (await cluster()).served(apiVersion, kind))?.namespaced ?? true;
  } catch {
    return true; // whoever writes it says what is wrong with the cluster
  }
}
