// How every handler reaches registries: one client a call, with the call's signal and the credentials of this moment.
import { PlatformError } from "../lib/errors";
import { RegistryClient } from "../lib/oci/client";
import type { Digest } from "../lib/oci/digest";
import { formatReference, parseRepository, type Repository } from "../lib/oci/reference";
import { registryCredentials } from "../lib/oci/registryCredentials";
import { stackOf } from "../lib/urn";
import { isUnknown, type ResourceContext, unwrapSecrets, type Value } from "./host";

/** Plain http goes to the hosts of `repositories` only, and only when `insecure` asks for it; loopback needs no asking. */
export function registryClient(
  context: ResourceContext,
  insecure: boolean | undefined,
  repositories: readonly Repository[],
): RegistryClient {
  return new RegistryClient({
    credentials: registryCredentials(),
    signal: context.signal,
    insecure: insecure ? repositories.map(({ registry }) => registry) : [],
    log: context.progress,
  });
}

/** The id of a resource: its repository and, where one repository has several, its role. None while the repository is unknown. */
export function idOf(repository: Value, role?: Value): string {
  if (isUnknown(repository)) return "";
  const named = String(unwrapSecrets(repository));
  return role === undefined ? named : `${named}#${String(unwrapSecrets(role))}`;
}

/** `host/path@digest`. */
export function pinned(repository: string, digest: Digest): string {
  return formatReference({ ...parseRepository(repository), digest });
}

/** The error for an image that was cleaned up before it was released or promoted; only a build can be repeated, by its URN. */
export function candidateGone(
  candidate: string,
  digest: string,
  rebuild: string | undefined,
  cause?: unknown,
): PlatformError {
  return new PlatformError(
    "candidate-gone",
    {
      what: `the image ${candidate}@${digest} is gone from its registry`,
      rule: "an image is tested and copied by the digest that was built",
      fix: rebuild
        ? `build it again with: pulumi up --replace '${rebuild}' --stack ${stackOf(rebuild)}`
        : "name an image that is there",
    },
    { cause },
  );
}
