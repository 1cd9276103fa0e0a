// policychain:index:Tag: one tag in a role. The commit point of a release is the write of its version tag, so nothing is
// written that was not looked at right before, and nothing is believed that was not read back right after.
import { PlatformError } from "../lib/errors";
import type { RegistryClient } from "../lib/oci/client";
import type { Digest } from "../lib/oci/digest";
import { imageLabels } from "../lib/oci/imageConfig";
import { isTag, parseRepository, type Repository } from "../lib/oci/reference";
import { inputDigestLabel } from "../lib/pins/model";
import { versionTaken } from "../lib/release/taken";
import {
  containsUnknown,
  diffInputs,
  isUnknown,
  type ResourceContext,
  type ResourceHandler,
  UNKNOWN,
  unwrapSecrets,
  type Value,
  type Values,
} from "./host";
import { parseFailures, requireDigest, schemaFailures } from "./inputs";
import { idOf, registryClient } from "./registry";
import { decideTag, type TagDecision, type TagRole } from "./tagRule";

const token = "policychain:index:Tag";

/** Inputs whose repository, role and name are known; digests may not be. */
interface Wanted {
  readonly repository: Repository;
  readonly name: string;
  readonly role: TagRole;
  readonly tag: string;
  readonly digest?: Digest;
  readonly inputDigest?: string;
  /** What the state says about this very name. */
  readonly released?: Digest;
}

let warnedOfDelete = false;

