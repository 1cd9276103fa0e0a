// Immutable tags and `latest`: a registry that moves no tag takes no release that moves one, and this is said before anything is built.
import { PlatformError } from "../errors";
import type { Digest } from "../oci/digest";
import { repositoryNames } from "../registry/names";
import type { StackRegistry } from "../registry/stackClient";

export interface TaggedSettings {
  readonly registry: StackRegistry;
  readonly image: { readonly name: string };
}

/** What a run releases. */
export interface LatestRun {
  /** What it would write `latest` to; undefined for an image that is yet to be built. */
  readonly digest: Digest | undefined;
  /** What `latest` names now; asked only where that decides. */
  readonly latest: () => Promise<Digest | undefined>;
  readonly stack: string;
}

/**
 * Throws `latest-immutable` where the stack's registry has immutable tags and this run would write `latest`. The first `latest` is
 * refused too: the next release could not move it.
 */
export async function requireMovableLatest(
  { registry, image }: TaggedSettings,
  { digest, latest, stack }: LatestRun,
): Promise<void> {
  if (!registry.immutableTags) return;
  if (digest !== undefined && digest === (await latest())) return;
  throw new PlatformError("latest-immutable", {
    what: `${repositoryNames(registry).releases(image.name)}:latest would be written, and registry.immutableTags is on`,
    rule: "a release moves latest, and an immutable tag never moves",
    fix: `pulumi config set --path policy-platform:registry.immutableTags false --stack ${stack}`,
  });
}
