// One look at the registry before the first resource: the last release, what changed since, the next version and why.
// It reads only. A version that is taken by other pins is refused by the tag's resource, which alone sees moved from taken.
import type { BasePins } from "../base/packages";
import type { PlatformError } from "../errors";
import type { RegistryClient } from "../oci/client";
import type { Digest } from "../oci/digest";
import type { Repository } from "../oci/reference";
import { bumpBetween, decideVersion, nextVersion, reasonsFor, requiredBump, type Step } from "../pins/bump";
import type { Change } from "../pins/change";
import { diffInputs } from "../pins/diff";
import { type Inputs, inputDigest } from "../pins/model";
import { type History, historyOf, lookBack, newestRelease, type Release } from "./history";
import type { KnownRelease } from "./known";
import { movedTags, tagLine } from "./movedTags";
import { type Contents, structureChanges } from "./structures";
import { versionTaken } from "./taken";
import { compareReleases, isVersion, versionTags } from "./versions";

export interface PreflightOptions extends Contents {
  /** Repository of the releases. */
  readonly releases: Repository;
  /** `auto` or `vX.Y.Z`. */
  readonly wanted: string;
  /** The pins of now, complete. */
  readonly inputs: Inputs;
  /** What the base of now is made of, where it has packages. */
  readonly base?: BasePins;
  /** Named in the commands that fix an error. */
  readonly stack: string;
  /** What the stack's state remembers of its last release into `releases`, read while the registry is. */
  readonly known?: Promise<KnownRelease | undefined>;
}

export interface Preflight {
  /** The version of this run: the last release's while nothing changed. */
  readonly version: string;
  /** One line: `v1.0.0 → v1.0.1 (policy update)`. */
  readonly reason: string;
  /** The step from the last release that the pins of now require; `none` while they are equal. */
  readonly required: Step;
  /** For people: one line for each pin that changed since the last release, then what is wrong with its tag, then the reason. */
  readonly lines: readonly string[];
  /** The highest version there is. */
  readonly last?: Release;
  /** The image that was released with exactly these pins; it is the image of this run, whatever a build would give. */
  readonly image?: { readonly digest: Digest };
  /**
   * The version that is asked for names other pins, and this stack did not release these under it. A preview goes on, so that
   * its reader sees the pins that changed and the tag's own refusal; an update must not start.
   */
  readonly taken?: PlatformError;
  /** Against the release before `version`: the same in every run until the next release. */
  readonly changes: {
    readonly bump: Step;
    /** What the rule asks for. */
    readonly required: Step;
    readonly entries: readonly Change[];
    /** One line: `v1.0.0 → v1.0.1 (policy update)`. */
    readonly reason: string;
  };
}

/** Images read at the same time. */
const parallel = 8;

/**
 * Errors: those of the version rule (`decideVersion`), and those of a registry that does not answer: 401, 403, 5xx and time-outs
 * never count as "no release yet"; only 404 does.
 * Requests while nothing changes: the tag list, then manifest and config of the last two releases, side by side.
 */
