// What an image says about itself: its configuration, for linux/amd64 where it has several.
import { PlatformError } from "../errors";
import { isRecord } from "../record";
import type { ManifestAnswer, RegistryClient } from "./client";
import type { Digest } from "./digest";
import { type ManifestContent, readManifest } from "./manifest";
import { isConfigType } from "./mediaTypes";
import { formatReference, type Repository } from "./reference";

/** Size of an image configuration in bytes; inputs labels are part of it. */
const maxConfigBytes = 8 * 1024 * 1024;

/** An image manifest, with the digest that it was found under: for an index that of its linux/amd64 image. */
export type ImageManifest = Extract<ManifestContent, { kind: "manifest" }> & { readonly digest: Digest };

/** Reads the image behind a digest. Errors: `manifest-missing`, `platform-missing`. */
export async function imageManifest(
  client: RegistryClient,
  repository: Repository,
  digest: Digest,
): Promise<ImageManifest> {
  const answer = await client.manifest(repository, digest);
  if (answer === undefined) {
    throw new PlatformError("manifest-missing", {
      what: `image ${digest} is not in ${formatReference(repository)}`,
      rule: "an image that is named by digest must be in its repository",
      fix: "check the digest, or push the image again",
    });
  }
  return imageBehind(client, repository, answer);
}

/** The image of an answer: its own, or for an index its linux/amd64 one. */
async function imageBehind(
  client: RegistryClient,
  repository: Repository,
  { bytes, mediaType, digest }: ManifestAnswer,
): Promise<ImageManifest> {
  const content = readManifest(bytes, mediaType);
  if (content.kind === "manifest") return { ...content, digest };
  const child = content.manifests.find(({ platform }) => platform?.os === "linux" && platform.architecture === "amd64");
  if (child === undefined) {
    throw new PlatformError("platform-missing", {
      what: `image ${formatReference({ ...repository, digest })} has no linux/amd64 variant`,
      rule: "policy-platform images are linux/amd64",
      fix: "choose an image that has one",
    });
  }
  return imageManifest(client, repository, child.digest);
}

/** What an image says about its containers. */
export interface ContainerSettings {
  readonly labels: Readonly<Record<string, string>>;
  /** Its USER; empty where it names none. */
  readonly user: string;
}

/**
 * The settings of an image; empty for an artifact, which has no image configuration.
 * Errors: `manifest-missing`, `blob-missing`, `platform-missing`, `manifest-malformed`.
 */
export async function containerSettings(
  client: RegistryClient,
  repository: Repository,
  digest: Digest,
): Promise<ContainerSettings> {
  return settingsOfImage(client, repository, await imageManifest(client, repository, digest));
}

/** {@link containerSettings} of a manifest that was read already: one request less. */
export async function settingsOfAnswer(
  client: RegistryClient,
  repository: Repository,
  answer: ManifestAnswer,
): Promise<ContainerSettings> {
  return settingsOfImage(client, repository, await imageBehind(client, repository, answer));
}

/** The labels of {@link containerSettings}. */
export async function imageLabels(
  client: RegistryClient,
  repository: Repository,
  digest: Digest,
): Promise<Readonly<Record<string, string>>> {
  return (await containerSettings(client, repository, digest)).labels;
}

/** The labels of {@link settingsOfAnswer}. */
export async function labelsOfAnswer(
  client: RegistryClient,
  repository: Repository,
  answer: ManifestAnswer,
): Promise<Readonly<Record<string, string>>> {
  return (await settingsOfAnswer(client, repository, answer)).labels;
}

/**
 * The whole configuration of an image, its settings and history; {} for an artifact, which has none of the kind.
 * Errors: `blob-missing`, `manifest-malformed`.
 */
export async function imageDocument(
  client: RegistryClient,
  repository: Repository,
  { config, digest }: ImageManifest,
): Promise<Readonly<Record<string, unknown>>> {
  if (!isConfigType(config.mediaType)) return {};
  if (config.size > maxConfigBytes)
    throw malformed(repository, digest, `is larger than ${maxConfigBytes / 2 ** 20} MiB`);
  const bytes = await client.blob(repository, config.digest, maxConfigBytes);
  const document = parsed(bytes.toString("utf8"));
  if (!isRecord(document)) throw malformed(repository, digest, "cannot be read");
  return document;
}

async function settingsOfImage(
  client: RegistryClient,
  repository: Repository,
  manifest: ImageManifest,
): Promise<ContainerSettings> {
  const settings = (await imageDocument(client, repository, manifest)).config as
    | { Labels?: unknown; User?: unknown }
    | null
    | undefined;
  const labels = settings?.Labels ?? {};
  const user = settings?.User ?? "";
  if (!isRecord(labels) || typeof user !== "string") throw malformed(repository, manifest.digest, "cannot be read");
  const texts = Object.entries(labels).filter((entry): entry is [string, string] => typeof entry[1] === "string");
  return { labels: Object.fromEntries(texts), user };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function malformed(repository: Repository, digest: Digest, why: string): PlatformError {
  return new PlatformError("manifest-malformed", {
    what: `the configuration of ${formatReference({ ...repository, digest })} ${why}`,
    rule: "an image configuration is JSON by the OCI image specification",
    fix: "push the image again with a current tool",
  });
}
