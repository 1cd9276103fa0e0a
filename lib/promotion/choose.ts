// Which release of a repository is promoted: its version, the digest that names, and the commit that names the same digest.
import { PlatformError } from "../errors";
import type { RegistryClient } from "../oci/client";
import type { Digest } from "../oci/digest";
import { formatReference, type Repository } from "../oci/reference";
import { lookBack } from "../release/history";
import { knownCommits } from "../release/projectGit";
import { versionTags } from "../release/versions";
import { promoteLine, promotionMismatch } from "./errors";

/** What is asked for, and how the commands of an error name it. */
export interface ReleaseChoice {
  readonly from: Repository;
  /** Repository of the releases that it goes to, `host/path`. */
  readonly to: string;
  /** `vX.Y.Z`; default: the highest one that is there. */
  readonly version?: string;
  /** What follows `sha-`; default: found by the tags. */
  readonly commit?: string;
  /** The commit that the stack file names now: it stays where it names the digest too. */
  readonly written?: string;
  /** Folder of the project, whose git history tells the newest of several commits. */
  readonly projectDir: string;
  /** The stack that released it. */
  readonly source: string;
  /** The stack that promotes. */
  readonly stack: string;
}

export interface ChosenRelease {
  readonly version: string;
  readonly digest: Digest;
  /** What follows `sha-`. */
  readonly commit: string;
}

/** Tags asked for at the same time. */
const parallel = 16;
/** Commits that an error lists. */
const shownCommits = 10;
/** Versions that an error lists. */
const shownVersions = 5;

/** Reads the registry. Errors: `release-missing`, `commit-missing`, `commit-ambiguous`, `promotion-mismatch` for another commit than asked for. */
export async function chooseRelease(client: RegistryClient, choice: ReleaseChoice): Promise<ChosenRelease> {
  const { from } = choice;
  const tags = await client.tags(from);
  const named = await namedVersion(client, choice, tags);
  return { ...named, commit: await commitOf(client, { ...choice, ...named }, tags) };
}

/** The choice once its version is known. */
type Named = ReleaseChoice & Pick<ChosenRelease, "version" | "digest">;

async function namedVersion(
  client: RegistryClient,
  choice: ReleaseChoice,
  tags: readonly string[],
): Promise<{ version: string; digest: Digest }> {
  const versions = versionTags(tags);
  for (const version of choice.version === undefined ? versions.slice(0, lookBack) : [choice.version]) {
    const image = await client.resolve(choice.from, version);
    if (image) return { version, digest: image.digest };
  }
  throw releaseMissing(choice, versions);
}

async function commitOf(client: RegistryClient, choice: Named, tags: readonly string[]): Promise<string> {
  const { from, digest, commit, written, projectDir, source } = choice;
  const digestOf = async (name: string) => (await client.resolve(from, `sha-${name}`))?.digest;
  if (commit !== undefined) {
    const found = await digestOf(commit);
    if (found === digest) return commit;
    throw promotionMismatch({ ...choice, from: formatReference(from), source: () => source }, `sha-${commit}`, found);
  }
  const commits = tags.flatMap((tag) => /^sha-([0-9a-f]{12}(?:-[0-9a-f]{8})?)$/.exec(tag)?.[1] ?? []);
  if (written !== undefined && commits.includes(written) && (await digestOf(written)) === digest) return written;
  const known = new Set(await knownCommits(projectDir, commits));
  const ordered = [...known, ...commits.filter((one) => !known.has(one)).sort()];
  const naming: string[] = [];
  for (let at = 0; at < ordered.length; at += parallel) {
    const some = ordered.slice(at, at + parallel);
    const digests = await Promise.all(some.map(digestOf));
    naming.push(...some.filter((_, index) => digests[index] === digest));
    const newest = naming.find((one) => known.has(one));
    if (newest !== undefined) return newest;
  }
  if (naming.length === 1) return naming[0]!;
  throw naming.length === 0 ? commitMissing(choice) : commitAmbiguous(choice, naming);
}

/** `versions`: those of the repository, highest first; one that was asked for may be listed without its image. */
function releaseMissing({ from, version, source, stack }: ReleaseChoice, versions: readonly string[]): PlatformError {
  const others = version === undefined ? [] : versions.filter((one) => one !== version);
  const there = others.length === 0 ? "" : `; its highest are ${listed(others, shownVersions)}`;
  return new PlatformError("release-missing", {
    what: `${formatReference(from)} holds no ${version === undefined ? "version" : `version ${version}`}${there}`,
    rule: "what is promoted was released there",
    fix:
      others.length > 0
        ? `take the highest one that is there: ${promoteLine(stack, source)}`
        : `release first: pulumi up --stack ${source}`,
  });
}

function commitMissing({ from, version, digest, source, stack }: Named): PlatformError {
  return new PlatformError("commit-missing", {
    what: `no tag sha-… of ${formatReference(from)} names ${version}, image ${digest}`,
    rule: "a release is tagged with the commit that it was released from",
    fix: `the last release gets its tags back by pulumi up --refresh --stack ${source}; else promote another one: ${promoteLine(stack, source)} --version VERSION`,
  });
}

function commitAmbiguous({ from, version, source, stack }: Named, commits: readonly string[]): PlatformError {
  return new PlatformError("commit-ambiguous", {
    what: `${version} of ${formatReference(from)} was released from several commits, and git here knows none of them: ${listed(commits, shownCommits)}`,
    rule: "a promotion names one commit, the newest that this checkout knows",
    fix: `name one of them: ${promoteLine(stack, source)} --version ${version} --commit ${commits[0]}`,
  });
}

function listed(names: readonly string[], most: number): string {
  const rest = names.length - most;
  return `${names.slice(0, most).join(", ")}${rest > 0 ? ` and ${rest} more` : ""}`;
}
