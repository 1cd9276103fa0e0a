// What a base with packages is made of, and the two names that follow from it alone: its tag, and the label that it carries.
import { canonicalJson } from "../canonicalJson";
import { type Digest, isDigest, sha256, shortDigest } from "../oci/digest";
import { parsePinned } from "../oci/reference";

/** Image label that holds {@link baseDocument}; every image that is composed on such a base has it too. */
export const baseLabel = "dev.policychain.base";

/** Package managers that a base may bring. */
export const managers = ["apk", "apt"] as const;
export type PackageManager = (typeof managers)[number];

/** Exact versions by package name, of one package manager. */
export type Packages = { readonly [manager in PackageManager]?: Readonly<Record<string, string>> };

/** A base as a stack's settings have it. */
export interface BaseSource {
  /** The image, `host/path@sha256:…`. */
  readonly image: string;
  /** What is installed on it; absent for a base that is used as it is. */
  readonly packages?: Packages;
}

/** What the label says. */
export interface BasePins {
  /** Of the image that the packages are installed on. */
  readonly image: Digest;
  readonly packages: Packages;
}

/** Of the Dockerfile that installs them: another one is another image, and so another key. */
const format = 1;
/** A label of more is nobody's list of packages. */
const maxLabelBytes = 64 * 1024;

/** The one manager and its packages; undefined where nothing is installed. */
export function installed(
  packages: Packages | undefined,
): { manager: PackageManager; versions: Record<string, string> } | undefined {
  const manager = managers.find((name) => Object.keys(packages?.[name] ?? {}).length > 0);
  return manager && { manager, versions: { ...packages![manager] } };
}

/** Canonical JSON of what the base is made of: `{"image":"sha256:…","packages":{"apt":{"bash":"5.2.15-2+b7"}}}`. */
export function baseDocument({ image, packages = {} }: BaseSource): string {
  return canonicalJson({ image: parsePinned(image).digest, packages });
}

/** Tag of the base in `layers/base`: equal pins, equal tag, wherever the image that they are installed on lies. */
export function baseKey(base: BaseSource): string {
  const { image, packages = {} } = base;
  return shortDigest(sha256(canonicalJson({ format, image: parsePinned(image).digest, packages })));
}

/** Reads a label back; undefined for one that {@link baseDocument} would not write. It comes from a registry: nothing of it is trusted. */
export function parseBaseDocument(text: string): BasePins | undefined {
  if (Buffer.byteLength(text) > maxLabelBytes) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const { image, packages } = record(value) ?? {};
  const named = record(packages);
  if (typeof image !== "string" || !isDigest(image) || !named) return undefined;
  for (const [manager, versions] of Object.entries(named)) {
    const pinned = record(versions);
    if (!managers.some((name) => name === manager) || !pinned) return undefined;
    if (!Object.entries(pinned).flat().every(isWord)) return undefined;
  }
  const pins = { image, packages: named as Packages };
  return canonicalJson({ image, packages: pins.packages }) === text ? pins : undefined;
}

function record(value: unknown): Record<string, unknown> | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : undefined;
}

function isWord(value: unknown): boolean {
  return typeof value === "string" && /^[\x21-\x7e]{1,128}$/.test(value);
}
