// What a tag is about, and what it is refused for, each with the way out.
import { PlatformError } from "../lib/errors";
import { revisionAnnotation } from "../lib/flux/mediaTypes";
import type { ManifestAnswer, RegistryClient } from "../lib/oci/client";
import type { Digest } from "../lib/oci/digest";
import { imageLabels } from "../lib/oci/imageConfig";
import type { Repository } from "../lib/oci/reference";
import { inputDigestLabel } from "../lib/pins/model";
import { promotionTaken } from "../lib/promotion/errors";
import { versionTaken } from "../lib/release/taken";
import { stackOf } from "../lib/urn";
import type { ResourceContext } from "./host";
import type { TagRole } from "./resources/tag";

/** Inputs whose repository, role and tag are known; digests may not be. */
export interface WantedTag {
  readonly repository: Repository;
  /** `host/path`, for messages. */
  readonly repositoryName: string;
  readonly role: TagRole;
  readonly tag: string;
  readonly digest?: Digest;
  readonly inputDigest?: string;
  /** What the state says about this very tag. */
  readonly released?: Digest;
  /** `host/path` that a promotion comes from. */
  readonly promotedFrom?: string;
  /** Of an artifact: digest of its layer. */
  readonly revision?: string;
  /** Of an artifact: repository of the image that it is released with, `host/path`. */
  readonly beside?: string;
}

/** The error for a tag that names `found`, which this stack did not release under it. */
export async function refused(
  context: ResourceContext,
  client: RegistryClient,
  { repository, repositoryName, tag, role, digest, inputDigest, promotedFrom, beside }: WantedTag,
  found: Digest,
): Promise<PlatformError> {
  const stack = stackOf(context.urn);
  if (beside !== undefined) {
    return new PlatformError("artifact-tag-taken", {
      what: `${repositoryName}:${tag} names another artifact, ${found}, and ${beside}:${tag} is released`,
      rule: "the names of an artifact never move once the image beside it has them",
      fix: `find out what else writes to ${repositoryName}, delete that tag there, then run pulumi up --stack ${stack}`,
    });
  }
  if (promotedFrom !== undefined)
    return promotionTaken({ from: promotedFrom, to: repositoryName, digest, stack }, tag, found);
  if (role === "commit") {
    return new PlatformError("commit-tag-taken", {
      what: `${repositoryName}:${tag} already names another image, ${found}`,
      rule: "a commit's tag never moves",
      fix: `commit the change first, or name its source: pulumi config set policy-platform:source <commit> --stack ${stack}`,
    });
  }
  return versionTaken({
    repository: repositoryName,
    version: tag,
    digest: found,
    inputDigest: (await imageLabels(client, repository, found).catch(() => undefined))?.[inputDigestLabel],
    wanted: inputDigest,
    tags: await client.tags(repository),
    stack,
  });
}

/** The error for a digest that its repository does not have. */
export function contentMissing({ repositoryName, tag, digest, beside }: WantedTag, stack: string): PlatformError {
  return new PlatformError("manifest-missing", {
    what: `${repositoryName} has no ${beside === undefined ? "image" : "artifact"} ${digest} that ${tag} could name`,
    rule: "a tag is written after its content has been pushed",
    fix: `run pulumi up --refresh --stack ${stack} without --target and --exclude`,
  });
}

/** Refuses an artifact whose manifest does not say that it has the layer of this release. */
export function requireRevision(
  { repositoryName, tag, revision }: WantedTag,
  { bytes, digest }: ManifestAnswer,
  stack: string,
): void {
  const { annotations } = JSON.parse(bytes.toString("utf8")) as { annotations?: Record<string, unknown> };
  const found = annotations?.[revisionAnnotation];
  if (revision === undefined || found === revision) return;
  throw new PlatformError("artifact-mismatch", {
    what: `${repositoryName}@${digest} holds ${typeof found === "string" ? found : "no policies of this program"}, and ${tag} is to name ${revision}`,
    rule: "a tag goes only to the artifact that was made of the policies of this release",
    fix: `run pulumi up --stack ${stack} without --target and --exclude`,
  });
}
