// What one run of a promoting stack is going to do, decided before its first resource, and said as release notes.
import type { RegistryClient } from "../oci/client";
import { type Digest, shortDigest } from "../oci/digest";
import { isSameRepository } from "../oci/hosts";
import { formatReference, parseRepository } from "../oci/reference";
import type { Change } from "../pins/change";
import { diffInputs } from "../pins/diff";
import { lookUpArtifacts, type PromotedArtifacts } from "../promotion/artifacts";
import { promotionSelf } from "../promotion/errors";
import { lookUpPromotion, type NamedImage, type PromotionLookup, type PromotionRequest } from "../promotion/lookup";
import { type PlacedImage, policyDifference } from "../promotion/policies";
import { repositoryNames } from "../registry/names";
import type { StackRegistry } from "../registry/stackClient";
import { requireMovableLatest } from "../release/immutableTags";
import { keptCommitTag, knownRelease } from "../release/known";
import { type Preflight, stepFrom } from "../release/preflight";
import { compareReleases } from "../release/versions";

/** The part of a stack's settings that says what is promoted where. */
export interface PromotionPlanSettings {
  readonly registry: StackRegistry;
  readonly image: { readonly name: string };
  readonly promotion: {
    readonly from: string;
    readonly version: string;
    readonly digest: Digest;
    readonly commit: string;
    readonly rollback: boolean;
    /** Digests of the artifacts by environment. Default: none. */
    readonly artifacts?: Readonly<Record<string, Digest>>;
  };
}

export interface PromotionPlanOptions {
  readonly stack: string;
  /** The stack that released it, where that is known, for the commands that fix an error. */
  readonly source?: () => string | undefined;
  /** The resources in the stack's own state, by URN. */
  readonly state: () => Promise<unknown>;
  /** Going back is allowed for this once, whatever the settings say. Default false. */
  readonly mayGoBack?: boolean;
}

export interface PromotionPlan {
  readonly inputDigest: Digest;
  readonly commitTag: string;
  readonly changes: Preflight["changes"];
  /** The version is below the highest one of the target. */
  readonly isBack: boolean;
  /** By environment. */
  readonly artifacts: PromotedArtifacts["artifacts"];
  /** For people: which release comes, what it changes against what is there, or that nothing does. */
  readonly lines: readonly string[];
}

/** Files of one repository that are named. */
const shownFiles = 10;

/** Reads both registries and writes nothing. Errors: `promotion-self`, those of {@link lookUpPromotion}, `latest-immutable`. */
export async function planPromotion(
  client: RegistryClient,
  { registry, image, promotion }: PromotionPlanSettings,
  { stack, state, source, mayGoBack = false }: PromotionPlanOptions,
): Promise<PromotionPlan> {
  const name = repositoryNames(registry).releases(image.name);
  const [from, to] = [parseRepository(promotion.from), parseRepository(name)];
  const { version, digest, rollback } = promotion;
  if (isSameRepository(from, to)) throw promotionSelf({ from: promotion.from, stack });
  const resources = state();
  const request = {
    from,
    to,
    version,
    digest,
    commitTag: tagOfCommit(promotion.commit),
    rollback: rollback || mayGoBack,
    stack,
    ...(source && { source }),
    known: resources.then((its) => knownRelease(its, name)),
    kept: resources.then((its) => keptCommitTag(its, name, digest)),
  };
  const found = await lookUpPromotion(client, request);
  const { artifacts, lines } = await lookUpArtifacts(client, {
    from: promotion.from,
    to: repositoryNames(registry).artifacts,
    version,
    wanted: promotion.artifacts ?? {},
    environments: found.image.inputs.artifacts?.environments ?? [],
    stack,
    ...(source && { source }),
  });
  await requireMovableLatest({ registry, image }, { digest, latest: async () => found.latest, stack });
  const { current, before } = found;
  const isBack = isBelow(version, found);
  const isOther = current && current.digest !== digest && found.lacking.length > 0;
  const sinceCurrent = isOther ? await notesSince(client, current, found.image) : undefined;
  const isSame = before?.digest === current?.digest;
  const sinceBefore = isSame && sinceCurrent ? sinceCurrent : before && (await notesSince(client, before, found.image));
  return {
    inputDigest: found.image.inputDigest,
    commitTag: request.commitTag,
    changes: stepFrom(before, version, sinceBefore?.entries ?? []),
    isBack,
    artifacts,
    lines: [
      headline(request, found),
      ...(sinceCurrent?.lines ?? []),
      ...commitLine(request, found),
      ...found.moved,
      ...(rollback && !isBack ? [needlessRollback(request)] : []),
      ...lines,
    ],
  };
}

