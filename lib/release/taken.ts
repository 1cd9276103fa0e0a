// The refusal of a version that names other inputs: said before an update's first resource, and by the tag itself.
import { PlatformError } from "../errors";
import { nextFreeVersion } from "./versions";

export interface TakenVersion {
  /** `host/path` of the releases. */
  readonly repository: string;
  /** `vX.Y.Z`. */
  readonly version: string;
  /** What the version names. */
  readonly digest: string;
  /** Input digest of that image; undefined for a foreign one. */
  readonly inputDigest?: string;
  /** Input digest of what was to be released; undefined while not known. */
  readonly wanted?: string;
  /** All tags of the repository. */
  readonly tags: Iterable<string>;
  /** The stack whose version is to be set. */
  readonly stack: string;
}

/** `version-taken`, with both input digests and the next free version. */
export function versionTaken(taken: TakenVersion): PlatformError {
  const { repository, version, digest, inputDigest, wanted, tags, stack } = taken;
  const its = inputDigest === undefined ? "it does not name its inputs" : `its inputs are ${inputDigest}`;
  const own = wanted === undefined ? "those of this release are not known yet" : `those of this release are ${wanted}`;
  return new PlatformError("version-taken", {
    what: `${repository}:${version} already names another image, ${digest}: ${its}, and ${own}`,
    rule: "a version never moves",
    fix: `take the next free one: pulumi config set policy-platform:version ${nextFreeVersion(tags, version)} --stack ${stack}`,
  });
}
