// What the stack's own state remembers of its last release. A registry cannot tell a version tag that was moved by hand from
// one that was released there; the state can.
import { type Digest, isDigest } from "../oci/digest";
import { isVersion } from "./versions";

/** The last release that this stack itself made. */
export interface KnownRelease {
  /** `vX.Y.Z`. */
  readonly version: string;
  /** What the version was given to, whatever its tag points at now. */
  readonly digest: Digest;
  readonly inputDigest: Digest;
}

/**
 * Finds the version tag of `repository` (`host/path`) among the outputs of a stack's resources: by URN, `{type, outputs}` each,
 * as the engine's function `pulumi:pulumi:readStackResourceOutputs` answers. Undefined where the stack has made no release there.
 */
export function knownRelease(resources: unknown, repository: string): KnownRelease | undefined {
  for (const { type, outputs } of Object.values((resources ?? {}) as Record<string, StateEntry>)) {
    if (type !== "policychain:index:Tag" || outputs?.role !== "version" || outputs.repository !== repository) continue;
    const { tag: version, inputDigest } = outputs;
    const digest = outputs.released ?? outputs.digest; // a refresh changes `digest` alone
    if (
      isText(version) &&
      isVersion(version) &&
      isText(digest) &&
      isDigest(digest) &&
      isText(inputDigest) &&
      isDigest(inputDigest)
    )
      return { version, digest, inputDigest };
  }
  return undefined;
}

interface StateEntry {
  readonly type?: string;
  readonly outputs?: Readonly<Record<string, unknown>>;
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}
