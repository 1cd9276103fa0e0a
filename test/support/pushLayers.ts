// An image of layers in any shape, hostile ones included: its tar archives are not our writer's.
import { gzipSync } from "node:zlib";
import type { RegistryClient } from "../../lib/oci/client";
import { sha256 } from "../../lib/oci/digest";
import { configType, manifestType } from "../../lib/oci/mediaTypes";
import type { Repository } from "../../lib/oci/reference";
import { type TarItem, tarball } from "./tarball";

export interface LayersOptions {
  /** Of the image. */
  readonly labels?: unknown;
  /** Media type that each layer is said to have; all are packed by gzip. */
  readonly layerType?: string;
}

/** Pushes it under its own digest. */
export async function pushLayers(
  client: RegistryClient,
  to: Repository,
  layers: readonly (readonly TarItem[])[],
  { labels, layerType = "application/vnd.oci.image.layer.v1.tar+gzip" }: LayersOptions = {},
) {
  const descriptors = [];
  for (const items of layers) {
    const bytes = gzipSync(await tarball(...items));
    const descriptor = { mediaType: layerType, digest: sha256(bytes), size: bytes.length };
    await client.pushBlob(to, descriptor, { bytes });
    descriptors.push(descriptor);
  }
  const config = Buffer.from(
    JSON.stringify({
      architecture: "amd64",
      os: "linux",
      config: { Labels: labels },
      rootfs: { type: "layers", diff_ids: [] },
    }),
  );
  await client.pushBlob(to, { digest: sha256(config), size: config.length }, { bytes: config });
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: manifestType,
      config: { mediaType: configType, digest: sha256(config), size: config.length },
      layers: descriptors,
    }),
  );
  return { digest: await client.putManifest(to, sha256(manifest), manifest, manifestType), size: manifest.length };
}
