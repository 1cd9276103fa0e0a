// Tags that a stack wrote and that somebody moved or deleted since: a line for each, with what puts it back.
import type { Digest } from "../oci/digest";
import type { History } from "./history";

/** What a stack wrote: the image, and the tags on it. */
interface Written {
  readonly released: Digest;
  readonly tags?: readonly string[];
  /** Named in the command that puts a tag back. */
  readonly stack: string;
}

/** Of the tags that were written: those that are elsewhere now, or gone. */
export async function movedTags(history: History, { released, tags = [], stack }: Written): Promise<string[]> {
  const found = await Promise.all(tags.map((tag) => history.digestAt(tag)));
  return tags.flatMap((tag, index) => tagLine(tag, { released, stack }, found[index]));
}

/** The line of one tag, if it needs one. */
export function tagLine(tag: string, { released, stack }: Omit<Written, "tags">, tagged: Digest | undefined): string[] {
  if (tagged === released) return [];
  const found = tagged ? `was moved in the registry, from ${released} to ${tagged}` : "is gone from the registry";
  return [`tag ${tag} ${found}: pulumi up --refresh --stack ${stack} puts it back`];
}