export const tag: ResourceHandler = {
  async check(_context, olds, news) {
    const { released: _, ...inputs } = news;
    const failures = schemaFailures(token, inputs);
    const parsers = { repository: parseRepository, tag: requireTag, digest: requireDigest, inputDigest: requireDigest };
    if (failures.length === 0) failures.push(...parseFailures(inputs, parsers));
    return { inputs: { ...inputs, tag: keptName(olds, news), released: news.digest }, failures };
  },
  diff: async (_context, _id, oldInputs, _oldOutputs, news) =>
    diffInputs(oldInputs, news, { ignore: ["released", "insecure"] }),
  create: async (context, inputs) => ({
    id: idOf(inputs.repository, inputs.role),
    outputs: await makeSo(context, undefined, inputs),
  }),
  update: (context, _id, oldInputs, _oldOutputs, news) => makeSo(context, oldInputs, news),
  async read(context, id, inputs, outputs) {
    const {
      repository,
      tag: name,
      insecure,
    } = unwrapSecrets(outputs) as { repository: string; tag: string; insecure?: boolean };
    const parsed = parseRepository(repository);
    const found = await registryClient(context, insecure, [parsed]).resolve(parsed, name);
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

/** A commit tag keeps its name while it is about the same image: a later commit that changes nothing is no new release. */
function keptName(olds: Values | undefined, news: Values): Value {
  const [was, now] = [unwrapSecrets(olds ?? {}), unwrapSecrets(news)];
  const same = !isUnknown(now.digest) && was.released === now.digest && was.repository === now.repository;
  return now.role === "commit" && same && was.tag !== undefined ? was.tag : news.tag;
}

async function makeSo(context: ResourceContext, oldInputs: Values | undefined, inputs: Values): Promise<Values> {
  const wanted = readWanted(oldInputs, inputs);
  if (!wanted) return { ...inputs, reference: UNKNOWN };
  const outputs = { ...inputs, reference: `${wanted.name}:${wanted.tag}` };
  const client = registryClient(context, unwrapSecrets(inputs.insecure) as boolean | undefined, [wanted.repository]);
  if (context.preview) await foresee(context, client, wanted);
  else await write(context, client, wanted as Required<Wanted>);
  return outputs;
}

function readWanted(oldInputs: Values | undefined, inputs: Values): Wanted | undefined {
  const { repository, role, tag: name, digest, inputDigest } = unwrapSecrets(inputs);
  if (containsUnknown({ repository, role, name })) return undefined;
  const old = unwrapSecrets(oldInputs ?? {});
  const sameName = old.repository === repository && old.tag === name;
  return {
    repository: parseRepository(repository as string),
    name: repository as string,
    role: role as TagRole,
    tag: name as string,
    digest: isUnknown(digest) ? undefined : (digest as Digest),
    inputDigest: isUnknown(inputDigest) ? undefined : (inputDigest as string),
    released: sameName ? (old.released as Digest | undefined) : undefined,
  };
}

/** What write will find, as far as that can be known now: a taken version is refused before anything has been built. */
async function foresee(context: ResourceContext, client: RegistryClient, wanted: Wanted): Promise<void> {
  const decision = await decide(client, wanted);
  if (decision === "keep") return;
  if (decision === "taken") {
    const refusal = await taken(client, wanted);
    // No refusal for a commit here: it is looked at before it is made.
    if (wanted.role === "version") throw refusal;
    context.warn(`this update will be refused: ${refusal.message}`);
  }
  const { repository, digest } = wanted;
  if (digest && (await client.resolve(repository, digest))) await requireInputs(client, wanted);
}

async function write(context: ResourceContext, client: RegistryClient, wanted: Required<Wanted>): Promise<void> {
  const { repository, tag: name, digest } = wanted;
  const before = await decide(client, wanted);
  if (before === "keep") return;
  if (before === "taken") throw await taken(client, wanted);
  await requireInputs(client, wanted);
  const manifest = await client.manifest(repository, digest);
  if (!manifest) throw imageMissing(wanted);
  const now = await decide(client, wanted);
  if (now === "keep") return;
  if (now === "taken") throw await taken(client, wanted);
  context.signal.throwIfAborted();
  await client.putManifest(repository, name, manifest.bytes, manifest.mediaType);
  const after = await client.resolve(repository, name);
  if (after?.digest !== digest) {
    throw new PlatformError("tag-not-written", {
      what: `${wanted.name}:${name} names ${after?.digest ?? "nothing"} right after it was written to name ${digest}`,
      rule: "a tag is read back before a release counts",
      fix: "find out what else writes to this repository, then run pulumi up --refresh",
    });
  }
}

async function decide(client: RegistryClient, wanted: Wanted): Promise<TagDecision> {
  const found = (await client.resolve(wanted.repository, wanted.tag))?.digest;
  return decideTag({ role: wanted.role, found, wanted: wanted.digest, released: wanted.released });
}

/** Without this, `up --target` or `--exclude` would put a new version on the image that the state still knows. */
async function requireInputs(client: RegistryClient, wanted: Wanted): Promise<void> {
  const { digest, inputDigest } = wanted;
  if (!digest || !inputDigest) return;
  const label = await inputDigestOf(client, wanted.repository, digest);
  if (label === inputDigest) return;
  throw new PlatformError("input-digest-mismatch", {
    what: `${wanted.name}@${digest} was built from inputs ${label ?? "that it does not name"}, and ${wanted.tag} is to be made from ${inputDigest}`,
    rule: "a tag goes only to the image that was built from the inputs of this release",
    fix: "run pulumi up without --target and --exclude",
  });
}

async function inputDigestOf(
  client: RegistryClient,
  repository: Repository,
  digest: Digest,
): Promise<string | undefined> {
  return (await imageLabels(client, repository, digest))[inputDigestLabel];
}

async function taken(client: RegistryClient, wanted: Wanted): Promise<PlatformError> {
  const { repository, name, tag: taken, role, inputDigest } = wanted;
  const found = await client.resolve(repository, taken);
  if (role === "commit") {
    return new PlatformError("commit-tag-taken", {
      what: `${name}:${taken} already names another image, ${found?.digest}`,
      rule: "a commit's tag never moves",
      fix: "commit the change first, or name its source: pulumi config set policy-platform:source NAME",
    });
  }
  return versionTaken({
    repository: name,
    version: taken,
    digest: found?.digest ?? "which is gone again",
    inputDigest: found && (await inputDigestOf(client, repository, found.digest).catch(() => undefined)),
    wanted: inputDigest,
    tags: await client.tags(repository),
  });
}

function imageMissing({ name, tag: wanted, digest }: Wanted): PlatformError {
  return new PlatformError("manifest-missing", {
    what: `${name} has no image ${digest} that ${wanted} could name`,
    rule: "a tag is written after the image has been copied",
    fix: "run pulumi up --refresh without --target and --exclude",
  });
}

function requireTag(text: string): void {
  if (!isTag(text)) throw new Error("is not a tag: letters, digits, _, . and -, at most 128");
}
