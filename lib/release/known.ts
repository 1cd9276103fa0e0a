// What the stack's own state remembers of its last release. A registry cannot tell a version tag that was moved by hand from
// one that was released there; the state can.
import { type Digest, isDigest } from "../oci/digest";
import { resourcesOfType } from "../stateResources";
import { isVersion } from "./versions";

/** The last release that this stack itself made. */
export interface KnownRelease {
  /** `vX.Y.Z`. */
  readonly version: string;
  /** What the version was given to, whatever its tag points at now. */
  readonly digest: Digest;
  readonly inputDigest: Digest;
  /** Other tags that were written on it: `sha-…` and `latest`. */
  readonly tags?: readonly string[];
}

/**
 * Finds the version tag of `repository` (`host/path`) among the outputs of a stack's resources: by URN, `{type, outputs}` each,
 * as the engine's function `pulumi:pulumi:readStackResourceOutputs` answers. Undefined where the stack has made no release there.
 */
export function knownRelease(resources: unknown, repository: string): KnownRelease | undefined {
  const tags = tagsIn(resources, repository);
  for (const outputs of tags.filter(({ role }) => role === "version")) {
    const { tag: version, inputDigest } = outputs;
    const digest = releasedAt(outputs);
    if (
      isText(version) &&
      isVersion(version) &&
      isText(digest) &&
      isDigest(digest) &&
      isText(inputDigest) &&
      isDigest(inputDigest)
    )
      return { version, digest, inputDigest, ...othersOn(digest, tags) };
  }
  return undefined;
}

/** The commit tag that the stack wrote on `digest`, and keeps there whatever commit is named next; `resources` as above. */
export function keptCommitTag(resources: unknown, repository: string, digest: Digest): string | undefined {
  const kept = tagsIn(resources, repository).find(({ role, released }) => role === "commit" && released === digest);
  return isText(kept?.tag) ? kept.tag : undefined;
}

function tagsIn(resources: unknown, repository: string): Outputs[] {
  return resourcesOfType(resources, "policychain:index:Tag").flatMap(({ outputs }) =>
    outputs.repository === repository ? [outputs] : [],
  );
}

/** A refresh changes `digest` alone. */
function releasedAt({ released, digest }: Outputs): unknown {
  return released ?? digest;
}

/** A run that ended half-way may have left a tag on an earlier release: that one was not moved by hand. */
function othersOn(digest: Digest, tags: readonly Outputs[]): { tags?: string[] } {
  const others = tags.flatMap((outputs) =>
    outputs.role !== "version" && isText(outputs.tag) && releasedAt(outputs) === digest ? [outputs.tag] : [],
  );
  return others.length > 0 ? { tags: others.sort() } : {};
}

type Outputs = Readonly<Record<string, unknown>>;

function isText(value: unknown): value is string {
  return typeof value === "string";
}
