// Immutable tags and `latest`: a registry that moves no tag takes no release that moves one, and this is said before anything is built.
import { PlatformError } from "../errors";
import type { Digest } from "../oci/digest";
import { parseRepository } from "../oci/reference";
import { repositoryNames } from "../registry/names";
import { type StackRegistry, stackClient } from "../registry/stackClient";

export interface TaggedSettings {
  readonly registry: StackRegistry;
  readonly image: { readonly name: string };
}

/**
 * Throws `latest-immutable` where the stack's registry has immutable tags and this run would write `latest`: to `digest`, which is
 * undefined for an image that is yet to be built. The first `latest` is refused too: the next release could not move it.
 */
export async function requireMovableLatest(
  { registry, image }: TaggedSettings,
  digest: Digest | undefined,
  stack: string,
): Promise<void> {
  if (!registry.immutableTags) return;
  const releases = repositoryNames(registry).releases(image.name);
  const found = digest && (await stackClient(registry).resolve(parseRepository(releases), "latest"));
  if (found && found.digest === digest) return;
  throw new PlatformError("latest-immutable", {
    what: `${releases}:latest would be written, and registry.immutableTags is on`,
    rule: "a release moves latest, and an immutable tag never moves",
    fix: `pulumi config set --path policy-platform:registry.immutableTags false --stack ${stack}`,
  });
}
