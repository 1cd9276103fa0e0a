// Objects as the official plugin keeps them in a stack's state: what the cluster has, and beside it under names with two underscores what was
// declared and who manages it. A switch between the two plugins must not replace anything.
import type { KubernetesObject, ObjectReference } from "../../../lib/kubernetes/objects";
import {
  isSecret,
  isUnknown,
  isValues,
  secret,
  UNKNOWN,
  unwrapSecrets,
  type Value,
  type Values,
} from "../../../provider/host";

/** What the API server sets, and nobody declares. */
const serverMade = [
  "creationTimestamp",
  "deletionGracePeriodSeconds",
  "deletionTimestamp",
  "generation",
  "managedFields",
  "resourceVersion",
  "uid",
];
/** What `kubectl apply` writes beside an object: all of it, secrets in clear. */
const lastApplied = "kubectl.kubernetes.io/last-applied-configuration";

/** `namespace/name`, or `name` where there is no namespace. */
export function idOf({ metadata: { name, namespace } }: KubernetesObject): string {
  return namespace === undefined ? name : `${namespace}/${name}`;
}

export function referenceOf(id: string, type: { readonly apiVersion: string; readonly kind: string }): ObjectReference {
  const slash = id.indexOf("/");
  return { ...type, name: id.slice(slash + 1), ...(slash < 0 ? {} : { namespace: id.slice(0, slash) }) };
}

/** What is sent: secrets in clear, nothing that is null. */
export function objectOf(inputs: Values): KubernetesObject {
  return withoutNulls(unwrapSecrets(inputs)) as unknown as KubernetesObject;
}

export interface Kept {
  readonly inputs: Values;
  readonly initialApiVersion: string;
  readonly fieldManager: string;
}

/** The outputs for an object that the cluster has answered. */
export function outputsOf(live: KubernetesObject, { inputs, initialApiVersion, fieldManager }: Kept): Values {
  return {
    ...marked(live as unknown as Values, inputs),
    __inputs: marked(unwrapSecrets(inputs), inputs),
    __initialApiVersion: initialApiVersion,
    __fieldManager: fieldManager,
  };
}

/** The outputs of a dry run: what only the real write decides is unknown, and the status is none yet. */
export function previewOf(outputs: Values): Values {
  const { status: _, ...rest } = outputs;
  const metadata = isValues(outputs.metadata) ? outputs.metadata : {};
  const unknown = Object.keys(metadata).filter((key) => serverMade.includes(key));
  return { ...rest, metadata: { ...metadata, ...Object.fromEntries(unknown.map((key) => [key, UNKNOWN])) } };
}

/** The part of a live object that `inputs` declares; of a list all items, as one that somebody added changes what ours mean. */
export function declared(live: KubernetesObject, inputs: Values): Values {
  return marked(pruned(live as unknown as Values, unwrapSecrets(inputs)) as Values, inputs);
}

/** For an object that is read for the first time: all but what the server has made. */
export function imported(live: KubernetesObject): Values {
  const { status: _, ...rest } = live;
  return marked(withoutServerMade(rest as unknown as Values), {});
}

/** Without what only the server sets, so that the output of one cluster can be the input for another. */
export function withoutServerMade(inputs: Values): Values {
  if (!isValues(inputs.metadata)) return inputs;
  const metadata = Object.entries(inputs.metadata).filter(([key]) => !serverMade.includes(key));
  return { ...inputs, metadata: Object.fromEntries(metadata) };
}

/** Marks what must not be shown: the data of every Secret, and whatever is secret at the same place in `like`. */
export function marked(values: Values, like: Values): Values {
  const copied = Object.entries(values).map(([key, value]): [string, Value] => {
    const model = like[key];
    if (isValues(value) && isValues(model)) return [key, marked(value, model)];
    return [key, containsSecret(model) ? secret(value) : value];
  });
  const result: Record<string, Value> = Object.fromEntries(copied);
  if (values.kind !== "Secret") return result;
  for (const key of ["data", "stringData"])
    if (result[key] !== undefined) result[key] = secret(unwrapSecrets(result[key]));
  const metadata = isValues(result.metadata) ? result.metadata : {};
  const annotations = isValues(metadata.annotations) ? metadata.annotations : {};
  if (annotations[lastApplied] !== undefined)
    result.metadata = { ...metadata, annotations: { ...annotations, [lastApplied]: secret(annotations[lastApplied]) } };
  return result;
}

function containsSecret(value: Value): boolean {
  if (isSecret(value)) return true;
  if (Array.isArray(value)) return value.some(containsSecret);
  return isValues(value) && Object.values(value).some(containsSecret);
}

function pruned(live: Value, like: Value): Value {
  if (isValues(live) && isValues(like))
    return Object.fromEntries(
      Object.keys(like).flatMap((key) => (live[key] === undefined ? [] : [[key, pruned(live[key], like[key])]])),
    );
  if (Array.isArray(live) && Array.isArray(like))
    return live.map((item, index) => (index < like.length ? pruned(item, like[index]) : item));
  return live;
}

function withoutNulls(value: Value): Value {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (!isValues(value)) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, item]) =>
      item === null || item === undefined ? [] : [[key, withoutNulls(item)]],
    ),
  );
}

/** `stringData` as the API server writes it into `data`, whose base64 is written as it writes it. */
export function withPlainData(inputs: Values): Values {
  const { stringData, data, ...rest } = inputs;
  const texts = unwrapSecrets(stringData);
  const bytes = unwrapSecrets(data);
  const known = (value: Value) => isValues(value) && Object.values(value).every((item) => typeof item === "string");
  if (isUnknown(stringData) || isUnknown(data)) return inputs;
  if ((isValues(texts) && !known(texts)) || (isValues(bytes) && !known(bytes))) return inputs;
  const given = isValues(bytes) ? Object.entries(bytes) : [];
  const made = isValues(texts) ? Object.entries(texts) : [];
  if (given.length + made.length === 0) return inputs;
  const base64 = (value: Value, from: BufferEncoding) => Buffer.from(String(value), from).toString("base64");
  return {
    ...rest,
    data: secret({
      ...Object.fromEntries(
        given.map(([key, value]) => [key, isBase64(String(value)) ? base64(value, "base64") : value]),
      ),
      ...Object.fromEntries(made.map(([key, value]) => [key, base64(value, "utf8")])),
    }),
  };
}

function isBase64(value: string): boolean {
  return /^[A-Za-z0-9+/\s]*={0,2}\s*$/.test(value);
}
