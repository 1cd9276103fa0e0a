// What the repositories hold that are fetched and whose layer image is not in our registry yet: their policies are to be
// checked and compared before anything is built. Of the others nothing is read: neither git nor their network is needed.
import type { CompositionSettings } from "./composition";
import { RegistryClient } from "./oci/client";
import { dockerCredentials } from "./oci/credentials";
import { parseRepository } from "./oci/reference";
import type { RepositoryContent } from "./repositoryContent";
import { type RegistryAddress, repositoryNames } from "./repositoryNames";
import { pinnedLayer, remoteSource } from "./repositorySource";

/** The part of a stack's settings that says where layer images are. */
export interface FreshSettings extends Pick<CompositionSettings, "policies"> {
  readonly registry: RegistryAddress & { readonly insecure: boolean };
}

/** By repository name, with what was `read` already. Errors: those of `repositoryContent`, and of the registry. */
export async function freshContents(
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
  const credentials = dockerCredentials();
  // What is allowed for the registry that is pushed to is not allowed for the one that a foreign image comes from.
  const client = new RegistryClient({ credentials });
  const found = pinned.map(async ({ name, source, digest }) => {
    const repository = parseRepository(names.policies(name));
    const own = new RegistryClient({ credentials, insecure: registry.insecure ? [repository.registry] : [] });
    if ((await own.resolve(repository, digest)) !== undefined) return [];
    const content = await repositoryContent(source, { at: `/repos/${name}`, client });
    return content ? [[name, content] as const] : [];
  });
  return { ...read, ...Object.fromEntries((await Promise.all(found)).flat()) };
}
