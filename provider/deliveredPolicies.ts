// policychain:index:DeliveredPolicies: what one cluster has taken of an artifact. Policies belong to Flux, so a refresh of the stack's
// own objects cannot see them: this looks at each by name, and an update ends when the cluster enforces what was released.
import { posix } from "node:path";
import { messageOf, PlatformError } from "../lib/errors";
import { actionOf } from "../lib/flux/action";
import { awaitDelivery } from "../lib/flux/await";
import { type DeliveredDocument, type Delivery, deliveryCluster, titleOf } from "../lib/flux/cluster";
import { applied, Enforcement, patchesFor } from "../lib/flux/enforcement";
import { inspectDelivery, running } from "../lib/flux/inspect";
import { requireCluster } from "../lib/flux/preconditions";
import { readArtifact } from "../lib/flux/read";
import { asDelivered, type Standing } from "../lib/flux/standing";
import { connectCluster } from "../lib/kubernetes/client";
import type { Digest } from "../lib/oci/digest";
import { parseRepository } from "../lib/oci/reference";
import { stackOf } from "../lib/urn";
import {
  containsUnknown,
  diffInputs,
  type Failure,
  isUnknown,
  isValues,
  type ResourceContext,
  type ResourceHandler,
  UNKNOWN,
  unwrapSecrets,
  type Value,
  type Values,
} from "./host";
import { parseFailures, requireDigest, schemaFailures } from "./inputs";
import { registryClient } from "./registry";

const token = "policychain:index:DeliveredPolicies";

interface DeliveredInputs {
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly namespace: string;
  readonly source: string;
  readonly kustomization: string;
  readonly repository: string;
  readonly digest?: Digest;
  readonly path?: string;
  readonly enforcement: Enforcement;
  readonly exceptions?: readonly string[];
  readonly policies?: Readonly<Record<string, string>>;
  readonly timeoutSeconds?: number;
  readonly insecure?: boolean;
}

const defaultSeconds = 300;

export const deliveredPolicies: ResourceHandler = {
  async check(_context, _olds, news) {
    const { flux: _, ...given } = news;
    const failures = schemaFailures(token, given);
    const parsers = {
      ...{ namespace: requireName, source: requireName, kustomization: requireName },
      ...{ repository: parseRepository, digest: requireDigest, enforcement: requireEnforcement },
    };
    if (failures.length === 0) failures.push(...parseFailures(given, parsers), ...policyFailures(given));
    return { inputs: { ...given, flux: fluxOf(given) }, failures };
  },
  diff: async (_context, _id, oldInputs, _oldOutputs, news) =>
    diffInputs(oldInputs, news, { ignore: ["kubeconfig", "context", "timeoutSeconds", "insecure"] }),
  create: async (context, inputs) => ({ id: idOf(inputs), outputs: await makeSo(context, inputs) }),
  update: (context, _id, _oldInputs, _oldOutputs, news) => makeSo(context, news),
  async read(context, id, inputs, outputs) {
    const wanted = unwrapSecrets(outputs) as unknown as DeliveredInputs;
    const delivery = await open(context, wanted);
    const { policies, flux, notes } = await inspectDelivery(delivery);
    for (const note of notes) context.info(note);
    const changed =
      policies.some(({ text }) => text !== asDelivered) || Object.values(flux).some((text) => text !== running);
    if (!changed) return { id, inputs: { ...inputs, flux: fluxOf(inputs) }, outputs };
    const found = { policies: textsOf(policies, inputs.policies), flux };
    const documents = await delivery.documents(wanted.digest ?? "").catch(() => []);
    return {
      id,
      inputs: { ...inputs, ...found },
      outputs: { ...outputs, ...found, ready: false, delivered: deliveredOf(policies, documents) },
    };
  },
};

async function makeSo(context: ResourceContext, inputs: Values): Promise<Values> {
  const outputs: Values = { ...inputs, ready: UNKNOWN, revision: UNKNOWN, delivered: UNKNOWN, others: UNKNOWN };
  if (context.preview) {
    await foresee(context, inputs);
    return inputs.digest === undefined ? outputs : { ...outputs, revision: inputs.digest };
  }
  const wanted = unwrapSecrets(inputs) as unknown as DeliveredInputs;
  const delivery = await open(context, wanted);
  await requirePossible(delivery, wanted);
  const { timeoutSeconds = defaultSeconds } = wanted;
  const found = await awaitDelivery(delivery, {
    // The engine's own time-out would say nothing of what was seen last.
    seconds: context.timeoutSeconds > 0 ? Math.min(timeoutSeconds, context.timeoutSeconds - 1) : timeoutSeconds,
    signal: context.signal,
    progress: context.progress,
  });
  context.signal.throwIfAborted();
  const documents = await delivery.documents(found.digest);
  const delivered = deliveredOf(found.policies, documents);
  return { ...inputs, ready: true, revision: found.revision, delivered, others: found.others };
}

