// Version tags, `vX.Y.Z`: what is one, which is the highest, which is free. Everything else a registry lists is not ours to
// order: prereleases, build metadata, `latest`, `sha-…`, signatures.

/** Major, minor, patch. */
export type Version = readonly [major: number, minor: number, patch: number];

/** Each number without leading zeros, as semver has it. */
const pattern = /^v(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)$/;

/** The three numbers of `vX.Y.Z`; undefined for any other text, and where a number is too large to be counted up. */
function parseVersion(text: string): Version | undefined {
  const numbers = pattern.exec(text)?.slice(1).map(Number);
  return numbers?.every((number) => number < Number.MAX_SAFE_INTEGER) ? (numbers as unknown as Version) : undefined;
}

/** True for a tag that names a release. */
export function isVersion(text: string): boolean {
  return parseVersion(text) !== undefined;
}

/** Below 0 when `a` comes before `b`. Both must be versions. */
export function compareReleases(a: string, b: string): number {
  const [left, right] = [numbersOf(a), numbersOf(b)];
  return left[0] - right[0] || left[1] - right[1] || left[2] - right[2];
}

/** The version tags among `tags`, highest first, each once. */
export function versionTags(tags: Iterable<string>): string[] {
  return [...new Set(tags)].filter(isVersion).sort((a, b) => compareReleases(b, a));
}

/** `formatVersion([1, 2, 3])` is `v1.2.3`. */
export function formatVersion([major, minor, patch]: Version): string {
  return `v${major}.${minor}.${patch}`;
}

/**
 * The lowest version that a release may still take when `wanted` is taken: one patch above everything there is.
 * The changes may require a higher one; that is not known here.
 */
export function nextFreeVersion(tags: Iterable<string>, wanted: string): string {
  const [major, minor, patch] = numbersOf(versionTags([...tags, wanted])[0] ?? "v0.0.0");
  return formatVersion([major, minor, patch + 1]);
}

/** The numbers of what is known to be a version. */
export function numbersOf(version: string): Version {
  const numbers = parseVersion(version);
  if (!numbers) throw new Error(`not a version: ${JSON.stringify(version)}`);
  return numbers;
}
