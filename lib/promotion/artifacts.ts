// The artifacts that are promoted with an image: where they are beside it, and what is promoted without them.
import { artifactHead } from "../flux/head";
import type { RegistryClient } from "../oci/client";
import type { Digest } from "../oci/digest";
import { parseRepository } from "../oci/reference";
import { promoteLine, promotionGone, promotionMismatch } from "./errors";

/** An artifact that a promotion takes. */
export interface PromotedArtifact {
  /** Repository that it comes from, `host/path`. */
  readonly source: string;
  readonly digest: Digest;
  /** Of its layer. */
  readonly revision: Digest;
}

export interface ArtifactRequest {
  /** Repository of the releases that it comes from, `host/path`. */
  readonly from: string;
  /** Repository of an environment's artifacts that it goes to. */
  readonly to: (environment: string) => string;
  readonly version: string;
  /** Digests by environment, as the stack file names them. */
  readonly wanted: Readonly<Record<string, Digest>>;
  /** Environments that the image was made for. */
  readonly environments: readonly string[];
  readonly stack: string;
  readonly source?: () => string | undefined;
}

export interface PromotedArtifacts {
  /** By environment. */
  readonly artifacts: Readonly<Record<string, PromotedArtifact>>;
  /** For people: what is not taken along. */
  readonly lines: readonly string[];
}

/** `…/releases/policies/<environment>` of `…/releases/<image>`, with whatever joins the levels there. */
export function artifactsBeside(releases: string, environment: string): string {
  const [, root, separator] = /^(.*\/releases|.*[^/]-releases)(\/)[^/]+$/.exec(releases) ??
    /^(.*?\/(?:[^/]*?-)??releases)(-)[^/]+$/.exec(releases) ?? [undefined, releases.replace(/\/[^/]*$/, ""), "/"];
  return [root, "policies", environment].join(separator);
}

/** What the version of a release names for each environment; environments without an artifact are left out. */
export async function releasedArtifacts(
  client: RegistryClient,
  { from, version, environments }: Pick<ArtifactRequest, "from" | "version" | "environments">,
): Promise<Record<string, Digest>> {
  const found = environments.map(async (environment): Promise<[string, Digest][]> => {
    const named = await client.resolve(parseRepository(artifactsBeside(from, environment)), version);
    return named ? [[environment, named.digest]] : [];
  });
  return Object.fromEntries((await Promise.all(found)).flat());
}

/**
 * Looks each of them up where it goes, else where it comes from: there the version must name it.
 * Errors: `promotion-gone`, `promotion-mismatch`, `artifact-foreign`.
 */
export async function lookUpArtifacts(client: RegistryClient, request: ArtifactRequest): Promise<PromotedArtifacts> {
  const { from, to, version, wanted, environments, stack, source } = request;
  const found = Object.entries(wanted).map(async ([environment, digest]) => {
    const [there, here] = [artifactsBeside(from, environment), to(environment)];
    const names = { from: there, to: here, version, digest, stack, ...(source && { source }) };
    const own = await artifactHead(client, parseRepository(here), digest);
    const isReleased = own && (await client.resolve(parseRepository(here), version))?.digest === digest;
    const named = isReleased ? undefined : await client.resolve(parseRepository(there), version);
    if (!isReleased && named?.digest !== digest) throw promotionMismatch(names, version, named?.digest);
    const head = own ?? (await artifactHead(client, parseRepository(there), digest));
    if (!head) throw promotionGone(names);
    return [environment, { source: there, digest, revision: head.revision }] as const;
  });
  const missing = environments.filter((name) => !Object.hasOwn(wanted, name));
  const line = `${version} is promoted without the artifacts of ${missing.join(", ")}, which promotion.artifacts does not name; where they exist, ${promoteLine(stack, source?.())} writes them`;
  return { artifacts: Object.fromEntries(await Promise.all(found)), lines: missing.length > 0 ? [line] : [] };
}
