// The version of the next release: a pure function of the last one, of what changed, and of the version that was asked for.
import { PlatformError } from "../errors";
import { compareReleases, formatVersion, isVersion, nextFreeVersion, numbersOf } from "../release/versions";
import type { Change } from "./change";
import { type Bump, largestBump, versionRule } from "./rule";

/** The version of a registry's first release, where none is asked for. */
const firstVersion = "v1.0.0";

/** `first` where there is no earlier release, `none` where no pin changed or the earlier release cannot be compared. */
export type Step = Bump | "none" | "first";

/** The largest step that any change asks for; `none` for no change. */
export function requiredBump(changes: readonly Pick<Change, "bump">[]): Bump | "none" {
  return largestBump(changes.map(({ bump }) => bump)) ?? "none";
}

/** The version one step up; the numbers behind the step become 0. */
export function nextVersion(last: string, bump: Bump): string {
  const [major, minor, patch] = numbersOf(last);
  if (bump === "major") return formatVersion([major + 1, 0, 0]);
  return formatVersion(bump === "minor" ? [major, minor + 1, 0] : [major, minor, patch + 1]);
}

/** The step from one version up to another: which of the three numbers is the first to differ. */
export function bumpBetween(from: string, to: string): Bump | "none" {
  const at = numbersOf(from).findIndex((number, index) => number !== numbersOf(to)[index]);
  return (["major", "minor", "patch"] as const)[at] ?? "none";
}

export interface VersionQuestion {
  /** `auto` or `vX.Y.Z`. */
  readonly wanted: string;
  /** The last release: the highest version there is. Undefined where nothing was released yet. */
  readonly last?: {
    readonly version: string;
    /** Its pins cannot be read: it was not released by this program. */
    readonly foreign?: boolean;
  };
  /** From the last release to the pins of now; `undefined` means that they are equal. */
  readonly changes?: readonly Change[];
  /** The earlier release, if any, that had exactly the pins of now. */
  readonly earlier?: string;
  /** What the registry holds under the version that is asked for: nothing, or an image with these or other pins. */
  readonly holds?: "these-inputs" | "other-inputs";
  /** The version asked for is what this stack released last: then it is no going back, whatever others released since. */
  readonly own?: boolean;
  /** Stack to name in a fix. */
  readonly stack: string;
}

export interface VersionAnswer {
  readonly version: string;
  /** The step from the last release that the rule asks for. */
  readonly required: Step;
  /** One line: `v1.0.0 → v1.0.1 (policy update)`. */
  readonly reason: string;
}

/**
 * Decides the version. Errors: `version-malformed`, `version-too-low` (below the rule's), `version-reused` (it named other pins,
 * or going back by an old name), `release-foreign` (the highest tag is not of this program).
 * A version that the registry holds with *other* pins passes here: only the tag's resource, which sees the stack's state, can
 * tell a moved tag from a taken version, and refuses the latter.
 */
export function decideVersion(question: VersionQuestion): VersionAnswer {
  const { wanted, last, changes, earlier, holds } = question;
  const auto = wanted === "auto";
  if (!auto && !isVersion(wanted)) throw malformed(question);
  if (!last) {
    const version = auto ? firstVersion : wanted;
    return { version, required: "first", reason: `${version} (first release)` };
  }
  if (last.foreign) return aboveForeign(question, last.version);
  const required = !changes ? "none" : earlier ? "patch" : requiredBump(changes);
  const reasons = !changes ? "no pin changed" : earlier ? `back to the pins of ${earlier}` : reasonsFor(changes);
  const least = required === "none" ? last.version : nextVersion(last.version, required);
  const step = (version: string, why: string) => ({
    version,
    required,
    reason: `${last.version} → ${version} (${why})`,
  });
  const same = { version: last.version, required, reason: `${last.version} (unchanged)` };

  if (auto) return required === "none" ? same : step(least, reasons);
  if (wanted === last.version && !changes) return same;
  if (holds === "other-inputs") return { version: wanted, required, reason: `${wanted} (exists with other pins)` };
  if (holds === "these-inputs" && compareReleases(wanted, last.version) < 0) {
    if (question.own) return { version: wanted, required: "none", reason: `${wanted} (unchanged)` };
    throw reused(
      question,
      `version ${wanted} was released before with these very pins, and ${last.version} after it`,
      least,
    );
  }
  if (wanted === last.version) throw reused(question, `version ${wanted} was released before with other pins`, least);
  if (compareReleases(wanted, least) < 0) throw tooLow(question, last.version, least, reasons);
  return step(wanted, wanted === least ? reasons : `${reasons}, which asks for ${least}; the version is set`);
}

/** The decisive reasons only, each once: what made the step as large as it is. */
export function reasonsFor(changes: readonly Change[]): string {
  const required = requiredBump(changes);
  return [...new Set(changes.filter(({ bump }) => bump === required).map(({ kind }) => versionRule[kind].reason))].join(
    ", ",
  );
}

function aboveForeign(question: VersionQuestion, last: string): VersionAnswer {
  const { wanted } = question;
  if (wanted !== "auto" && compareReleases(wanted, last) > 0)
    return { version: wanted, required: "none", reason: `${last} → ${wanted} (first release above a foreign image)` };
  throw new PlatformError("release-foreign", {
    what: `the highest version tag ${last} is on a foreign image: it does not name its pins`,
    rule: "the next version follows from the pins of the last release, so above a foreign one it is set once by hand",
    fix: `${setLine(question, nextFreeVersion([last], last))}, a higher one if you like, then auto again after that release`,
  });
}

function tooLow(question: VersionQuestion, last: string, least: string, reasons: string): PlatformError {
  return new PlatformError("version-too-low", {
    what: `version ${question.wanted} is too low: the last release is ${last} (since then: ${reasons})`,
    rule: `the next version is at least ${least}`,
    fix: setLine(question, least),
  });
}

function reused(question: VersionQuestion, what: string, least: string): PlatformError {
  return new PlatformError("version-reused", {
    what,
    rule: "a version is given once; going back to old pins is a release of its own",
    fix: setLine(question, least),
  });
}

function malformed(question: VersionQuestion): PlatformError {
  return new PlatformError("version-malformed", {
    what: `malformed version ${JSON.stringify(question.wanted)}`,
    rule: 'a version is "auto" or vX.Y.Z, without prerelease or build',
    fix: setLine(question, "auto"),
  });
}

function setLine({ stack }: VersionQuestion, version: string): string {
  return `pulumi config set policy-platform:version ${version} --stack ${stack}`;
}
