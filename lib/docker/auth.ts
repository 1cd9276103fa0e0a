// Credentials on their way to the engine: a header for pushes and pulls, a question by host for builds.
import type { Credentials } from "../oci/credentials";

/** Finds the credentials of exactly this registry host (`127.0.0.1:5000`); undefined: none, go on as nobody. */
export type RegistryAuth = (host: string) => Promise<Credentials | undefined>;

/**
 * The value of X-Registry-Auth for a host: base64url WITH padding (the engine silently takes an unpadded one for
 * none at all). Without credentials an empty object, as the header itself is required.
 */
export async function registryAuthHeader(host: string, auth: RegistryAuth | undefined): Promise<string> {
  const found = await auth?.(host);
  const document = found
    ? "identityToken" in found
      ? { identitytoken: found.identityToken, serveraddress: host }
      : { username: found.username, password: found.password, serveraddress: host }
    : {};
  return Buffer.from(JSON.stringify(document)).toString("base64").replaceAll("+", "-").replaceAll("/", "_");
}
