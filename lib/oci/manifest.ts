// Manifests and indexes as bytes with a digest, and what they say once read.
import { PlatformError } from "../errors";
import { type Digest, isDigest } from "./digest";
import { isIndexType, isManifestType } from "./mediaTypes";

/** A descriptor (image specification, "OCI Content Descriptors"). */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly platform?: { readonly os: string; readonly architecture: string; readonly variant?: string };
  readonly artifactType?: string;
}

/** What a manifest or an index refers to. */
export type ManifestContent =
  | {
      readonly kind: "manifest";
      readonly mediaType: string;
      readonly config: Descriptor;
      readonly layers: readonly Descriptor[];
    }
  | { readonly kind: "index"; readonly mediaType: string; readonly manifests: readonly Descriptor[] };

/** Descriptors in one document; the size bound of manifests allows not many more. */
const maxDescriptors = 20_000;

/**
 * Reads a manifest of the given media type. A document that says another type, or that is manifest and index in one
 * (CVE-2021-41190), is refused. Error: `manifest-malformed`.
 */
export function readManifest(bytes: Uint8Array, mediaType: string): ManifestContent {
  let document: Record<string, unknown>;
  try {
    document = JSON.parse(Buffer.from(bytes).toString("utf8"));
  } catch {
    throw malformed("it is not JSON");
  }
  if (typeof document !== "object" || document === null || document.schemaVersion !== 2)
    throw malformed("its schemaVersion is not 2");
  if (document.mediaType !== undefined && document.mediaType !== mediaType)
    throw malformed(`it calls itself ${JSON.stringify(document.mediaType)} but was given as ${mediaType}`);
  const { config, layers, manifests } = document;
  if (isIndexType(mediaType)) {
    if (config !== undefined || layers !== undefined) throw malformed("it is an index and an image in one");
    return { kind: "index", mediaType, manifests: descriptors(manifests) };
  }
  if (!isManifestType(mediaType)) throw malformed(`${mediaType} is no image manifest and no index`);
  if (manifests !== undefined) throw malformed("it is an image and an index in one");
  const [read] = descriptors([config]);
  return { kind: "manifest", mediaType, config: read!, layers: descriptors(layers) };
}

/** The media type that a document gives itself, if any. */
export function ownMediaType(bytes: Uint8Array): string | undefined {
  try {
    const { mediaType } = JSON.parse(Buffer.from(bytes).toString("utf8")) ?? {};
    return typeof mediaType === "string" ? mediaType : undefined;
  } catch {
    return undefined;
  }
}

function descriptors(value: unknown): Descriptor[] {
  if (!Array.isArray(value) || value.length > maxDescriptors) throw malformed("it has no list of what it is made of");
  return value.map((item) => {
    const { mediaType, digest, size } = (item ?? {}) as Partial<Descriptor>;
    if (typeof mediaType !== "string" || typeof digest !== "string" || !isDigest(digest))
      throw malformed("a descriptor lacks a media type or a sha256 digest");
    if (typeof size !== "number" || !Number.isSafeInteger(size) || size < 0)
      throw malformed("a descriptor has no size");
    return item as Descriptor;
  });
}

function malformed(why: string): PlatformError {
  return new PlatformError("manifest-malformed", {
    what: `the registry holds a manifest that cannot be used: ${why}`,
    rule: "manifests follow the OCI image specification",
    fix: "push the image again with a current tool",
  });
}
