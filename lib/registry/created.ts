// What of the registry that a stack declares is in its state.
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
 * For people: what lets the layers go of a stack that built before it promotes, which declares releases alone. The engine refuses to
 * let anything go that is protected, and does not say that this one is retained. `resources` as above.
 */
export function leftLayers(
  { kind, prefix, protect }: Pick<RegistryAddress, "prefix"> & { readonly kind?: string; readonly protect?: boolean },
  resources: unknown,
  stack: string,
): string[] {
  if (kind !== "artifactRegistry" || protect === false) return [];
  const layers = rootName("layers", prefix);
  return repositoriesOf(resources, layers).map(
    (urn) =>
      `${layers} leaves this stack, as a promotion has releases alone, and stays in Google Cloud; while the engine holds it for its protection: pulumi state unprotect '${urn}' --stack ${stack}`,
  );
}

/** URNs of the repositories of Artifact Registry with this id. */
function repositoriesOf(resources: unknown, id: string): string[] {
  const own = Object.entries(
    (resources ?? {}) as Record<string, { type?: string; outputs?: { repositoryId?: unknown } }>,
  );
  return own.flatMap(([urn, { type, outputs }]) =>
    type === "gcp:artifactregistry/repository:Repository" && outputs?.repositoryId === id ? [urn] : [],
  );
}
