// policychain:index:Copy: a whole graph, by digest, from one repository to another.
import { messageOf } from "../lib/errors";
import type { RegistryClient } from "../lib/oci/client";
import { copyGraph, missingFrom } from "../lib/oci/copy";
import type { Digest } from "../lib/oci/digest";
import { isContentGone } from "../lib/oci/failures";
import { parseRepository, type Repository } from "../lib/oci/reference";
import { promotionIncomplete } from "../lib/promotion/errors";
import { leaveStem } from "../lib/release/stem";
import { stackOf } from "../lib/urn";
import {
  containsUnknown,
  diffInputs,
  type ResourceContext,
  type ResourceHandler,
  UNKNOWN,
  unwrapSecrets,
  type Values,
} from "./host";
import { parseFailures, requireDigest, schemaFailures } from "./inputs";
import { withMissing, withoutMissing } from "./missing";
import { candidateGone, idOf, pinned, registryClient } from "./registry";

const token = "policychain:index:Copy";

interface CopyInputs {
  readonly from: string;
  readonly to: string;
  readonly digest: Digest;
  readonly rebuild?: string;
  readonly promoted?: boolean;
  readonly insecure?: boolean;
}

export const copy: ResourceHandler = {
  async check(_context, _olds, news) {
    const inputs = withoutMissing(news);
    const failures = schemaFailures(token, inputs);
    const parsers = { from: parseRepository, to: parseRepository, digest: requireDigest };
    return { inputs, failures: failures.length > 0 ? failures : parseFailures(inputs, parsers) };
  },
  diff: async (_context, _id, oldInputs, _oldOutputs, news) =>
    diffInputs(oldInputs, news, { ignore: ["from", "rebuild", "promoted", "insecure"] }),
  create: async (context, inputs) => ({ id: idOf(inputs.to), outputs: await makeSo(context, inputs) }),
  update: (context, _id, _oldInputs, _oldOutputs, news) => makeSo(context, news),
  async read(context, id, inputs, outputs) {
    const { to, digest, insecure } = unwrapSecrets(outputs) as unknown as CopyInputs;
    const target = parseRepository(to);
    const missing = await missingFrom(registryClient(context, insecure, [target]), target, digest);
    if (missing.includes(digest)) return undefined;
    return { id, inputs: withMissing(inputs, missing), outputs: withMissing(outputs, missing) };
  },
};

async function makeSo(context: ResourceContext, inputs: Values): Promise<Values> {
  if (containsUnknown({ to: inputs.to, digest: inputs.digest })) return { ...inputs, reference: UNKNOWN };
  const { from, to, digest, rebuild, promoted, insecure } = unwrapSecrets(inputs) as unknown as CopyInputs;
  const outputs = { ...inputs, reference: pinned(to, digest) };
  if (context.preview) return outputs;
  const target = parseRepository(to);
  const source = parseRepository(from);
  const client = registryClient(context, insecure, [target]); // a source elsewhere is loopback, or behind TLS
  try {
    await copyGraph(client, { from: source, to: target, digest, log: context.progress });
  } catch (error) {
    if (!isContentGone(error)) throw error;
    if (!promoted) throw candidateGone(from, digest, rebuild, error);
    throw promotionIncomplete({ from, digest, stack: stackOf(context.urn) }, error);
  }
  if (!promoted) await leaveStemOf(context, client, target, digest);
  return outputs;
}

/** It only saves time: without one the next build reads and packs everything. */
async function leaveStemOf(context: ResourceContext, client: RegistryClient, target: Repository, digest: Digest) {
  try {
    await leaveStem(client, target, digest);
  } catch (error) {
    context.signal.throwIfAborted();
    context.warn(`the next build has no image of base and tools to start from, and takes longer: ${messageOf(error)}`);
  }
}
