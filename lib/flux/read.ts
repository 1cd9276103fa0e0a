// An artifact as a registry has it, for whoever has no policy repositories: promotions, and what is delivered to clusters.
import { posix } from "node:path";
import { PlatformError } from "../errors";
import type { RegistryClient } from "../oci/client";
import { type Digest, isDigest } from "../oci/digest";
import { readOneLayer } from "../oci/layer";
import { readManifest } from "../oci/manifest";
import { formatReference, type Repository } from "../oci/reference";
import { fluxConfigType, fluxLayerType, renderAnnotation } from "./artifact";
import { type ArtifactContent, kustomizationFile } from "./content";
import { documentsOf } from "./documents";

/** Files of one artifact that are read. */
const maxEntries = 100_000;

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

/** Files and objects of an artifact, in its order. Errors: `artifact-foreign`, `artifact-missing`, `policy-yaml-broken`, those of `readOneLayer`. */
export async function readArtifact(
  client: RegistryClient,
  repository: Repository,
  digest: Digest,
): Promise<ArtifactContent> {
  const head = await artifactHead(client, repository, digest);
  if (!head) {
    throw new PlatformError("artifact-missing", {
      what: `artifact ${digest} is not in ${formatReference(repository)}`,
      rule: "what clusters get is in its repository, by its digest",
      fix: "push it again: pulumi up --refresh, in the stack that releases it",
    });
  }
  const layer = { mediaType: fluxLayerType, digest: head.revision, size: head.size };
  const read = await readOneLayer(client, repository, layer, { maxEntries });
  const files = new Map([...read].sort(([a], [b]) => (a < b ? -1 : 1)));
  const documents = [...files]
    .filter(([path]) => path !== kustomizationFile)
    .flatMap(([path, content]) => {
      const found = documentsOf(content);
      if ("problem" in found)
        throw new PlatformError("policy-yaml-broken", {
          what: `${posix.join(formatReference(repository), path)}:${found.problem.line}: ${found.problem.reason}`,
          rule: "every file of an artifact is YAML",
          fix: "release it again with this program",
        });
      return found.map((document) => ({ ...document, path, repository: path.split("/")[0]! }));
    });
  return { files, documents };
}
