// What a pin is looked up from: a release, which is downloaded, or an image, whose tag is resolved.
import { basename } from "node:path";
import { downloadUrl } from "../config/addresses";
import { catalogued, defaultToolPath, memberIn } from "../config/catalogued";
import { toolVersion } from "../config/grammar";
import { valueAt } from "../config/issues";
import { writtenIn } from "../config/load";
import { quoted, removeLine, setLine } from "../config/problems";
import type { RawConfiguration } from "../config/settings";
import type { Edit } from "../config/stackFile";
import { PlatformError } from "../lib/errors";
import type { RegistryClient } from "../lib/oci/client";
import { formatReference, parseReference } from "../lib/oci/reference";
import { downloadRelease, foreignLayer, releaseLayer } from "../lib/sources/toolLayer";

/** What there is to look something up with. */
export interface Lookup {
  readonly raw: RawConfiguration;
  readonly stackFile: string;
  /** `["base"]`, `["tools", "yq"]`, `["policies", "x"]`. */
  readonly path: readonly string[];
  /** The version that was asked for. */
  readonly version?: string;
  readonly stack: string;
  readonly client: RegistryClient;
}

/** Version and source of a tool. */
export async function pinTool(lookup: Lookup): Promise<Edit[]> {
  const { path } = lookup;
  const name = path[1]!;
  const tool = (valueAt(lookup.raw, path) ?? {}) as Record<string, unknown>;
  const old = textOf(lookup, [...path, "version"]);
  const version = versionFor(lookup, old);
  const target = typeof tool.path === "string" ? tool.path : defaultToolPath(name);
  const edits = [{ path: [...path, "version"], value: version }];
  if (tool.image !== undefined) {
    const nested = typeof tool.image === "object";
    const images = await pinImage(
      { ...lookup, version: lookup.version && version },
      [...path, "image", ...(nested ? ["reference"] : [])],
      old,
    );
    const member = nested ? textOf(lookup, [...path, "image", "member"]) : undefined;
    if (member === undefined) return [...edits, ...images];
    const { digest } = await foreignLayer(lookup.client, { reference: images[0]!.value, member }, target);
    return [...edits, ...images, { path: [...path, "image", "digest"], value: digest }];
  }
  const url = urlFor(lookup, version, old);
  const sha256 = textOf(lookup, [...path, "release", "sha256"]);
  const mirrors = mirrorsOf(lookup.raw);
  // A checksum that stands there is believed for this very address; for another one it is found out.
  const isPinned =
    sha256 !== undefined && /^[0-9a-f]{64}$/.test(sha256) && url === textOf(lookup, [...path, "release", "url"]);
  const file = await downloadRelease({ url, sha256: isPinned ? sha256 : undefined }, { mirrors });
  // A folder in an archive is often called like the version, as the address is.
  const given = textOf(lookup, [...path, "release", "member"]);
  const raised = old === undefined ? given : given?.replaceAll(old, version);
  const { digest } = await releaseLayer(file, raised ?? memberIn(name, url), target);
  const release = { url, sha256: basename(file), digest, ...(raised !== undefined && { member: raised }) };
  return [...edits, ...Object.entries(release).map(([key, value]) => ({ path: [...path, "release", key], value }))];
}

/** Mirrors as they are written; what is no text is an error of `check`. */
export function mirrorsOf({ mirrors }: RawConfiguration): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries((mirrors ?? {}) as object).filter((entry) => typeof entry[1] === "string"));
}

