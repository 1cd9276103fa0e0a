// Whether the state of a stack holds the registry that it declares.
import { type RegistryAddress, rootName } from "./names";

/**
 * True where a stack is yet to create the repository of its releases: `resources` are those in its state, by URN, as the engine's
 * function `pulumi:pulumi:readStackResourceOutputs` answers. A state that could not be read (undefined) says nothing: false.
 */
export function isUncreated(
  { kind, prefix }: Pick<RegistryAddress, "prefix"> & { readonly kind?: string },
  resources: unknown,
): boolean {
  if (kind !== "artifactRegistry" || resources === undefined) return false;
  const own = Object.values(resources as Record<string, { type?: string; outputs?: { repositoryId?: unknown } }>);
  const isReleases = ({ type, outputs }: (typeof own)[number]) =>
    type === "gcp:artifactregistry/repository:Repository" && outputs?.repositoryId === rootName("releases", prefix);
  return !own.some(isReleases);
}
