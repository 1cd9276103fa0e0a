// Policies that a test makes up, pushed as an artifact as a release would push them.
import { fluxArtifact } from "../../lib/flux/artifact";
import { artifactFiles } from "../../lib/flux/content";
import type { PolicyDocument } from "../../lib/flux/documents";
import { pushArtifact } from "../../lib/flux/push";
import { RegistryClient } from "../../lib/oci/client";
import type { Digest } from "../../lib/oci/digest";
import { manifestType } from "../../lib/oci/mediaTypes";
import { parseRepository } from "../../lib/oci/reference";

export interface PushedPolicies {
  /** `host/path`. */
  readonly repository: string;
  readonly digest: Digest;
  readonly documents: readonly PolicyDocument[];
}

export interface PushPolicies {
  /** A tag that names them; default: none. */
  readonly tag?: string;
  readonly client?: RegistryClient;
}

/** All of them in one file of one policy repository. */
export async function pushPolicies(
  repository: string,
  policies: readonly object[],
  { tag, client = new RegistryClient() }: PushPolicies = {},
): Promise<PushedPolicies> {
  const text = policies.map((document) => JSON.stringify(document)).join("\n---\n");
  const { files, documents } = artifactFiles({ repositories: { r: new Map([["p.yaml", Buffer.from(text)]]) } });
  const artifact = fluxArtifact(files);
  const home = parseRepository(repository);
  await pushArtifact(client, home, artifact);
  if (tag !== undefined) await client.putManifest(home, tag, artifact.manifest, manifestType);
  return { repository, digest: artifact.digest, documents };
}

/** A policy about one ConfigMap, of its own name, that nobody else has. */
export function configMapPolicy(name: string, message = `${name} says no`, action = "Audit") {
  return {
    apiVersion: "kyverno.io/v1",
    kind: "ClusterPolicy",
    metadata: { name },
    spec: {
      validationFailureAction: action,
      background: false,
      rules: [
        {
          name: "r",
          match: { any: [{ resources: { kinds: ["ConfigMap"], names: [name] } }] },
          validate: { message, pattern: { data: { allowed: "yes" } } },
        },
      ],
    },
  };
}
