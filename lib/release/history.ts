// What a registry tells about releases: the images behind tags and digests, and the pins their labels name.
import { PlatformError } from "../errors";
import type { ManifestAnswer, RegistryClient } from "../oci/client";
import { type Digest, isDigest } from "../oci/digest";
import { imageLabels } from "../oci/imageConfig";
import type { Repository } from "../oci/reference";
import { type Inputs, inputDigest, inputDigestLabel, inputsLabel, parseInputs } from "../pins/model";

/** An image in the repository of the releases. */
export interface ReleasedImage {
  readonly digest: Digest;
  /** Its pins; undefined for a foreign image: no label, or one that this program would not write. */
  readonly inputs?: Inputs;
  /** Of `inputs`. */
  readonly inputDigest?: Digest;
}

/** Reads each tag and each digest once. Undefined: there is none. A registry that cannot say so fails the read. */
export interface History {
  at(reference: string): Promise<ReleasedImage | undefined>;
}

/** A config blob holds our labels and the history of a base image; a larger one is not ours. */
const maxConfigBytes = 4 * 1024 * 1024;

/** What the client throws for content that a registry lists and does not have. */
export const goneCodes: readonly string[] = ["manifest-missing", "blob-missing"];
/** And for what is no image of ours: an index without linux/amd64, a document that is no manifest. */
const unlabelledCodes: readonly string[] = [...goneCodes, "platform-missing", "manifest-malformed"];

/** A history over one repository: two requests for each image, whatever the number of tags on it. */
export function historyOf(client: RegistryClient, repository: Repository): History {
  const images = new Map<string, Promise<ReleasedImage | undefined>>();
  const once = (reference: string, read: () => Promise<ReleasedImage | undefined>) => {
    const image = images.get(reference) ?? read();
    images.set(reference, image);
    return image;
  };
  return {
    at: (reference) =>
      once(reference, async () => {
        const answer = await client.manifest(repository, reference);
        if (!answer || answer.digest === reference) return answer && readImage(client, repository, answer);
        return once(answer.digest, () => readImage(client, repository, answer));
      }),
  };
}

async function readImage(
  client: RegistryClient,
  repository: Repository,
  answer: ManifestAnswer,
): Promise<ReleasedImage> {
  const { digest } = answer;
  const labels = await labelsOf(client, repository, answer);
  const document = labels[inputsLabel];
  if (typeof document !== "string") return { digest };
  const inputs = parsed(document);
  // Both labels are ours or the image is foreign: half a forgery must not pass for a release.
  const named = inputs && inputDigest(inputs);
  return named !== undefined && labels[inputDigestLabel] === named
    ? { digest, inputs, inputDigest: named }
    : { digest };
}

/** Labels of an image; none for what is no image, and for one whose config is gone. */
async function labelsOf(
  client: RegistryClient,
  repository: Repository,
  { digest, bytes }: ManifestAnswer,
): Promise<Readonly<Record<string, unknown>>> {
  const manifest = parse(bytes);
  try {
    if (Array.isArray(manifest?.manifests)) return await imageLabels(client, repository, digest);
    const config = manifest?.config as { digest?: unknown; size?: unknown } | undefined;
    if (typeof config?.digest !== "string" || !isDigest(config.digest)) return {};
    if (typeof config.size !== "number" || config.size > maxConfigBytes) return {};
    const blob = parse(await client.blob(repository, config.digest, maxConfigBytes));
    const labels = (blob?.config as { Labels?: unknown } | undefined)?.Labels;
    return typeof labels === "object" && labels !== null ? (labels as Record<string, unknown>) : {};
  } catch (error) {
    if (error instanceof PlatformError && unlabelledCodes.includes(error.code)) return {};
    throw error;
  }
}

function parse(bytes: Buffer): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(bytes.toString());
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
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
