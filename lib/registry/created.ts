// What of the registry that a stack declares is in its state.
import { resourcesOfType } from "../stateResources";
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
  return repositoriesOf(resources, rootName("releases", prefix)).length === 0;
}

/**
 * For people: what becomes of the layers of a stack that built before it promotes, which declares releases alone. The engine goes by
 * how its last update declared them, which the program cannot see: it refuses to let go what is protected, and does not say that
 * it is retained; all else it deletes. `resources` as above.
 */
export function leftLayers(
  { kind, prefix }: Pick<RegistryAddress, "prefix"> & { readonly kind?: string },
  resources: unknown,
  stack: string,
): string[] {
  if (kind !== "artifactRegistry") return [];
  const layers = rootName("layers", prefix);
  return repositoriesOf(resources, layers).map(
    (urn) =>
      `${layers} leaves this stack, as a promotion has releases alone: unless its last update had protect: false, which deletes it now, it stays in Google Cloud, and this lets it go: pulumi state unprotect '${urn}' --stack ${stack}`,
  );
}

/** URNs of the repositories of Artifact Registry with this id. */
function repositoriesOf(resources: unknown, id: string): string[] {
  return resourcesOfType(resources, "gcp:artifactregistry/repository:Repository").flatMap(({ urn, outputs }) =>
    outputs.repositoryId === id ? [urn] : [],
  );
}
