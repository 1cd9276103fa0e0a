// What the repositories hold that are fetched and whose layer image is not in our registry yet: their policies are to be
// checked and compared before anything is built. Of the others nothing is read: neither git nor their network is needed.

import type { RegistryClient } from "../oci/client";
import { parseRepository } from "../oci/reference";
import type { CompositionSettings } from "../plan/composition";
import { repositoryNames } from "../registry/names";
import type { StackRegistry } from "../registry/stackClient";
import type { RepositoryContent } from "./repositoryContent";
import { pinnedLayer, remoteSource } from "./repositorySource";

/** The part of a stack's settings that says where layer images are. */
export interface FreshSettings extends Pick<CompositionSettings, "policies"> {
  readonly registry: StackRegistry;
}

/** By repository name, with what was `read` already. Errors: those of `repositoryContent`, and of the registry. */
export async function freshContents(
  client: RegistryClient,
  { policies, registry }: FreshSettings,
  read: Readonly<Record<string, RepositoryContent>>,
): Promise<Readonly<Record<string, RepositoryContent>>> {
  const pinned = Object.entries(policies).flatMap(([name, one]) => {
    const [source, digest] = [remoteSource(one), pinnedLayer(one)];
    return source && digest ? [{ name, source, digest }] : [];
  });
  if (pinned.length === 0) return read;
  const { repositoryContent } = await import("./repositoryContent"); // with git loaded here alone
  const names = repositoryNames(registry);
  const found = pinned.map(async ({ name, source, digest }) => {
    if ((await client.resolve(parseRepository(names.policies(name)), digest)) !== undefined) return [];
    const content = await repositoryContent(source, { at: `/repos/${name}`, client });
    return content ? [[name, content] as const] : [];
  });
  return { ...read, ...Object.fromEntries((await Promise.all(found)).flat()) };
}
