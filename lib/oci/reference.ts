// Names of registries, repositories, tags and digests, by the grammar of the OCI distribution specification
// ("Pulling manifests": <name>, <reference>) with Docker's rule for the host in front.
import { PlatformError } from "../errors";
import { cut, quoted } from "../printable";
import { type Digest, isDigest } from "./digest";

/** One repository of one registry. */
export interface Repository {
  /** Host and, where needed, port, in lower case: `127.0.0.1:5000`, `ghcr.io`, `[::1]:5000`. */
  readonly registry: string;
  /** Path below the host: `layers/base`. */
  readonly path: string;
}

/** A repository with a tag, a digest, both or neither. */
export interface Reference extends Repository {
  readonly tag?: string;
  readonly digest?: Digest;
}

/** A reference that cannot move. */
export type PinnedReference = Reference & { readonly digest: Digest };

/** Host and path together, the bound that Docker and containerd share. */
const maxNameLength = 255;
/** A longer text is no reference whatever it holds: no pattern below ever sees more. */
const maxReferenceLength = 1024;

const label = "[a-z0-9](?:[a-z0-9-]*[a-z0-9])?";
const hostPattern = new RegExp(`^(?:${label}(?:\\.${label})*|\\[[0-9a-f:]+\\])(?::([0-9]{1,5}))?$`);
const pathPattern = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const tagPattern = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;

/** True for a tag: letters, digits, `_`, `.`, `-`, at most 128, not beginning with `.` or `-`. */
export function isTag(text: string): boolean {
  return tagPattern.test(text);
}

/**
 * Parses `host/path[:tag][@digest]`. The host is required and lower-cased; short names of Docker Hub are refused, so that
 * nothing is ever looked up in a registry that nobody wrote down. Error: `reference-malformed`.
 */
export function parseReference(text: string): Reference {
  if (text.length > maxReferenceLength) throw malformed(text, "it is longer than 1,024 characters");
  const at = text.indexOf("@");
  const digest = at < 0 ? undefined : text.slice(at + 1);
  const named = at < 0 ? text : text.slice(0, at);
  if (digest !== undefined && !isDigest(digest))
    throw malformed(text, `${show(digest)} is not sha256: and 64 hexadecimal characters in lower case`);

  const slash = named.indexOf("/");
  const registry = named.slice(0, Math.max(slash, 0)).toLowerCase();
  if (slash < 0 || !/[.:]|^localhost$/.test(registry)) throw malformed(text, "it names no registry host");
  const port = hostPattern.exec(registry)?.[1];
  if (!hostPattern.test(registry) || (port !== undefined && (Number(port) < 1 || Number(port) > 65535))) {
    throw malformed(text, `${show(registry)} is not a host name or host:port`);
  }

  const rest = named.slice(slash + 1);
  const colon = rest.indexOf(":");
  const path = colon < 0 ? rest : rest.slice(0, colon);
  const tag = colon < 0 ? undefined : rest.slice(colon + 1);
  if (registry.length + 1 + path.length > maxNameLength)
    throw malformed(text, "host and path are longer than 255 characters");
  if (!pathPattern.test(path)) throw malformed(text, `${show(path)} is not a repository path in lower case`);
  if (tag !== undefined && !isTag(tag)) throw malformed(text, `${show(tag)} is not a tag`);
  if (registry === "docker.io" && !path.includes("/"))
    throw malformed(text, `Docker Hub keeps its own images under library/`, `docker.io/library/${path}`);
  return { registry, path, ...(tag === undefined ? {} : { tag }), ...(digest === undefined ? {} : { digest }) };
}

/** Parses `host/path`; a tag or digest is refused. Error: `reference-malformed`. */
export function parseRepository(text: string): Repository {
  const { registry, path, tag, digest } = parseReference(text);
  if (tag !== undefined || digest !== undefined)
    throw malformed(text, "a repository has no tag and no digest", `${registry}/${path}`);
  return { registry, path };
}

/** Parses a reference that holds a digest. Errors: `reference-malformed`, `reference-unpinned`. */
export function parsePinned(text: string): PinnedReference {
  const reference = parseReference(text);
  const { digest } = reference;
  if (digest === undefined) {
    throw new PlatformError("reference-unpinned", {
      what: `reference ${show(text)} names no digest`,
      rule: "everything that goes into an image is pinned by digest, as a tag can move",
      fix: `write ${formatReference(reference)}@sha256:…`,
    });
  }
  return { ...reference, digest };
}

/** `host/path[:tag][@digest]`: what parseReference reads. */
export function formatReference(reference: Reference): string {
  const tag = reference.tag === undefined ? "" : `:${reference.tag}`;
  const digest = reference.digest === undefined ? "" : `@${reference.digest}`;
  return `${reference.registry}/${reference.path}${tag}${digest}`;
}

function malformed(text: string, why: string, example = "127.0.0.1:5000/layers/base@sha256:…"): PlatformError {
  return new PlatformError("reference-malformed", {
    what: `malformed image reference ${show(text)}: ${why}`,
    rule: "a reference is host/path, :tag and @sha256:digest, the path in lower case",
    fix: `write it like ${example}`,
  });
}

function show(text: string): string {
  return quoted(cut(text, 120));
}
