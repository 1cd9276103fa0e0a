// A stack's own registry as everything here speaks to it: with the logins of the docker config and of Google's default credentials,
// and without TLS only where the stack says so.

import { RegistryClient } from "../oci/client";
import { registryCredentials } from "../oci/registryCredentials";
import { DeclaredRegistryClient, type Uncreated } from "./declaredClient";
import type { RegistryAddress } from "./names";

/** Where a stack publishes, and whether it may be spoken to by plain http. */
export interface StackRegistry extends RegistryAddress {
  readonly insecure: boolean;
  /** How it comes to be. Default `existing`. */
  readonly kind?: "existing" | "artifactRegistry";
  /** No tag of a release can be moved. Default false. */
  readonly immutableTags?: boolean;
}

/**
 * A client for that registry and for whatever else the stack names. A run makes one and passes it on: what it speaks with shares its
 * tokens. `uncreated` is asked of a registry that the stack declares itself.
 */
export function stackClient(registry: StackRegistry, uncreated?: Uncreated): RegistryClient {
  const options = { credentials: registryCredentials(), insecure: insecureHosts(registry) };
  return registry.kind === "artifactRegistry"
    ? new DeclaredRegistryClient(registry, { ...options, uncreated })
    : new RegistryClient(options);
}

/** The registry's own host, where the stack allows plain http to it; a foreign image on any other comes over TLS. */
function insecureHosts({ address, insecure }: StackRegistry): string[] {
  return insecure ? [address.split("/")[0]!] : [];
}
