// What a commit has beside what ships of it: above all its tests, for the gate.
import { canonicalJson } from "../canonicalJson";
import { type Digest, sha256 } from "../oci/digest";
import { fileBehind } from "../oci/tree";
import { neverTests, takenOutBy } from "../policies/tests";
import { type GitTreeOptions, gitTree } from "./repository";
import type { Place } from "./tree";

/** Names what a commit leaves out, by the pin alone: a commit never changes, so nothing is fetched for it. */
export function leftOutDigest({ commit, path = "" }: Place): Digest {
  return sha256(canonicalJson({ commit, path }));
}

/**
 * Path in the folder → content, of everything that does not ship, by the rule of folders: without what `.policyignore` takes out. A link to a file inside is a copy; any other, and a submodule, is
 * not there. Errors: those of `gitTree`.
 */
export async function leftOutOfCommit(
  place: Place,
  shipped: Readonly<Record<string, unknown>>,
  options: GitTreeOptions = {},
): Promise<ReadonlyMap<string, Buffer>> {
  const tree = (await gitTree(place, options))!;
  const files = new Map<string, Buffer>();
  const ignored = tree.kindAt(".policyignore") === undefined ? undefined : fileBehind(tree, ".policyignore");
  const isTakenOut = takenOutBy(ignored === undefined ? "" : tree.read(ignored).toString("utf8"));
  const visit = (folder: string) => {
    for (const { name: bytes, kind } of tree.list(folder)) {
      const name = bytes.toString("utf8");
      const path = `${folder}${name}`;
      if (neverTests.has(name) || Object.hasOwn(shipped, path)) continue;
      if (kind === "folder" && !isTakenOut(path)) visit(`${path}/`);
      const source = kind === "file" ? path : kind === "link" ? fileBehind(tree, path) : undefined;
      if (source !== undefined) files.set(path, tree.read(source));
    }
  };
  visit("");
  return files;
}
