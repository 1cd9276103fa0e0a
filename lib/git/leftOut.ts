// What a commit has beside what ships of it: above all its tests, for the gate.
import { canonicalJson } from "../canonicalJson";
import { type Digest, sha256 } from "../oci/digest";
import { fileBehind } from "../oci/tree";
import { type GitTreeOptions, gitTree } from "./repository";
import type { Place } from "./tree";

/** Names what a commit leaves out, by the pin alone: a commit never changes, so nothing is fetched for it. */
export function leftOutDigest({ commit, path = "" }: Place): Digest {
  return sha256(canonicalJson({ commit, path }));
}

/**
 * Path in the folder → content, of everything that does not ship. A link to a file inside is a copy; any other, and a submodule, is
 * not there. Errors: those of `gitTree`.
 */
export async function leftOutOfCommit(
  place: Place,
  shipped: Readonly<Record<string, unknown>>,
  options: GitTreeOptions = {},
): Promise<ReadonlyMap<string, Buffer>> {
  const tree = (await gitTree(place, options))!;
  const files = new Map<string, Buffer>();
  const visit = (folder: string) => {
    for (const { name, kind } of tree.list(folder)) {
      const path = `${folder}${name.toString("utf8")}`;
      if (Object.hasOwn(shipped, path)) continue;
      if (kind === "folder") visit(`${path}/`);
      const source = kind === "file" ? path : kind === "link" ? fileBehind(tree, path) : undefined;
      if (source !== undefined) files.set(path, tree.read(source));
    }
  };
  visit("");
  return files;
}
