// Pushes an artifact by digest: no tag, and nothing that is there already.
import type { RegistryClient } from "../oci/client";
import { missingFrom, putNode } from "../oci/copy";
import { sha256 } from "../oci/digest";
import { manifestType } from "../oci/mediaTypes";
import type { Repository } from "../oci/reference";
import type { FluxArtifact } from "./artifact";

/** Bytes of blobs that were uploaded: 0 where the artifact was there. */
export async function pushArtifact(
  client: RegistryClient,
  repository: Repository,
  { digest, revision, manifest, config, layer }: FluxArtifact,
): Promise<number> {
  const missing = await missingFrom(client, repository, digest);
  if (missing.length === 0) return 0;
  let uploaded = 0;
  const push = async (force: boolean) => {
    const blobs = [
      { digest: revision, bytes: layer },
      { digest: sha256(config), bytes: config },
    ];
    await Promise.all(
      blobs.map(async ({ digest, bytes }) => {
        const result = await client.pushBlob(repository, { digest, size: bytes.length }, { bytes }, { force });
        if (result === "uploaded") uploaded += bytes.length;
      }),
    );
  };
  await push(false);
  if (missing.includes(digest))
    await putNode(client, repository, { digest, bytes: manifest, mediaType: manifestType }, () => push(true));
  return uploaded;
}