/** The digest that the tag of an image points at; the tag stays beside it, for readers. */
export async function pinImage(
  { raw, version, path, stack, client }: Lookup,
  key: readonly string[],
  old?: string,
): Promise<Edit[]> {
  const text = valueAt(raw, key);
  if (typeof text !== "string") {
    throw new PlatformError("pin-argument", {
      what: `${path.join(".")} names no image`,
      rule: "an image's tag is resolved to its digest",
      fix: setLine(key, "registry.example.com/layers/base:TAG", { stack }),
    });
  }
  // A digest that is malformed is what is to be replaced: it must not keep the tag from being read.
  const {
    registry,
    path: repository,
    tag,
    digest,
  } = parseReference(/@/.test(text) && !/@sha256:[0-9a-f]{64}$/.test(text) ? text.slice(0, text.indexOf("@")) : text);
  const wanted = tagFor(version, { tag, old });
  // A digest without a tag says nothing of other versions; it is the pin of the one that stands beside it.
  if (digest !== undefined && tag === undefined && (version === undefined || version === old)) {
    return [{ path: [...key], value: text }];
  }
  if (wanted === undefined) {
    throw new PlatformError("pin-argument", {
      what: `${quoted(text)} has no tag`,
      rule: "an image's tag is resolved to its digest",
      fix: `policy-platform pin ${path.join(".")} TAG --stack ${stack}`,
    });
  }
  const found = await client.resolve({ registry, path: repository }, wanted);
  if (!found) {
    const byRelease = `${removeLine([...path, "image"], { stack })} && policy-platform pin ${path.join(".")} ${version} --stack ${stack}`;
    const byDigest = setLine(key, `${registry}/${repository}@sha256:DIGEST`, { stack });
    throw new PlatformError("tag-missing", {
      what: `${registry}/${repository} has no tag ${quoted(wanted)}`,
      rule: "an image's tag is resolved to its digest",
      fix:
        path[0] === "tools" && version !== undefined
          ? `take the tool from its release: ${byRelease}`
          : `name a tag that is there, or give the digest: ${byDigest}`,
    });
  }
  return [
    { path: [...key], value: formatReference({ registry, path: repository, tag: wanted, digest: found.digest }) },
  ];
}

/** The tag to look for: a tool's version as the present tag writes it (`v1.2.3-alpine`), else what was asked for. */
function tagFor(
  version: string | undefined,
  { tag, old }: { readonly tag?: string; readonly old?: string },
): string | undefined {
  if (version === undefined) return tag;
  if (tag === undefined || old === undefined) return version;
  // Whole numbers only: 1.2 does not stand in 11.2.3.
  const of = (text: string) => new RegExp(`(?<![\\d.])${text.replace(/\W/g, "\\$&")}(?![\\d.])`);
  if (of(version).test(tag)) return tag;
  return of(old).test(tag) ? tag.replace(of(old), version) : version;
}

function versionFor({ version, path, stack }: Lookup, old: string | undefined): string {
  const wanted = (version ?? old ?? "").replace(/^v(?=\d)/, "");
  const refusal = toolVersion.refuse(wanted);
  if (!refusal) return wanted;
  throw new PlatformError("pin-argument", {
    what: wanted === "" ? `${path.join(".")} has no version` : `${quoted(wanted)} ${refusal.wrong}`,
    rule: toolVersion.rule,
    fix: `policy-platform pin ${path.at(-1)} VERSION --stack ${stack}`,
  });
}

/** Address of the release of a version: the catalogue's, or the old one with the old version replaced. */
function urlFor(lookup: Lookup, version: string, old: string | undefined): string {
  const { path, stack } = lookup;
  const url = textOf(lookup, [...path, "release", "url"]);
  const known = catalogued(path[1]);
  const isFixed = url !== undefined && downloadUrl.refuse(url)?.code !== "url-moving";
  if (known && (!isFixed || (old !== undefined && url === known.url(old)))) return known.url(version);
  if (isFixed && (version === old || url.includes(version))) return url;
  if (isFixed && old !== undefined && url.includes(old)) return url.replaceAll(old, version);
  throw new PlatformError("pin-argument", {
    what:
      url === undefined
        ? `${path.join(".")} has no release.url`
        : `${quoted(url)} does not name version ${quoted(old)}`,
    rule: "only for the tools of the catalogue is it known where releases are",
    fix: setLine([...path, "release", "url"], `https://downloads.example.com/v${version}/tool.tar.gz`, { stack }),
  });
}

/** A text of the file; of a number, how it is written there. */
function textOf({ raw, stackFile }: Lookup, path: readonly string[]): string | undefined {
  const value = valueAt(raw, path);
  return typeof value === "number"
    ? (writtenIn(stackFile, path) ?? String(value))
    : typeof value === "string"
      ? value
      : undefined;
}
