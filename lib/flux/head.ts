// What an artifact in a registry says of itself, without its content.
import { PlatformError } from "../errors";
import type { RegistryClient } from "../oci/client";
import { type Digest, isDigest } from "../oci/digest";
import { readManifest } from "../oci/manifest";
import { formatReference, type Repository } from "../oci/reference";
import { fluxConfigType, fluxLayerType, renderAnnotation } from "./mediaTypes";

/** What the manifest of an artifact says. */
export interface ArtifactHead {
  readonly digest: Digest;
  /** Digest of its one layer. */
  readonly revision: Digest;
  readonly size: number;
  /** Digest of what a part of it was rendered from. */
  readonly render?: Digest;
}

/** The head of what a tag or a digest names; undefined where it names nothing. Error: `artifact-foreign`. */
export async function artifactHead(
  client: RegistryClient,
  repository: Repository,
  reference: string,
): Promise<ArtifactHead | undefined> {
  const answer = await client.manifest(repository, reference);
  if (!answer) return undefined;
  const content = readManifest(answer.bytes, answer.mediaType);
  const layer = content.kind === "manifest" && content.config.mediaType === fluxConfigType && content.layers[0];
  if (!layer || layer.mediaType !== fluxLayerType || content.layers.length !== 1) {
    throw new PlatformError("artifact-foreign", {
      what: `${formatReference(repository)} has ${reference}, which is no artifact of policies`,
      rule: "a repository of artifacts holds Flux artifacts of one layer",
      fix: "find out what else writes to this repository, and take it away there",
    });
  }
  const { annotations } = JSON.parse(answer.bytes.toString("utf8")) as { annotations?: Record<string, unknown> };
  const render = annotations?.[renderAnnotation];
  return {
    digest: answer.digest,
    revision: layer.digest,
    size: layer.size,
    ...(typeof render === "string" && isDigest(render) && { render }),
  };
}