export async function preflight(client: RegistryClient, options: PreflightOptions): Promise<Preflight> {
  const { releases, wanted, inputs, stack } = options;
  const history = historyOf(client, releases);
  const named = isVersion(wanted) ? wanted : undefined;
  const [tags, holder, known] = await Promise.all([
    client.tags(releases),
    named ? history.at(named) : undefined,
    options.known,
  ]);
  const versions = versionTags(named && holder ? [...tags, named] : tags);
  const own = inputDigest(inputs);
  const [{ last, tagged }] = await Promise.all([
    lastRelease(history, versions, known, inputs),
    newestRelease(history, versions.slice(1)), // for `changes` below: the release before, while nothing changed
  ]);

  const isSame = last?.inputDigest === own;
  const compare = async (release: Release) =>
    diffInputs(release.inputs!, inputs, await structureChanges(client, options, release.inputs!, inputs), {
      old: release.base,
      next: options.base,
    });
  const [moved, changes, earlier] = await Promise.all([
    known && last?.version === known.version
      ? movedTags(history, { released: known.digest, tags: known.tags, stack })
      : [],
    last?.inputs && !isSame ? compare(last) : undefined,
    last?.inputs && !isSame ? findEarlier(history, below(versions, last.version), own) : undefined,
  ]);
  const decision = decideVersion({
    wanted,
    last: last && { version: last.version, foreign: !last.inputs },
    changes,
    earlier: earlier?.version,
    holds: holder && (holder.inputDigest === own ? "these-inputs" : "other-inputs"),
    own: known !== undefined && known.version === wanted,
    stack,
  });

  const { version, reason } = decision;
  const isOwn = known?.version === named && known?.inputDigest === own;
  const isTaken = named && holder && holder.inputDigest !== own && !isOwn;
  const isNew = last !== undefined && compareReleases(version, last.version) > 0;
  const before = isNew ? last : await newestRelease(history, below(versions, version));
  const entries = before === last && changes ? changes : before?.inputs ? await compare(before) : [];
  const holding = named && holder?.inputDigest === own ? holder : undefined;
  const image = holding ?? (isSame ? last : earlier);
  return {
    version,
    reason,
    required: decision.required,
    lines: [
      ...(changes ?? []).map(({ text }) => text),
      ...(last ? tagLine(last.version, { released: last.digest, stack }, tagged) : []),
      ...moved,
      reason,
    ],
    ...(last ? { last } : {}),
    ...(image && (await history.at(image.digest)) ? { image: { digest: image.digest } } : {}),
    ...(isTaken
      ? {
          taken: versionTaken({
            repository: `${releases.registry}/${releases.path}`,
            version: named,
            digest: holder.digest,
            inputDigest: holder.inputDigest,
            wanted: own,
            tags,
            stack,
          }),
        }
      : {}),
    changes: stepFrom(before, version, entries, isNew ? decision.required : undefined),
  };
}

/**
 * The highest version, and what its tag points at now. The state of the stack outranks the registry for the version that the
 * stack itself released last: a tag that was moved or deleted by hand changes neither what was released nor the next version.
 */
async function lastRelease(
  history: History,
  versions: readonly string[],
  known: KnownRelease | undefined,
  inputs: Inputs,
): Promise<{ last?: Release; tagged?: Digest }> {
  const highest = await newestRelease(history, versions);
  const isOlder = known && highest && compareReleases(known.version, highest.version) < 0;
  if (!known || isOlder) return { last: highest, tagged: highest?.digest };
  const { version, digest } = known;
  const tagged = highest?.version === version ? highest.digest : undefined;
  const released = await history.at(digest);
  if (released?.inputs) return { last: { version, ...released }, tagged };
  // An image that is gone cannot be compared any more, only recognised.
  const isOwn = known.inputDigest === inputDigest(inputs);
  if (isOwn) return { last: { version, digest, inputs, inputDigest: known.inputDigest }, tagged };
  return { last: highest, tagged: highest?.digest };
}

/** An earlier release with the pins of now. One further back than that counts as the change that it is. */
async function findEarlier(history: History, versions: readonly string[], own: Digest): Promise<Release | undefined> {
  for (let at = 0; at < Math.min(versions.length, lookBack); at += parallel) {
    const some = versions.slice(at, at + parallel);
    const images = await Promise.all(some.map((version) => history.at(version)));
    const index = images.findIndex((image) => image?.inputDigest === own);
    if (index >= 0) return { version: some[index]!, ...images[index]! };
  }
  return undefined;
}

function below(versions: readonly string[], version: string): string[] {
  return versions.filter((candidate) => compareReleases(candidate, version) < 0);
}

/** The step from the release before. What the rule asked for stays what it was: a release below the table's step was accepted as a way back to earlier pins. */
export function stepFrom(
  before: Pick<Release, "version" | "inputs"> | undefined,
  version: string,
  entries: readonly Change[],
  required?: Step,
): Preflight["changes"] {
  if (!before) return { bump: "first", required: "first", entries: [], reason: `${version} (first release)` };
  const bump = bumpBetween(before.version, version);
  const asked = requiredBump(entries);
  const isBelow = asked !== "none" && compareReleases(version, nextVersion(before.version, asked)) < 0;
  const why = !before.inputs
    ? "first release above a foreign image"
    : isBelow
      ? "back to earlier pins"
      : asked === "none"
        ? "no pin changed"
        : reasonsFor(entries);
  const reason = `${before.version} → ${version} (${why})`;
  return { bump, required: required ?? (isBelow ? bump : asked), entries, reason };
}
