// The newest version of what a pin is about: of published releases by the page that leads to the last one, of images by their
// tags. Whatever is found is a name alone: the pin that is then written is checked as any other.
import semver from "semver";
import { PlatformError } from "../errors";
import { redirectedTo } from "../oci/redirected";

/** Page that redirects to the newest release beside a release's own address; undefined where no such page is known. */
export function latestPage(url: string): string | undefined {
  const found = /^(https?:\/\/[^/]+\/[^/]+\/[^/]+\/releases)\/download\/[^/]+\/./.exec(url);
  return found ? `${found[1]}/latest` : undefined;
}

/**
 * The tag of the newest release: where its page leads to. Prereleases and drafts are not led to. Nothing is downloaded.
 * Errors: `latest-unknown`, and those of a server that does not answer.
 */
export async function latestRelease(
  page: string,
  options: { readonly mirrors?: Readonly<Record<string, string>> } = {},
): Promise<string> {
  const tagOf = (target: URL) => /\/releases\/tag\/([\w.+-]{1,100})$/.exec(decoded(target.pathname))?.[1];
  const target = await redirectedTo(page, (found) => tagOf(found) !== undefined, options);
  const tag = target && tagOf(target);
  if (tag !== undefined) return tag;
  throw new PlatformError("latest-unknown", {
    what: `${page} leads to no release`,
    rule: "the page of the newest release redirects to …/releases/tag/TAG",
    fix: "name the version, or add a mirror for its host that has that page",
  });
}

/** The highest version among tags, written like `like` (`v1.2.3-alpine`): the same before and behind the numbers. */
export function latestTag(tags: Iterable<string>, like?: string): string | undefined {
  const form = numbered(like ?? "");
  const versions = [...tags].flatMap((tag) => {
    const found = numbered(tag);
    const isAlike = form ? found?.prefix === form.prefix && found.suffix === form.suffix : found?.suffix === "";
    return found && isAlike ? [{ tag, version: found.version }] : [];
  });
  return versions.sort((a, b) => semver.compare(b.version, a.version))[0]?.tag;
}

/** The numbers of a tag that is a version, and nothing around them. */
export function versionIn(tag: string): string | undefined {
  return numbered(tag)?.version;
}

function numbered(tag: string): { prefix: string; version: string; suffix: string } | undefined {
  const [, prefix, version, suffix] = /^(v?)((?:0|[1-9]\d{0,8})(?:\.(?:0|[1-9]\d{0,8})){2})([-_].*)?$/.exec(tag) ?? [];
  return version === undefined ? undefined : { prefix: prefix!, version, suffix: suffix ?? "" };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
