// policychain:index:Manifest: a layer image in a registry, from a folder, a git commit, a release, a foreign image or a text.
import { PlatformError } from "../lib/errors";
import { requireGitUrl } from "../lib/git/url";
import { missingFrom } from "../lib/oci/copy";
import type { Digest } from "../lib/oci/digest";
import { pushLayerImage } from "../lib/oci/layer";
import { parsePinned, parseRepository } from "../lib/oci/reference";
import { perFolder } from "./files";
import {
  containsUnknown,
  diffInputs,
  isUnknown,
  type ResourceContext,
  type ResourceHandler,
  UNKNOWN,
  unwrapSecrets,
  type Values,
} from "./host";
import { parseFailures, requireChecksum, requireCommit, requireDigest, schemaFailures } from "./inputs";
import { isLocal, layerImageOf, type ManifestInputs, sourceOf, sources } from "./layerSource";
import { withMissing, withoutMissing } from "./missing";
import { idOf, pinned, registryClient } from "./registry";

const token = "policychain:index:Manifest";

export const manifest: ResourceHandler = {
  async check(context, _olds, news) {
    const inputs = withoutMissing(news);
    const failures = schemaFailures(token, inputs);
    const given = sources.filter((source) => inputs[source] !== undefined);
    if (given.length !== 1) {
      failures.push({
        property: given[1] ?? "folder",
        reason: `exactly one of ${sources.join(", ")} is required; given: ${given.join(", ") || "none"}`,
      });
    }
    const parsers = {
      repository: parseRepository,
      digest: requireDigest,
      "image.reference": parsePinned,
      "imageFolder.reference": parsePinned,
      "git.url": requireGitUrl,
      "git.commit": requireCommit,
      "release.sha256": requireChecksum,
    };
    if (failures.length === 0) failures.push(...parseFailures(inputs, parsers));
    if (failures.length > 0) return { inputs, failures };
    return { inputs: await withDigest(context, inputs) };
  },
  diff: async (_context, _id, oldInputs, _oldOutputs, news) =>
    diffInputs(oldInputs, news, { ignore: ["folder.path", "mirrors", "insecure"] }),
  create: async (context, inputs) => ({
    id: idOf(inputs.repository),
    outputs: await makeSo(context, inputs),
  }),
  update: (context, _id, _oldInputs, _oldOutputs, news) => makeSo(context, news),
  async read(context, id, inputs, outputs) {
    const { repository, digest, insecure } = unwrapSecrets(outputs) as unknown as ManifestInputs & { digest: Digest };
    const parsed = parseRepository(repository);
    const missing = await missingFrom(registryClient(context, insecure, [parsed]), parsed, digest);
    if (missing.includes(digest)) return undefined;
    return { id, inputs: withMissing(inputs, missing), outputs: withMissing(outputs, missing) };
  },
};

/** The inputs with the digest, and with the files of a folder, where these can be known without a download. */
async function withDigest(context: ResourceContext, inputs: Values): Promise<Values> {
  const plain = unwrapSecrets(inputs);
  const known = plain as unknown as ManifestInputs;
  let { digest, files } = inputs;
  if (digest === undefined && isLocal(known)) {
    if (containsUnknown({ folder: plain.folder, content: plain.content })) digest = UNKNOWN;
    else {
      const image = await layerImageOf(context, known);
      digest = image.digest;
      if (known.folder) files ??= image.files;
    }
  }
  return { ...inputs, digest, files: files === undefined ? undefined : perFolder(files) };
}

async function makeSo(context: ResourceContext, inputs: Values): Promise<Values> {
  const plain = unwrapSecrets(inputs);
  const known = plain as unknown as ManifestInputs;
  const source = plain[sourceOf(known)];
  if (isUnknown(plain.repository) || isUnknown(plain.digest) || containsUnknown(source)) {
    return { ...inputs, digest: inputs.digest ?? UNKNOWN, reference: UNKNOWN };
  }
  const outputs = (digest: Digest) => ({ ...inputs, digest, reference: pinned(known.repository, digest) });

  // A folder or a text is read again: what is pushed is what preview saw, or nothing is.
  const local = isLocal(known) ? await layerImageOf(context, known) : undefined;
  if (local) requireDigestOf(known, local.digest);
  if (context.preview) return known.digest ? outputs(known.digest) : { ...inputs, digest: UNKNOWN, reference: UNKNOWN };

  const repository = parseRepository(known.repository);
  const client = registryClient(context, known.insecure, [repository]);
  if (known.digest && (await missingFrom(client, repository, known.digest)).length === 0) return outputs(known.digest);
  const image = local ?? (await layerImageOf(context, known));
  requireDigestOf(known, image.digest);
  context.progress(`pushing ${image.layer.size} bytes to ${known.repository}`);
  return outputs(await pushLayerImage(client, repository, image));
}

function requireDigestOf(known: ManifestInputs, found: Digest): void {
  if (!known.digest || known.digest === found) return;
  const from = known.folder
    ? { what: `folder ${known.folder.path}`, fix: "its files changed while the program ran: run it again" }
    : known.content
      ? { what: `the text for ${known.content.at}`, fix: `correct the digest: ${found}` }
      : known.git
        ? {
            what: `${known.git.url} at ${known.git.commit}`,
            fix: `if commit and path are right, correct the digest: ${found}`,
          }
        : known.release
          ? { what: `release ${known.release.url}`, fix: `if its sha256 is right, correct the digest: ${found}` }
          : {
              what: `image ${(known.image ?? known.imageFolder)!.reference}`,
              fix: `if its path is right, correct the digest: ${found}`,
            };
  throw new PlatformError("layer-digest-mismatch", {
    what: `${from.what} gives the layer image ${found}, and its pin says ${known.digest}`,
    rule: "a layer image is pinned by the digest of its manifest",
    fix: from.fix,
  });
}
