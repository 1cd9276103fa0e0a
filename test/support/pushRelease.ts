// Releases as they lie in a registry, without a build: an image whose labels name some pins, or none.
import type { RegistryClient } from "../../lib/oci/client";
import { type Digest, sha256 } from "../../lib/oci/digest";
import type { Repository } from "../../lib/oci/reference";
import type { Inputs } from "../../lib/pins/model";
import { labelsFor } from "../unit/release/memoryRegistry";

/** An image of these pins under a version, as a release leaves it; without pins, an image that somebody else made. */
export async function pushRelease(
  client: RegistryClient,
  releases: Repository,
  { version, inputs }: { version: string; inputs?: Inputs },
): Promise<Digest> {
  const mediaType = "application/vnd.oci.image.manifest.v1+json";
  const Labels = inputs ? labelsFor(inputs) : { maintainer: "somebody" };
  const config = Buffer.from(JSON.stringify({ architecture: "amd64", os: "linux", config: { Labels } }));
  const descriptor = { digest: sha256(config), size: config.length };
  await client.pushBlob(releases, descriptor, { bytes: config });
  const described = { mediaType: "application/vnd.oci.image.config.v1+json", ...descriptor };
  const manifest = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, config: described, layers: [] }));
  return client.putManifest(releases, version, manifest, mediaType);
}
