// Where everything here finds the login of a registry, at the moment of the call: the docker config, then what a cloud's environment gives.
import { type CredentialStore, dockerCredentials } from "./credentials";
import { googleCredentials } from "./googleCredentials";

/** What the docker config has for a host wins; for Google's registries the environment's default credentials come after it. */
export function registryCredentials(): CredentialStore {
  const docker = dockerCredentials();
  return { find: async (host) => (await docker.find(host)) ?? googleCredentials.find(host) };
}
