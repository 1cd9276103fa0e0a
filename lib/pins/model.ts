// The pins an image is made of: the document that it carries as its label, and the digest that names it.
// A label comes from a registry, so reading one trusts nothing: every size, name and character is bounded.
import { canonicalJson } from "../canonicalJson";
import { PlatformError } from "../errors";
import { type Digest, isDigest, sha256 } from "../oci/digest";
import { mapRecord } from "../record";

/** Image label that holds `inputsDocument`. */
export const inputsLabel = "dev.policychain.inputs";
/** Image label that holds `inputDigest`. */
export const inputDigestLabel = "dev.policychain.input-digest";

/**
 * Everything that can change the bytes of an image, and nothing else: registry addresses, version and commit are names
 * given to a digest later. All digests are those of layer images' manifests.
 */
export interface Inputs {
  /** What clusters are to get of the policies; absent where no environment is named. */
  readonly artifacts?: ArtifactInputs;
  readonly base: Digest;
  /** OPA bundles by name; absent where there is none. */
  readonly bundles?: Readonly<Record<string, BundleInputs>>;
  /** Of the layer images and the Dockerfile's template together; 1 is frozen. */
  readonly format: number;
  /** `user` as the image's USER instruction has it: `65532:65532`. */
  readonly image: { readonly user: string };
  /** Policy repositories by name. */
  readonly repositories: Readonly<Record<string, { readonly digest: Digest }>>;
  /** Tools by name. */
  readonly tools: Readonly<Record<string, ToolPin>>;
}

/** Part of {@link Inputs}. */
export interface ArtifactInputs {
  /** Kinds that clusters get beside policies; absent where there is none. Their order says nothing. */
  readonly allow?: readonly string[];
  /** Names of environments, each with artifacts of its own. Their order says nothing. */
  readonly environments: readonly string[];
}

/** Part of {@link Inputs}. */
export interface BundleInputs {
  /** Names of the policy repositories that it is made of. Their order says nothing. */
  readonly repositories: readonly string[];
}

/** A pin is a version and a digest: the version is what people read, the digest is what is run. */
export interface ToolPin {
  readonly digest: Digest;
  readonly version: string;
}

const limits = { documentBytes: 256 * 1024, entries: 500, textLength: 128 };

/** Canonical JSON of exactly these inputs; other properties of the objects passed in do not get into it. */
export function inputsDocument(inputs: Inputs): string {
  const { artifacts, base, bundles = {}, format, image, repositories, tools } = inputs;
  const environments = inOrder(artifacts?.environments ?? []);
  const allow = inOrder(artifacts?.allow ?? []);
  return canonicalJson({
    // What is not used is not there, so that the label of an image without it is what it was before it could be.
    ...(environments.length > 0 && { artifacts: { ...(allow.length > 0 && { allow }), environments } }),
    base,
    ...(Object.keys(bundles).length > 0 && {
      bundles: mapRecord(bundles, (bundle) => ({ repositories: inOrder(bundle.repositories) })),
    }),
    format,
    image: { user: image.user },
    repositories: mapRecord(repositories, ({ digest }) => ({ digest })),
    tools: mapRecord(tools, ({ digest, version }) => ({ digest, version })),
  });
}

/** sha256 of `inputsDocument`: equal inputs, equal digest, on every machine. */
export function inputDigest(inputs: Inputs): Digest {
  return sha256(inputsDocument(inputs));
}

/**
 * Reads a label back. Only a document that this module would write is taken: canonical, complete, no unknown key.
 * Bounds: 256 KiB, 500 repositories, 500 tools, 128 printable characters for a version or user. Error: `inputs-malformed`.
 */
export function parseInputs(text: string): Inputs {
  if (Buffer.byteLength(text) > limits.documentBytes) throw malformed("it is longer than 256 KiB");
  const { artifacts, base, bundles, format, image, repositories, tools } = object(parseJson(text), "the document");
  const inputs: Inputs = {
    ...(artifacts !== undefined && { artifacts: artifactInputs(object(artifacts, "artifacts")) }),
    base: digest(base, "base"),
    ...(bundles !== undefined && {
      bundles: named(bundles, "bundles", (entry, path) => ({
        repositories: nameList(entry.repositories, `${path}.repositories`),
      })),
    }),
    format: formatNumber(format),
    image: { user: printable(object(image, "image").user, "image.user") },
    repositories: named(repositories, "repositories", (entry, path) => ({ digest: digest(entry.digest, path) })),
    tools: named(tools, "tools", (entry, path) => ({
      digest: digest(entry.digest, path),
      version: printable(entry.version, `${path}.version`),
    })),
  };
  if (inputsDocument(inputs) !== text) throw malformed("it is not canonical, or holds a key that is not known here");
  return inputs;
}

/** Sorted, each once. */
function inOrder(list: readonly string[]): string[] {
  return [...new Set(list)].sort();
}

/** Sorted names of a map of pins. */
export function names(entries: Readonly<Record<string, unknown>>): string[] {
  return Object.keys(entries).sort();
}

/** The entry of that very name: a tool may be called `constructor`. */
export function pick<T>(entries: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(entries, name) ? entries[name] : undefined;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw malformed("it is not JSON");
  }
}

function object(value: unknown, path: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw malformed(`${path} is not an object`);
  return value as Record<string, unknown>;
}

function named<T>(
  value: unknown,
  path: string,
  read: (entry: Record<string, unknown>, path: string) => T,
): Record<string, T> {
  const entries = Object.entries(object(value, path));
  if (entries.length > limits.entries) throw malformed(`${path} has more than ${limits.entries} entries`);
  return Object.fromEntries(
    entries.map(([name, entry]) => {
      if (!isName(name)) throw malformed(`${path} has an entry that is no name`);
      return [name, read(object(entry, `${path}.${name}`), `${path}.${name}`)];
    }),
  );
}

function artifactInputs({ allow, environments }: Record<string, unknown>): ArtifactInputs {
  const kinds = allow === undefined ? undefined : kindList(allow);
  return { ...(kinds && { allow: kinds }), environments: nameList(environments, "artifacts.environments") };
}

function kindList(value: unknown): string[] {
  const isKind = (kind: unknown) => typeof kind === "string" && /^[A-Z][A-Za-z0-9]{0,62}$/.test(kind);
  if (!Array.isArray(value) || value.length > limits.entries || !value.every(isKind))
    throw malformed("artifacts.allow is no list of kinds");
  return value as string[];
}

function nameList(value: unknown, path: string): string[] {
  if (!Array.isArray(value) || value.length > limits.entries) throw malformed(`${path} is no list of names`);
  if (!value.every((name) => typeof name === "string" && isName(name)))
    throw malformed(`${path} has an entry that is no name`);
  return value as string[];
}

function isName(text: string): boolean {
  return /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(text);
}

function digest(value: unknown, path: string): Digest {
  if (typeof value !== "string" || !isDigest(value)) throw malformed(`${path} is no sha256 digest`);
  return value;
}

function formatNumber(value: unknown): number {
  if (!Number.isInteger(value) || (value as number) < 1) throw malformed("format is no positive whole number");
  return value as number;
}

function printable(value: unknown, path: string): string {
  if (typeof value !== "string" || value.length > limits.textLength || !/^[\x21-\x7e]+$/.test(value))
    throw malformed(`${path} is not 1 to ${limits.textLength} printable characters`);
  return value;
}

function malformed(why: string): PlatformError {
  return new PlatformError("inputs-malformed", {
    what: `malformed label ${inputsLabel}: ${why}`,
    rule: "a released image names its own inputs in canonical JSON",
    fix: "release it again with this program, or set a version above it",
  });
}
