// What the stack's own state says of the build of an image.
import { type Digest, isDigest } from "../oci/digest";
import { resourcesOfType } from "../stateResources";

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
  return resourcesOfType(resources, "docker:index/image:Image").flatMap(({ urn, outputs }): BuiltImage[] => {
    const { imageName: name, repoDigest, context } = outputs;
    if (typeof name !== "string" || !name.startsWith(`${repository}:`)) return [];
    const digest = typeof repoDigest === "string" ? repoDigest.slice(repoDigest.lastIndexOf("@") + 1) : "";
    return [{ urn, name, ...(isDigest(digest) && { digest }), ...(typeof context === "string" && { context }) }];
  })[0];
}
