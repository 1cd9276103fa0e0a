// An image without a layer, for tests that read nothing but what images say about themselves.
import { randomUUID } from "node:crypto";
import { RegistryClient } from "../../lib/oci/client";
import { type Digest, sha256 } from "../../lib/oci/digest";
import { configType, manifestType } from "../../lib/oci/mediaTypes";
import type { Repository } from "../../lib/oci/reference";

/** What containers of the image are started with. */
export interface ImageSettings {
  readonly Labels?: Readonly<Record<string, string>>;
  readonly User?: string;
}

/** Puts it under a tag, or under its own digest; no two are equal. */
export async function pushImage(place: Repository, settings: ImageSettings, tag?: string): Promise<Digest> {
  const client = new RegistryClient();
  const config = Buffer.from(
    JSON.stringify({ architecture: "amd64", os: "linux", config: settings, author: randomUUID() }),
  );
  const descriptor = { digest: sha256(config), size: config.length };
  await client.pushBlob(place, descriptor, { bytes: config });
  const described = { mediaType: configType, ...descriptor };
  const bytes = Buffer.from(
    JSON.stringify({ schemaVersion: 2, mediaType: manifestType, config: described, layers: [] }),
  );
  return client.putManifest(place, tag ?? sha256(bytes), bytes, manifestType);
}
