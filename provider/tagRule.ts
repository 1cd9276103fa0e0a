// When a tag is written, kept, repaired or refused: a pure table.
import type { Digest } from "../lib/oci/digest";

export type TagRole = "commit" | "version" | "latest";

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

export function decideTag({ role, found, wanted, released }: TagFacts): TagDecision {
  if (found === undefined) return "write";
  if (found === wanted) return "keep";
  if (role === "latest") return "write";
  return wanted !== undefined && wanted === released ? "repair" : "taken";
}
