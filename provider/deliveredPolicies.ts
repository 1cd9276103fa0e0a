// policychain:index:DeliveredPolicies: what one cluster has taken of an artifact. Policies belong to Flux, so a refresh of the stack's
// own objects cannot see them: this looks at each by name, and an update ends when the cluster enforces what was released.

import { PlatformError } from "../lib/errors";
import { actionOf } from "../lib/flux/action";
import { awaitDelivery } from "../lib/flux/await";
import { type DeliveredDocument, titleOf } from "../lib/flux/cluster";
import { inspectDelivery, running } from "../lib/flux/inspect";
import { requirePruned } from "../lib/flux/preconditions";
import { asDelivered, type Standing } from "../lib/flux/standing";
import { qualifiedName } from "../lib/kyverno/identity";
import {
  type DeliveryInputs,
  deliveryId,
  deliveryIgnored,
  deliveryParsers,
  openDelivery,
  requirePossible,
} from "./delivery";
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
import { parseFailures, schemaFailures } from "./inputs";

const token = "policychain:index:DeliveredPolicies";

type DeliveredInputs = DeliveryInputs & {
  readonly source: string;
  readonly policies?: Readonly<Record<string, string>>;
  readonly timeoutSeconds?: number;
};

const defaultSeconds = 300;

export const deliveredPolicies: ResourceHandler = {
  async check(_context, _olds, news) {
    const { flux: _, ...given } = news;
    const failures = schemaFailures(token, given);
    if (failures.length === 0) failures.push(...parseFailures(given, deliveryParsers), ...policyFailures(given));
    return { inputs: { ...given, flux: fluxOf(given) }, failures };
  },
  diff: async (_context, _id, oldInputs, _oldOutputs, news) =>
    diffInputs(oldInputs, news, { ignore: [...deliveryIgnored, "context", "timeoutSeconds"] }),
  create: async (context, inputs) => ({ id: deliveryId(inputs), outputs: await makeSo(context, inputs) }),
  update: (context, _id, oldInputs, _oldOutputs, news) => makeSo(context, news, loginOf(oldInputs) !== loginOf(news)),
  async read(context, id, inputs, outputs) {
    // How a cluster is reached changes without an update, which alone renews outputs.
    const wanted = unwrapSecrets(inputs) as unknown as DeliveredInputs;
    const delivery = await openDelivery(context, wanted);
    const { policies, flux, notes, documents } = await inspectDelivery(delivery);
    for (const note of notes) context.info(note);
    const changed =
      policies.some(({ text }) => text !== asDelivered) || Object.values(flux).some((text) => text !== running);
    if (!changed) return { id, inputs: { ...inputs, flux: fluxOf(inputs) }, outputs };
    const found = { policies: textsOf(policies, inputs.policies), flux };
    return {
      id,
      inputs: { ...inputs, ...found },
      outputs: { ...outputs, ...found, ready: false, delivered: deliveredOf(policies, documents) },
    };
  },
  async delete(context, _id, outputs) {
    const delivery = await openDelivery(context, unwrapSecrets(outputs) as unknown as DeliveredInputs);
    await requirePruned(delivery).catch((error: unknown) => {
      // A cluster that is gone has nothing that could stay; whether it is, its own objects find out.
      if (!(error instanceof PlatformError) || error.code === "flux-suspended") throw error;
    });
  },
};

/** `again`: Flux is to pull once more, although it has what it should have. */
async function makeSo(context: ResourceContext, inputs: Values, again = false): Promise<Values> {
  if (context.preview) {
    const { digest: revision = UNKNOWN } = inputs;
    return { ...inputs, ready: UNKNOWN, revision, delivered: UNKNOWN, others: UNKNOWN };
  }
  const wanted = unwrapSecrets(inputs) as unknown as DeliveredInputs;
  const delivery = await openDelivery(context, wanted);
  await requirePossible(delivery);
  const { timeoutSeconds = defaultSeconds } = wanted;
  const found = await awaitDelivery(delivery, {
    // The engine's own time-out would say nothing of what was seen last.
    seconds: context.timeoutSeconds > 0 ? Math.min(timeoutSeconds, context.timeoutSeconds - 1) : timeoutSeconds,
    signal: context.signal,
    progress: context.progress,
    again,
  });
  context.signal.throwIfAborted();
  const documents = await delivery.documents(found.digest);
  const delivered = deliveredOf(found.policies, documents);
  return { ...inputs, ready: true, revision: found.revision, delivered, others: found.others };
}

/** The login of the source, of which no status of Flux speaks. */
function loginOf({ objects }: Values): Value {
  return isValues(objects) ? unwrapSecrets(objects).Secret : undefined;
}

function deliveredOf(policies: readonly Standing[], documents: readonly DeliveredDocument[]): Value {
  const actions = new Map(documents.map((one) => [titleOf(one), actionOf(one.document)]));
  return policies.map((policy) => ({
    kind: policy.kind,
    name: qualifiedName(policy),
    action: actions.get(titleOf(policy)) ?? "",
    ready: policy.ready,
  }));
}

/** What was found of each policy that the program lists, and of every other one that is not as delivered. */
function textsOf(policies: readonly Standing[], given: Value): Values {
  const listed = isValues(given) ? Object.keys(given) : [];
  const changed = policies.filter(({ text }) => text !== asDelivered);
  return {
    ...Object.fromEntries(listed.map((title) => [title, asDelivered])),
    ...Object.fromEntries(changed.map((policy) => [titleOf(policy), policy.text])),
  };
}

/** The state of Flux's two objects as it is to be. */
function fluxOf({ namespace, source, kustomization }: Values): Value {
  if (containsUnknown({ namespace, source, kustomization })) return UNKNOWN;
  const within = (kind: string, name: Value) =>
    `${kind}/${String(unwrapSecrets(namespace))}/${String(unwrapSecrets(name))}`;
  return { [within("OCIRepository", source)]: running, [within("Kustomization", kustomization)]: running };
}

function policyFailures({ policies }: Values): Failure[] {
  if (!isValues(policies)) return [];
  return Object.entries(policies).flatMap(([title, text]) =>
    isUnknown(text) || text === asDelivered
      ? []
      : [{ property: `policies["${title}"]`, reason: `is not "${asDelivered}"` }],
  );
}