/** What an update would be refused for, as far as that can be known now: before anything is written to the cluster. */
async function foresee(context: ResourceContext, inputs: Values): Promise<void> {
  const { policies: _, flux: __, ...needed } = inputs;
  if (containsUnknown(needed)) return;
  const wanted = unwrapSecrets(inputs) as unknown as DeliveredInputs;
  try {
    await requirePossible(await open(context, wanted), wanted);
  } catch (error) {
    context.signal.throwIfAborted();
    const code = error instanceof PlatformError ? error.code : "";
    if (code === "artifact-missing") return; // this run pushes it
    if (code === "policy-shared" || code === "exception-unknown") throw error;
    if (code === "kind-unserved") context.warn(`this update needs more than the cluster has now: ${messageOf(error)}`);
    else if (error instanceof PlatformError) context.warn(`not known before the update: ${messageOf(error)}`);
    else throw error;
  }
}

async function requirePossible(delivery: Delivery, { digest }: DeliveredInputs): Promise<void> {
  await requireCluster(delivery, digest === undefined ? [] : await delivery.documents(digest));
}

async function open(context: ResourceContext, wanted: DeliveredInputs): Promise<Delivery> {
  const { kubeconfig, context: name, namespace, source, kustomization, digest } = wanted;
  const client = await connectCluster({
    ...(kubeconfig !== undefined && { kubeconfig }),
    ...(name !== undefined && { context: name }),
    namespace,
    signal: context.signal,
  });
  return {
    cluster: deliveryCluster(client),
    source: { apiVersion: "source.toolkit.fluxcd.io/v1", kind: "OCIRepository", namespace, name: source },
    kustomization: {
      ...{ apiVersion: "kustomize.toolkit.fluxcd.io/v1", kind: "Kustomization", namespace, name: kustomization },
    },
    ...(digest !== undefined && { digest }),
    documents: (of) => documentsOf(context, wanted, of as Digest),
    stack: stackOf(context.urn),
  };
}

/** Documents of artifacts that this process has read, by repository and digest: many clusters get the same one. */
const read = new Map<string, ReturnType<typeof readArtifact>>();

/** As the cluster is to hold them. Errors: those of `readArtifact`, `exception-unknown`. */
async function documentsOf(
  context: ResourceContext,
  { repository, insecure, path = "./", ...choice }: DeliveredInputs,
  digest: Digest,
): Promise<readonly DeliveredDocument[]> {
  const key = `${repository}@${digest}`;
  const parsed = parseRepository(repository);
  const known = read.get(key) ?? readArtifact(registryClient(context, insecure, [parsed]), parsed, digest);
  read.set(key, known);
  const { documents } = await known.catch((error: unknown) => {
    read.delete(key);
    throw error;
  });
  const folder = posix.join(path, "/").replace(/^(?:\.?\/)+/, "");
  const below = documents.filter((document) => document.path.startsWith(folder));
  patchesFor(below, choice);
  return below.map((document) => {
    const { apiVersion, kind, namespace, name } = document;
    return { apiVersion, kind, namespace, name, document: applied(document, choice) };
  });
}

function deliveredOf(policies: readonly Standing[], documents: readonly DeliveredDocument[]): Value {
  const actions = new Map(documents.map((one) => [titleOf(one), actionOf(one.document)]));
  return policies.map((policy) => ({
    kind: policy.kind,
    name: policy.namespace === "" ? policy.name : `${policy.namespace}/${policy.name}`,
    action: actions.get(titleOf(policy)) ?? "",
    ready: policy.ready,
  }));
}

/** What was found of each policy; where the program does not list them, of those alone that are not as delivered. */
function textsOf(policies: readonly Standing[], given: Value): Values {
  const listed = isValues(given) ? given : {};
  return Object.fromEntries(
    policies.flatMap((policy) => {
      const title = titleOf(policy);
      return Object.hasOwn(listed, title) || policy.text !== asDelivered ? [[title, policy.text]] : [];
    }),
  );
}

/** The state of Flux's two objects as it is to be. */
function fluxOf({ namespace, source, kustomization }: Values): Value {
  if (containsUnknown({ namespace, source, kustomization })) return UNKNOWN;
  const within = (kind: string, name: Value) =>
    `${kind}/${String(unwrapSecrets(namespace))}/${String(unwrapSecrets(name))}`;
  return { [within("OCIRepository", source)]: running, [within("Kustomization", kustomization)]: running };
}

function idOf({ namespace, kustomization }: Values): string {
  if (isUnknown(namespace) || isUnknown(kustomization)) return "";
  return `${String(unwrapSecrets(namespace))}/${String(unwrapSecrets(kustomization))}`;
}

function policyFailures({ policies }: Values): Failure[] {
  if (!isValues(policies)) return [];
  return Object.entries(policies).flatMap(([title, text]) =>
    isUnknown(text) || text === asDelivered
      ? []
      : [{ property: `policies["${title}"]`, reason: `is not "${asDelivered}"` }],
  );
}

/** RFC 1123, as Kubernetes names objects. */
function requireName(text: string): void {
  if (!/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/.test(text))
    throw new Error("is no name of Kubernetes: small letters, digits, - and ., at most 253");
}

function requireEnforcement(text: string): void {
  const known = Object.values(Enforcement) as string[];
  if (!known.includes(text)) throw new Error(`is not one of ${known.join(", ")}`);
}
