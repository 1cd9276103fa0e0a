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
}

/** `version-taken`, with both input digests and the next free version. */
export function versionTaken({ repository, version, digest, inputDigest, wanted, tags }: TakenVersion): PlatformError {
  const found = inputDigest ?? "not named";
  const own = wanted ?? "are not known yet";
  return new PlatformError("version-taken", {
    what: `${repository}:${version} already names another image, ${digest}: its inputs are ${found}, those of this release ${own}`,
    rule: "a version never moves",
    fix: `take the next free one: pulumi config set policy-platform:version ${nextFreeVersion(tags, version)}`,
  });
}
