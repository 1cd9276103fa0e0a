// Tags that a stack wrote and that somebody moved or deleted since: a line for each, with what puts it back.
import type { Digest } from "../oci/digest";
import type { History } from "./history";

/** Of the tags that were written on `released`: those that are elsewhere now, or gone. */
export async function movedTags(history: History, released: Digest, tags: readonly string[] = []): Promise<string[]> {
  const found = await Promise.all(tags.map((tag) => history.digestAt(tag)));
  return tags.flatMap((tag, index) => tagLine(tag, released, found[index]));
}

/** The line of one tag, if it needs one. */
export function tagLine(tag: string, released: Digest, tagged: Digest | undefined): string[] {
  if (tagged === released) return [];
  const found = tagged ? `was moved in the registry, from ${released} to ${tagged}` : "is gone from the registry";
  return [`tag ${tag} ${found}: pulumi up --refresh puts it back`];
}
