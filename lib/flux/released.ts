// The artifacts of a release, found by what a registry says alone.
import { PlatformError } from "../errors";
import type { RegistryClient } from "../oci/client";
import type { Digest } from "../oci/digest";
import { parseRepository } from "../oci/reference";
import type { RepositoryNames } from "../registry/names";
import { historyOf } from "../release/history";
import { versionTags } from "../release/versions";
import { artifactHead } from "./head";

/** A release that artifacts belong to. */
export interface ReleasedVersion {
  readonly version: string;
  /** Environments that it has artifacts of. */
  readonly environments: readonly string[];
}

/**
 * The release under `wanted`, else that of the highest version. A version is there once the image's tag is, and its artifacts before
 * it. Error: `release-missing`.
 */
export async function releasedVersion(
  client: RegistryClient,
  { image, names, wanted, stack }: ReleaseQuery,
): Promise<ReleasedVersion> {
  const name = names.releases(image);
  const repository = parseRepository(name);
  const version = wanted ?? versionTags(await client.tags(repository))[0];
  const release = version === undefined ? undefined : await historyOf(client, repository).at(version);
  if (version !== undefined && release)
    return { version, environments: [...(release.inputs?.artifacts?.environments ?? [])].sort() };
  throw new PlatformError("release-missing", {
    what: `${name} holds no version${wanted === undefined ? "" : ` ${wanted}`}`,
    rule: "clusters get the artifacts of a release",
    fix: `release first: pulumi up --stack ${stack}`,
  });
}

interface ReleaseQuery {
  /** Last level of the image's repository. */
  readonly image: string;
  readonly names: RepositoryNames;
  /** `vX.Y.Z`. */
  readonly wanted?: string;
  /** Named in what to do. */
  readonly stack: string;
}

/** Digest of the artifact that a release has for one environment. Error: `artifact-unreleased`. */
export async function releasedArtifact(
  client: RegistryClient,
  names: RepositoryNames,
  { version, environments }: ReleasedVersion,
  environment: string,
): Promise<Digest> {
  const name = names.artifacts(environment);
  const head = await artifactHead(client, parseRepository(name), version);
  if (head) return head.digest;
  const others = environments.filter((one) => one !== environment);
  throw new PlatformError("artifact-unreleased", {
    what: `release ${version} has no artifact of environment ${environment}: ${name} has no such tag`,
    rule: `a cluster gets an artifact of a release${others.length > 0 ? `; this one is for ${others.join(", ")}` : ""}`,
    fix: "release again with this environment below artifacts.environments, or name another one",
  });
}

/** The one environment of a release, for a cluster that names none. Error: `cluster-environment`. */
export function onlyEnvironment(cluster: string, environments: readonly string[]): string {
  const [only, ...others] = environments;
  if (only !== undefined && others.length === 0) return only;
  throw new PlatformError("cluster-environment", {
    what: `cluster ${cluster} names no environment, and the release has artifacts for ${[...environments].sort().join(", ") || "no environment"}`,
    rule: "a cluster gets the policies of one environment",
    fix: `name it: policy-platform:clusters.${cluster}.environment`,
  });
}
