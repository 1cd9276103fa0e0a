// Looks at both registries before the first resource of a promotion: what is wanted, what is there, what must not happen.
// It reads only, and asks the source for nothing once the target has the release.
import type { RegistryClient } from "../oci/client";
import type { Digest } from "../oci/digest";
import { formatReference, type Repository } from "../oci/reference";
import { historyOf, lookBack, newestRelease } from "../release/history";
import type { KnownRelease } from "../release/known";
import { movedTags } from "../release/movedTags";
import { compareReleases, versionTags } from "../release/versions";
import {
  type Promoted,
  promotionDowngrade,
  promotionForeign,
  promotionGone,
  promotionMismatch,
  promotionTaken,
} from "./errors";
import type { PlacedImage } from "./policies";

/** A release by all its names. */
export interface PromotionRequest {
  readonly from: Repository;
  readonly to: Repository;
  /** `vX.Y.Z`. */
  readonly version: string;
  readonly digest: Digest;
  /** `sha-…`. */
  readonly commitTag: string;
  /** A version below the highest one of the target is wanted. */
  readonly rollback: boolean;
  /** Named in the commands that fix an error. */
  readonly stack: string;
  /** The stack that released it, where that is known; named there too. */
  readonly source?: () => string | undefined;
  /** What the stack's state remembers of its last promotion. */
  readonly known?: Promise<KnownRelease | undefined>;
  /** The commit tag that this stack wrote on this very digest, which keeps it. */
  readonly kept?: Promise<string | undefined>;
}

/** A release under its version; the version is unknown of what `latest` names without any. */
export interface NamedImage extends Partial<PlacedImage> {
  readonly digest: Digest;
  readonly version?: string;
}

export interface PromotionLookup {
  readonly image: PlacedImage & { readonly inputDigest: Digest };
  /** Versions of the target, highest first. */
  readonly versions: readonly string[];
  /** What `latest` of the target names. */
  readonly latest?: Digest;
  /** What people of the target use now: what `latest` names, else its highest version. */
  readonly current?: NamedImage;
  /** The highest version of the target below the promoted one. */
  readonly before?: NamedImage & { readonly version: string };
  /**
   * Tags of the promotion that do not name it in the target yet; none where the state says that this stack wrote them all: a run
   * without a refresh does nothing then.
   */
  readonly lacking: readonly string[];
  /** For people: a line for each tag that this stack wrote for this promotion and that is elsewhere or gone. */
  readonly moved: readonly string[];
  /** The commit tag that stays in place of the promotion's, which is not written. */
  readonly kept?: string;
}

/**
 * Errors: `version-taken`, `promotion-downgrade`, `promotion-gone`, `promotion-mismatch`, `promotion-foreign`,
 * and those of a registry that does not answer.
 */
export async function lookUpPromotion(client: RegistryClient, request: PromotionRequest): Promise<PromotionLookup> {
  const { from, to, version, digest, commitTag, rollback } = request;
  const names = { ...request, from: formatReference(from), to: formatReference(to) };
  const here = historyOf(client, to);
  const [tags, known, kept, tagged, committed, held, latest] = await Promise.all([
    client.tags(to),
    request.known,
    request.kept,
    here.digestAt(version),
    here.digestAt(commitTag),
    here.at(digest),
    here.at("latest"),
  ]);
  const isOwn = known?.version === version && known.digest === digest;
  if (tagged !== undefined && tagged !== digest && !isOwn) throw promotionTaken(names, version, tagged);
  const isCommitted = committed === digest;
  if (committed !== undefined && !isCommitted && kept === undefined) throw promotionTaken(names, commitTag, committed);
  const versions = versionTags(tags);
  const [highest] = versions;
  if (highest && compareReleases(version, highest) < 0 && !rollback) throw promotionDowngrade(names, highest);

  // What this stack promoted was compared with the source then: a tag that is gone since is no reason to ask again, another commit is.
  const isOther = kept !== undefined && kept !== commitTag && !isCommitted;
  const isReleased = isOwn ? !isOther : tagged === digest && isCommitted;
  const found = held && isReleased ? { ...held, repository: to } : await sourceImage(client, request, names);
  const { inputs, inputDigest } = found;
  if (!inputs || !inputDigest) throw promotionForeign(names);

  const nameOf = async (image: Digest) => {
    if (known?.digest === image) return known.version;
    const newest = versions.slice(0, lookBack);
    const digests = await Promise.all(newest.map((candidate) => here.digestAt(candidate)));
    return newest[digests.indexOf(image)];
  };
  const newestOf = async (candidates: readonly string[]) => {
    const release = await newestRelease(here, candidates);
    return release && { ...release, repository: to };
  };
  const [before, top, moved] = await Promise.all([
    newestOf(versions.filter((candidate) => compareReleases(candidate, version) < 0)),
    latest ? undefined : newestOf(versions),
    isOwn ? movedTags(here, { released: digest, tags: [version, ...(known.tags ?? [])], stack: request.stack }) : [],
  ]);
  const isDone = isOwn && known.tags?.includes("latest") === true;
  const named = { ...(!isOther && { [commitTag]: committed }), [version]: tagged, latest: latest?.digest };
  const current = latest ? { ...latest, repository: to, version: await nameOf(latest.digest) } : top;
  return {
    image: { ...found, inputs, inputDigest },
    versions,
    ...(latest && { latest: latest.digest }),
    ...(current && { current }),
    ...(before && { before }),
    lacking: isDone ? [] : Object.keys(named).filter((tag) => named[tag] !== digest),
    moved,
    ...(isOther && { kept }),
  };
}

/** The release in the source, where version and commit must name the same digest. */
async function sourceImage(
  client: RegistryClient,
  { from, version, digest, commitTag }: PromotionRequest,
  names: Promoted,
) {
  const there = historyOf(client, from);
  const [image, byVersion, byCommit] = await Promise.all([
    there.at(digest),
    there.digestAt(version),
    there.digestAt(commitTag),
  ]);
  if (!image) throw promotionGone(names);
  if (byVersion !== digest) throw promotionMismatch(names, version, byVersion);
  if (byCommit !== digest) throw promotionMismatch(names, commitTag, byCommit);
  return { ...image, repository: from };
}
