// What the registry says of the released tags: a summary must not claim a tag that somebody moved or deleted.
import { RegistryClient } from "../lib/oci/client";
import { parseRepository } from "../lib/oci/reference";
import type { Outputs } from "./summary";

/** One line for each released tag that is not on the released digest; nothing when all are, or nothing is released. */
export async function movedTags({ image }: Outputs): Promise<string[]> {
  const { repository, digest, tags } = image ?? {};
  if (!repository || !digest || !tags) return [];
  const client = new RegistryClient();
  const found = await Promise.all(tags.map((tag) => client.resolve(parseRepository(repository), tag)));
  return tags.flatMap((tag, index) => {
    const at = found[index]?.digest;
    if (at === digest) return [];
    const now = at ? `points at ${at} in the registry` : "is gone from the registry";
    return [`  ✗ ${tag} ${now}; in a shell of this stack: pulumi up --refresh puts it back`];
  });
}
