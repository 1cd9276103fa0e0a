// When a tag is written, kept, repaired or refused: a pure table.
import type { Digest } from "../lib/oci/digest";
import type { TagRole } from "./resources/tag";

/** What is known right before a tag is written. */
export interface TagFacts {
  readonly role: TagRole;
  /** What the registry has under the name; absent when it has none. */
  readonly found?: Digest;
  /** What the program wants it to be; absent while not known. */
  readonly wanted?: Digest;
  /** What the state says this very name was written for; absent when the state does not know the name. */
  readonly released?: Digest;
}

/**
 * `write`: the name is free, or may move. `keep`: it is there already. `repair`: it was ours and has been moved.
 * `taken`: it names something that this stack did not release.
 */
export type TagDecision = "write" | "keep" | "repair" | "taken";

/**
 * Commit and version tags never move: what is under their name is kept, put back where somebody moved it, or refused. `latest`
 * follows whatever is wanted. While `wanted` is unknown nothing that is there can be told from another's.
 */
export function decideTag({ role, found, wanted, released }: TagFacts): TagDecision {
  if (found === undefined) return "write";
  if (found === wanted) return "keep";
  if (role === "latest") return "write";
  return wanted !== undefined && wanted === released ? "repair" : "taken";
}
