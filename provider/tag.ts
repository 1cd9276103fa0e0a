// policychain:index:Tag: one tag in a role. The commit point of a release is the write of its version tag, so nothing is
// written that was not looked at right before, and nothing is believed that was not read back right after.
import { PlatformError } from "../lib/errors";
import type { ManifestAnswer, RegistryClient } from "../lib/oci/client";
import type { Digest } from "../lib/oci/digest";
import { labelsOfAnswer } from "../lib/oci/imageConfig";
import { isTag, parseRepository } from "../lib/oci/reference";
import { inputDigestLabel } from "../lib/pins/model";
import { stackOf } from "../lib/urn";
import {
  containsUnknown,
  diffInputs,
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
import { idOf, registryClient } from "./registry";
import type { TagRole } from "./resources/tag";
import { contentMissing, refused, requireRevision, type WantedTag } from "./tagRefusals";
import { decideTag, type TagDecision } from "./tagRule";

const token = "policychain:index:Tag";

/** What `read` needs of the state. */
interface TagOutputs {
  readonly repository: string;
  readonly tag: string;
  readonly insecure?: boolean;
}

let warnedOfDelete = false;

export const tag: ResourceHandler = {
  async check(_context, olds, news) {
    const { released: _, ...inputs } = news;
    const failures = schemaFailures(token, inputs);
    const parsers = {
      repository: parseRepository,
      tag: requireTag,
      digest: requireDigest,
      inputDigest: requireDigest,
      revision: requireDigest,
      "beside.repository": parseRepository,
      "beside.digest": requireDigest,
    };
    if (failures.length === 0) failures.push(...parseFailures(inputs, parsers));
    if ((inputs.inputDigest ?? inputs.revision) === undefined)
      failures.push({ property: "inputDigest", reason: "is required, or revision for an artifact" });
    return { inputs: { ...inputs, tag: keptName(olds, news), released: news.digest }, failures };
  },
  diff: async (_context, _id, oldInputs, _oldOutputs, news) =>
    diffInputs(oldInputs, news, {
      ignore: ["released", "promotedFrom", "beside.repository", "beside.digest", "insecure"],
    }),
  create: async (context, inputs) => ({
    id: idOf(inputs.repository, inputs.role),
    outputs: await makeSo(context, undefined, inputs),
  }),
  update: (context, _id, oldInputs, _oldOutputs, news) => makeSo(context, oldInputs, news),
  async read(context, id, inputs, outputs) {
    const { repository, tag, insecure } = unwrapSecrets(outputs) as unknown as TagOutputs;
    const parsed = parseRepository(repository);
    const found = await registryClient(context, insecure, [parsed]).resolve(parsed, tag);
    if (!found) return undefined;
    return { id, inputs: { ...inputs, digest: found.digest }, outputs: { ...outputs, digest: found.digest } };
  },
  async delete(context, _id, outputs) {
    if (unwrapSecrets(outputs.role) !== "version" || warnedOfDelete) return;
    warnedOfDelete = true;
    context.warn(
      `${String(unwrapSecrets(outputs.reference))} and everything released with it stay in the registry: releases are never deleted`,
    );
  },
};

/**
 * A commit tag keeps its name while it is about the same image: a later commit that changes nothing is no new release. That of an
 * artifact is called as that of the image beside it.
 */
function keptName(olds: Values | undefined, news: Values): Value {
  const [was, now] = [unwrapSecrets(olds ?? {}), unwrapSecrets(news)];
  const about = ({ repository, beside }: Values): Values => ({
    repository: repository as Value,
    beside: beside as Value,
  });
  const same = was.released === now.digest && isEmpty(diffInputs(about(was), about(now)).changes);
  return now.role === "commit" && same && was.tag !== undefined ? was.tag : news.tag;
}

function isEmpty(changes: object): boolean {
  return Object.keys(changes).length === 0;
}

async function makeSo(context: ResourceContext, oldInputs: Values | undefined, inputs: Values): Promise<Values> {
  const wanted = readWanted(oldInputs, inputs);
  if (!wanted) return { ...inputs, reference: UNKNOWN };
  const outputs = { ...inputs, reference: `${wanted.repositoryName}:${wanted.tag}` };
  const client = registryClient(context, unwrapSecrets(inputs.insecure) as boolean | undefined, [wanted.repository]);
  if (context.preview) await foresee(context, client, wanted);
  else await write(context, client, wanted as Required<WantedTag>);
  return outputs;
}

function readWanted(oldInputs: Values | undefined, inputs: Values): WantedTag | undefined {
  const { repository, role, tag, digest, inputDigest, promotedFrom, revision, beside } = unwrapSecrets(inputs);
  if (containsUnknown({ repository, role, tag })) return undefined;
  const old = unwrapSecrets(oldInputs ?? {});
  const sameTag = old.repository === repository && old.tag === tag;
  return {
    repository: parseRepository(repository as string),
    repositoryName: repository as string,
    role: role as TagRole,
    tag: tag as string,
    digest: isUnknown(digest) ? undefined : (digest as Digest),
    inputDigest: isUnknown(inputDigest) ? undefined : (inputDigest as string | undefined),
    released: sameTag ? (old.released as Digest | undefined) : undefined,
    ...(typeof promotedFrom === "string" && { promotedFrom }),
    ...(typeof revision === "string" && !isUnknown(revision) && { revision }),
    ...(isValues(beside) && !isUnknown(beside.repository) && { beside: beside.repository as string }),
  };
}

/** What write will find, as far as that can be known now: a taken version is refused before anything has been built. */
async function foresee(context: ResourceContext, client: RegistryClient, wanted: WantedTag): Promise<void> {
  const { decision, found } = await look(client, wanted);
  if (decision === "keep") return;
  if (decision === "taken") {
    const refusal = await refused(context, client, wanted, found!);
    // No refusal for a commit here: it is looked at before it is made.
    if (wanted.role === "version") throw refusal;
    context.warn(`this update will be refused: ${refusal.message}`);
  }
  const { repository, digest } = wanted;
  const manifest = digest && (await client.manifest(repository, digest));
  if (manifest) await requireInputs(context, client, wanted, manifest);
}

async function write(context: ResourceContext, client: RegistryClient, wanted: Required<WantedTag>): Promise<void> {
  const { repository, tag, digest } = wanted;
  const isThere = async () => {
    const { decision, found } = await look(client, wanted);
    if (decision === "taken") throw await refused(context, client, wanted, found!);
    return decision === "keep";
  };
  if (await isThere()) return;
  const manifest = await client.manifest(repository, digest);
  if (!manifest) throw contentMissing(wanted, stackOf(context.urn));
  await requireInputs(context, client, wanted, manifest);
  if (await isThere()) return;
  context.signal.throwIfAborted();
  await client.putManifest(repository, tag, manifest.bytes, manifest.mediaType);
  const after = await client.resolve(repository, tag);
  if (after?.digest !== digest) {
    throw new PlatformError("tag-not-written", {
      what: `${wanted.repositoryName}:${tag} names ${after?.digest ?? "nothing"} right after it was written to name ${digest}`,
      rule: "a tag is read back before a release counts",
      fix: `find out what else writes to this repository, then run pulumi up --refresh --stack ${stackOf(context.urn)}`,
    });
  }
}

/** What is under the name, and what follows from it; `taken` never comes without a digest. */
async function look(client: RegistryClient, wanted: WantedTag): Promise<{ decision: TagDecision; found?: Digest }> {
  const { repository, role, tag, digest, released, beside } = wanted;
  const found = (await client.resolve(repository, tag))?.digest;
  const decision = decideTag({ role, found, wanted: digest, released });
  // What an artifact is called counts once the image beside it is called so.
  const isOpen = decision === "taken" && beside !== undefined && !(await client.resolve(parseRepository(beside), tag));
  return { found, decision: isOpen ? "write" : decision };
}

/** Without this, `up --target` or `--exclude` would put a new version on the image that the state still knows. */
async function requireInputs(
  context: ResourceContext,
  client: RegistryClient,
  wanted: WantedTag,
  manifest: ManifestAnswer,
): Promise<void> {
  const { inputDigest } = wanted;
  requireRevision(wanted, manifest, stackOf(context.urn));
  if (!inputDigest) return;
  const label = (await labelsOfAnswer(client, wanted.repository, manifest))[inputDigestLabel];
  if (label === inputDigest) return;
  throw new PlatformError("input-digest-mismatch", {
    what: `${wanted.repositoryName}@${manifest.digest} was built from inputs ${label ?? "that it does not name"}, and ${wanted.tag} is to be made from ${inputDigest}`,
    rule: "a tag goes only to the image that was built from the inputs of this release",
    fix: `run pulumi up --stack ${stackOf(context.urn)} without --target and --exclude`,
  });
}

function requireTag(text: string): void {
  if (!isTag(text)) throw new Error("is not a tag: letters, digits, _, . and -, at most 128");
}
