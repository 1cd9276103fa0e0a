// Looks for a base with packages: one request says whether it was built already, by whomever. The tag in the registry decides;
// the stack's state tells only whether this stack has a build to keep. It reads only.
import { PlatformError } from "../errors";
import type { RegistryClient } from "../oci/client";
import type { Digest } from "../oci/digest";
import { containerSettings, settingsOfAnswer } from "../oci/imageConfig";
import { parsePinned, parseReference, parseRepository } from "../oci/reference";
import { repositoryNames } from "../registry/names";
import type { StackRegistry } from "../registry/stackClient";
import { builtImage } from "../release/built";
import { stackOf } from "../urn";
import { type BaseSource, baseDocument, baseKey, baseLabel, installed } from "./packages";

export interface FindBaseOptions {
  /** `host/path` where bases with packages are pushed. */
  readonly repository: string;
  /** The resources in the stack's own state, by URN. */
  readonly state: () => Promise<unknown>;
}

/** What is known of a base before the first resource. */
export interface FoundBase {
  /** `host/path:<key>`. */
  readonly name: string;
  /** Undefined for one that is yet to be built, and then only. */
  readonly digest?: Digest;
  /** Whether this stack declares the build: it is still to be made, or it stands in the state as this very digest. */
  readonly build: boolean;
  /** USER of the image that the packages are installed on; empty where it names none. */
  readonly user: string;
  /** URN of a build that the state remembers and the registry has lost: what is built anew has to start from there. */
  readonly lost?: string;
  /** For people: what is wrong with the tag. */
  readonly lines: readonly string[];
}

/**
 * Finds the base that `base` names, which has packages. Errors: `base-taken`, `manifest-missing` for an image to install on that is gone, and
 * those of a registry that does not answer: only 404 counts as "not built yet".
 */
export async function findBase(client: RegistryClient, base: BaseSource, options: FindBaseOptions): Promise<FoundBase> {
  const { repository, state } = options;
  const place = parseRepository(repository);
  const key = baseKey(base);
  const name = `${repository}:${key}`;
  const [answer, resources] = await Promise.all([client.manifest(place, key), state()]);
  const build = builtImage(resources, repository);
  const own = build?.name === name && build.digest ? { urn: build.urn, digest: build.digest } : undefined;
  if (answer) {
    const { labels, user } = await settingsOfAnswer(client, place, answer);
    if (labels[baseLabel] !== baseDocument(base)) throw taken(name, answer.digest);
    const { digest } = answer;
    if (!own || own.digest === digest) return { name, digest, build: own !== undefined, user, lines: [] };
    const line = `${name} was built a second time, and names ${digest} instead of ${own.digest} now: every stack uses what the tag names`;
    return { name, digest, build: false, user, lines: [line] };
  }
  const source = parsePinned(base.image);
  const { user } = await containerSettings(client, source, source.digest);
  if (!own) return { name, build: true, user, lines: [] };
  const isThere = await client.resolve(place, own.digest);
  const gone = isThere
    ? `tag ${key} is gone from ${repository}`
    : `${repository}@${own.digest} is gone from its registry`;
  const line = `${gone}: this stack goes on with what it built; ${rebuildLine(own.urn)} pushes it again`;
  return { name, digest: own.digest, build: true, user, lines: [line], ...(isThere ? {} : { lost: own.urn }) };
}

/** The part of a stack's settings that a base is looked for with. */
export interface BaseSettings {
  readonly base: BaseSource;
  readonly registry: StackRegistry;
}

/** Looks for the base of a stack in its registry; undefined for one without packages, which its own digest names. */
export async function findStackBase(
  client: RegistryClient,
  { base, registry }: BaseSettings,
  state: FindBaseOptions["state"],
): Promise<FoundBase | undefined> {
  if (!installed(base.packages)) return undefined;
  const repository = repositoryNames(registry).base();
  return findBase(client, base, { repository, state });
}

/** Throws `base-lost` when an image is to be built on a base that its registry has lost, and that was not built again meanwhile. */
export async function requireBase(
  client: RegistryClient,
  base: BaseSource,
  { name, digest, lost }: FoundBase,
): Promise<void> {
  const place = parseReference(name);
  if (lost === undefined || (digest && (await client.resolve(place, digest)))) return;
  throw new PlatformError("base-lost", {
    what: `the base with ${countOf(base)} that this stack built is gone from its registry: ${place.registry}/${place.path}@${digest}`,
    rule: "an image is composed on a base that is there; layers/base is under no clean-up rule",
    fix: `build it again: ${rebuildLine(lost)}`,
  });
}

/** `base-unbuilt`: of a preview a line, an error where nothing is built at all. */
export function baseUnbuilt(base: BaseSource, name: string, stack: string): PlatformError {
  return new PlatformError("base-unbuilt", {
    what: `a base with ${countOf(base)} is built first, as ${name} is not there yet`,
    rule: "a base with packages is built once, and known by its digest from then on",
    fix: `pulumi up --stack ${stack} builds it`,
  });
}

/** `2 packages`. */
function countOf({ packages = {} }: BaseSource): string {
  const count = Object.values(packages).flatMap((versions) => Object.keys(versions ?? {})).length;
  return `${count} package${count === 1 ? "" : "s"}`;
}

function rebuildLine(urn: string): string {
  return `pulumi up --replace '${urn}' --stack ${stackOf(urn)}`;
}

function taken(name: string, digest: Digest): PlatformError {
  return new PlatformError("base-taken", {
    what: `${name} names ${digest}, which does not carry the pins of this base`,
    rule: "a base with packages is found by the key of its pins, and its label says which they are",
    fix: "find out who pushed it, delete that tag in the registry, and run it again",
  });
}
