// An artifact as a registry has it, for whoever has no policy repositories: promotions, and what is delivered to clusters.
import { posix } from "node:path";
import { compareText } from "../compareText";
import { PlatformError } from "../errors";
import type { RegistryClient } from "../oci/client";
import type { Digest } from "../oci/digest";
import { readOneLayer } from "../oci/layer";
import { formatReference, type Repository } from "../oci/reference";
import { type ArtifactContent, kustomizationFile } from "./content";
import { documentsOf, inFile } from "./documents";
import { artifactHead } from "./head";
import { fluxLayerType } from "./mediaTypes";

/** Files of one artifact that are read. */
const maxEntries = 100_000;

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
  const files = new Map([...read].sort(([a], [b]) => compareText(a, b)));
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
      return inFile(path, found);
    });
  return { files, documents };
}