/** `sha-<first 12>`, of a local stack with what follows it. */
export function tagOfCommit(commit: string): string {
  return `sha-${/^[0-9a-f]{40,}$/.test(commit) ? commit.slice(0, 12) : commit}`;
}

interface Notes {
  readonly entries: readonly Change[];
  /** One for each pin that differs, each followed by the files that do. */
  readonly lines: readonly string[];
}

/** What differs between two releases; of a foreign one nothing can be told. */
async function notesSince(client: RegistryClient, old: NamedImage, next: PlacedImage): Promise<Notes> {
  const { inputs, repository } = old;
  if (!inputs || !repository)
    return { entries: [], lines: [`what is there now, ${old.digest}, does not name its inputs`] };
  const { structures, lines: below } = await policyDifference(client, { ...old, inputs, repository }, next);
  const entries = diffInputs(inputs, next.inputs, structures, { old: old.base, next: next.base });
  const lines = entries.flatMap(({ text, name }) => [text, ...indented(below.get(name) ?? [])]);
  return { entries, lines };
}

function indented(files: readonly string[]): string[] {
  const rest = files.length - shownFiles;
  const lines = files.slice(0, shownFiles).map((file) => `  ${file}`);
  return rest > 0 ? [...lines, `  and ${rest} more`] : lines;
}

function headline(
  { version, digest, from, commitTag }: PromotionRequest,
  { current, lacking, moved }: PromotionLookup,
): string {
  const named = `${version} (${shortDigest(digest)})`;
  const source = `from ${formatReference(from)}, ${commitTag}`;
  if (lacking.length === 0) return `${named} is promoted${moved.length === 0 ? ": nothing to do" : ""}`;
  if (!current) return `promotes ${named} ${source}: the first release here`;
  if (isCurrent(current, { version, digest }))
    return `${named} is here, and gets the tags that it lacks: ${lacking.join(", ")}`;
  const there = current.version ?? shortDigest(current.digest);
  const isBack = current.version !== undefined && compareReleases(version, current.version) < 0;
  if (isBack)
    return `rolls back from ${there} to ${named}${lacking.join() === "latest" ? ": only latest moves" : ` ${source}`}`;
  return `promotes ${named} ${source}, over ${there}`;
}

function isCurrent(current: NamedImage | undefined, { version, digest }: Pick<PromotionRequest, "version" | "digest">) {
  return current?.version === version && current.digest === digest;
}

/** A commit that the image is not known by here yet: whether its tag is written, where the first line does not say it. */
function commitLine(request: PromotionRequest, { current, lacking, kept }: PromotionLookup): string[] {
  const { version, digest, commitTag } = request;
  if (kept)
    return [`${commitTag} is not written: ${shortDigest(digest)} keeps ${kept}, the commit that it was promoted with`];
  if (!lacking.includes(commitTag) || lacking.includes(version) || isCurrent(current, request)) return [];
  return [`${version} is here without ${commitTag}, and gets it beside the tags that it has`];
}

function isBelow(version: string, { versions: [highest] }: PromotionLookup): boolean {
  return highest !== undefined && compareReleases(version, highest) < 0;
}

/** A permission that stays written down is none that somebody gave. */
function needlessRollback({ version, stack }: PromotionRequest): string {
  return `promotion.rollback is not needed: ${version} is below no version here; pulumi config rm --path policy-platform:promotion.rollback --stack ${stack}`;
}
