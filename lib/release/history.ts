// What a registry tells about releases: the images behind tags and digests, and the pins their labels name.
import { type BasePins, baseLabel, parseBaseDocument } from "../base/packages";
import { PlatformError } from "../errors";
import type { ManifestAnswer, RegistryClient } from "../oci/client";
import type { Digest } from "../oci/digest";
import { isContentGone } from "../oci/failures";
import { labelsOfAnswer } from "../oci/imageConfig";
import type { Repository } from "../oci/reference";
import { type Inputs, inputDigest, inputDigestLabel, inputsLabel, parseInputs } from "../pins/model";

/** An image in the repository of the releases. */
export interface ReleasedImage {
  readonly digest: Digest;
  /** Its pins; undefined for a foreign image: no label, or one that this program would not write. */
  readonly inputs?: Inputs;
  /** Of `inputs`. */
  readonly inputDigest?: Digest;
  /** What its base is made of, where that has packages. */
  readonly base?: BasePins;
}

/** Reads each tag and each digest once. Undefined: there is none. A registry that cannot say so fails the read. */
export interface History {
  at(reference: string): Promise<ReleasedImage | undefined>;
  /** Where a tag points, without reading what it points at. */
  digestAt(tag: string): Promise<Digest | undefined>;
}

/** A version and the image that it was given to. */
export interface Release extends ReleasedImage {
  readonly version: string;
}

/** Versions looked at, newest first, to find one: a list may still name what was deleted, and what is further back is not worth its requests. */
export const lookBack = 16;

/** What is no image of ours: an index without linux/amd64, a document that is no manifest or no configuration. */
const unlabelledCodes: readonly string[] = ["platform-missing", "manifest-malformed"];

/** A history over one repository: two requests for each image, whatever the number of tags on it. */
export function historyOf(client: RegistryClient, repository: Repository): History {
  const images = new Map<string, Promise<ReleasedImage | undefined>>();
  const once = (reference: string, read: () => Promise<ReleasedImage | undefined>) => {
    const image = images.get(reference) ?? read();
    images.set(reference, image);
    return image;
  };
  return {
    digestAt: async (tag) => (await client.resolve(repository, tag))?.digest,
    at: (reference) =>
      once(reference, async () => {
        const answer = await client.manifest(repository, reference);
        if (!answer || answer.digest === reference) return answer && readImage(client, repository, answer);
        return once(answer.digest, () => readImage(client, repository, answer));
      }),
  };
}

/** The first of `versions` that has an image. */
export async function newestRelease(history: History, versions: readonly string[]): Promise<Release | undefined> {
  for (const version of versions.slice(0, lookBack)) {
    const image = await history.at(version);
    if (image) return { version, ...image };
  }
  return undefined;
}

async function readImage(
  client: RegistryClient,
  repository: Repository,
  answer: ManifestAnswer,
): Promise<ReleasedImage> {
  const { digest } = answer;
  const labels = await labelsOf(client, repository, answer);
  const document = labels[inputsLabel];
  const inputs = document === undefined ? undefined : parsed(document);
  // Both labels are ours or the image is foreign: half a forgery must not pass for a release.
  const named = inputs && inputDigest(inputs);
  return named !== undefined && labels[inputDigestLabel] === named
    ? { digest, inputs, inputDigest: named, ...baseOf(labels[baseLabel]) }
    : { digest };
}

function baseOf(document: string | undefined): { base?: BasePins } {
  const base = document === undefined ? undefined : parseBaseDocument(document);
  return base ? { base } : {};
}

/** Labels of an image; none for what is no image, and for one whose config is gone. */
async function labelsOf(
  client: RegistryClient,
  repository: Repository,
  answer: ManifestAnswer,
): Promise<Readonly<Record<string, string>>> {
  try {
    return await labelsOfAnswer(client, repository, answer);
  } catch (error) {
    const isUnlabelled = error instanceof PlatformError && unlabelledCodes.includes(error.code);
    if (isUnlabelled || isContentGone(error)) return {};
    throw error;
  }
}

/** Undefined for a label that this program would not write. */
function parsed(document: string): Inputs | undefined {
  try {
    return parseInputs(document);
  } catch (error) {
    if (error instanceof PlatformError && error.code === "inputs-malformed") return undefined;
    throw error;
  }
}
