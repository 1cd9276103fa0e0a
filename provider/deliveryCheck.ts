// policychain:index:DeliveryCheck: looks whether a cluster can take an artifact before anything is written to it. Flux applies at once
// what it is told, so that a refusal behind its objects would come too late. It owns nothing and remembers nothing.
import { messageOf, PlatformError } from "../lib/errors";
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
  type ResourceContext,
  type ResourceHandler,
  unwrapSecrets,
  type Values,
} from "./host";
import { parseFailures, schemaFailures } from "./inputs";

const token = "policychain:index:DeliveryCheck";

export const deliveryCheck: ResourceHandler = {
  async check(_context, _olds, news) {
    const failures = schemaFailures(token, news);
    return { inputs: news, failures: failures.length > 0 ? failures : parseFailures(news, deliveryParsers) };
  },
  // A context that nobody has looked by is no small thing: this is where a wrong one shows.
  diff: async (_context, _id, oldInputs, _oldOutputs, news) => diffInputs(oldInputs, news, { ignore: deliveryIgnored }),
  create: async (context, inputs) => ({ id: deliveryId(inputs), outputs: await look(context, inputs) }),
  update: (context, _id, _oldInputs, _oldOutputs, news) => look(context, news),
};

async function look(context: ResourceContext, inputs: Values): Promise<Values> {
  const possible = async () =>
    requirePossible(await openDelivery(context, unwrapSecrets(inputs) as unknown as DeliveryInputs));
  if (!context.preview) await possible();
  else if (!containsUnknown({ ...inputs, cluster: undefined }))
    await possible().catch((error: unknown) => foreseen(context, error));
  return inputs;
}

/** What a run may still bring, or a preview cannot know, is no error of the preview. */
function foreseen(context: ResourceContext, error: unknown): void {
  context.signal.throwIfAborted();
  if (!(error instanceof PlatformError) || ["policy-shared", "exception-unknown"].includes(error.code)) throw error;
  if (error.code === "artifact-missing") return; // this run pushes it
  const when =
    error.code === "kind-unserved" ? "this update needs more than the cluster has now" : "not known before the update";
  context.warn(`${when}: ${messageOf(error)}`);
}
