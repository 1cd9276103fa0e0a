// What the stack's own state says of the build of an image.
import { type Digest, isDigest } from "../oci/digest";

/** The build of an image, as it stands in the state. */
export interface BuiltImage {
  readonly urn: string;
  /** `host/path:tag`. */
  readonly name: string;
  /** What was pushed; absent where the build did not end well. */
  readonly digest?: Digest;
  /** Folder of the context that it was built from. */
  readonly context?: string;
}

/**
 * The build that was pushed to `repository` (`host/path`), among the outputs of a stack's resources by URN; undefined where the stack has
 * built nothing for it.
 */
export function builtImage(resources: unknown, repository: string): BuiltImage | undefined {
  for (const [urn, { type, outputs = {} }] of Object.entries((resources ?? {}) as Record<string, StateEntry>)) {
    const { imageName: name, repoDigest, context } = outputs;
    if (type !== "docker:index/image:Image" || typeof name !== "string" || !name.startsWith(`${repository}:`)) continue;
    const digest = typeof repoDigest === "string" ? repoDigest.slice(repoDigest.lastIndexOf("@") + 1) : "";
    return {
      urn,
      name,
      ...(isDigest(digest) && { digest }),
      ...(typeof context === "string" && { context }),
    };
  }
  return undefined;
}

interface StateEntry {
  readonly type?: string;
  readonly outputs?: Readonly<Record<string, unknown>>;
}
