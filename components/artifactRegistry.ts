// What kind artifactRegistry declares in Google Cloud: a repository each for candidates, layers and releases, and who may pull and push.
import { createHash } from "node:crypto";
import type { Repository, RepositoryArgs } from "@pulumi/gcp/artifactregistry";
import type * as pulumi from "@pulumi/pulumi";
import { type Root, rootName, roots } from "../lib/registry/names";

/** Which candidates may be deleted. No field names a repository, a package or a tag, so no rule can reach what is kept. */
export interface CandidateCleanup {
  /** Candidates that are older, in days, may be deleted. Example: 14. */
  readonly olderThanDays: number;
  /** Newest candidates of each image that stay, however old. Example: 10. */
  readonly keep: number;
  /** Delete nothing, and log what would be deleted. */
  readonly dryRun: boolean;
}

/** See PolicyRegistryArgs. */
export interface DeclaredRegistryArgs {
  readonly project: string;
  readonly location: string;
  readonly prefix: string;
  readonly only?: readonly Root[];
  readonly labels?: Readonly<Record<string, string>>;
  readonly immutableTags?: boolean;
  readonly protect?: boolean;
  readonly cleanup?: CandidateCleanup;
  readonly readers?: readonly string[];
  readonly writers?: readonly string[];
}

const descriptions: Readonly<Record<Root, string>> = {
  candidates: "Images that were built and are not released yet; they may be deleted at any time",
  layers: "Layer images of tools, policies and bases; images are composed of them by digest",
  releases: "Released images and artifacts, which clusters and CI pull",
};

/** Pinned images and clusters point at these by digest: no clean-up, and no deletion by Pulumi. */
const kept: readonly Root[] = ["layers", "releases"];

/** Declares all of it as children of `parent`; returns the ids of the repositories, which are known once these are there. */
export function declareRepositories(
  name: string,
  args: DeclaredRegistryArgs,
  parent: pulumi.ComponentResource,
): pulumi.Output<string>[] {
  // Loaded here alone: a stack with an existing registry must not pay for it.
  const { Repository, RepositoryIamMember } = require("@pulumi/gcp/artifactregistry") as GoogleCloud;
  const { readers = [], writers = [], protect = true, only = roots } = args;
  const repositories = only.map((root) => {
    const isKept = protect && kept.includes(root);
    const options = { parent, protect: isKept, retainOnDelete: isKept };
    return [root, new Repository(`${name}-${root}`, repositoryArgs(root, args), options)] as const;
  });
  const grant = (
    verb: "reader" | "writer",
    members: readonly string[],
    [root, repository]: readonly [Root, Repository],
  ) => {
    for (const member of new Set(members)) {
      const { project, location } = args;
      const inputs = { project, location, repository: rootName(root, args.prefix), member };
      const role = `roles/artifactregistry.${verb}`;
      // A plain name instead of the repository's output: a preview of the first run shows who is given what.
      const options = { parent, dependsOn: [repository] };
      new RepositoryIamMember(`${name}-${root}-${verb}-${shortHash(member)}`, { ...inputs, role }, options);
    }
  };
  for (const repository of repositories) {
    if (kept.includes(repository[0])) grant("reader", readers, repository);
    grant("writer", writers, repository);
  }
  return repositories.map(([, { id }]) => id);
}

type GoogleCloud = typeof import("@pulumi/gcp/artifactregistry");

function repositoryArgs(root: Root, args: DeclaredRegistryArgs): RepositoryArgs {
  const { project, location, prefix, labels = {}, immutableTags } = args;
  return {
    project,
    location,
    repositoryId: rootName(root, prefix),
    format: "DOCKER",
    description: descriptions[root],
    ...(Object.keys(labels).length > 0 && { labels }),
    ...(root === "releases" && immutableTags && { dockerConfig: { immutableTags } }),
    ...(root === "candidates" && args.cleanup && cleanupArgs(args.cleanup)),
  };
}

/** An age in seconds is how Google Cloud answers, whatever it was told in: anything else would be a difference at every refresh. */
function cleanupArgs({ olderThanDays, keep, dryRun }: CandidateCleanup): Partial<RepositoryArgs> {
  const olderThan = `${olderThanDays * 24 * 3600}s`;
  return {
    cleanupPolicyDryRun: dryRun,
    cleanupPolicies: [
      { id: "delete-old", action: "DELETE", condition: { tagState: "ANY", olderThan } },
      { id: "keep-newest", action: "KEEP", mostRecentVersions: { keepCount: keep } },
    ],
  };
}

/** A member's own mark in names: stable whatever the order of the list. */
function shortHash(member: string): string {
  return createHash("sha256").update(member).digest("hex").slice(0, 8);
}
