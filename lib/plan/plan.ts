// What one run of the program is going to do, decided before its first resource: inputs, version, commit tag.
// It looks at the registry once and writes nothing.
import { baseUnbuilt, type FoundBase, requireBase } from "../base/find";
import { installed } from "../base/packages";
import { PlatformError } from "../errors";
import type { RegistryClient } from "../oci/client";
import { type Digest, shortDigest } from "../oci/digest";
import { formatReference, parsePinned, parseRepository } from "../oci/reference";
import { type Inputs, inputDigest, pick } from "../pins/model";
import { requirePolicies } from "../policies/check";
import { filterRecord, mapRecord } from "../record";
import { repositoryNames } from "../registry/names";
import type { StackRegistry } from "../registry/stackClient";
import { builtImage } from "../release/built";
import { gatedArtifacts } from "../release/gateRecord";
import { requireMovableLatest } from "../release/immutableTags";
import { knownRelease } from "../release/known";
import { type Preflight, preflight } from "../release/preflight";
import { commitTag } from "../release/source";
import { findStem } from "../release/stem";
import { structureMemory } from "../release/structureMemory";
import { freshContents } from "../sources/freshContents";
import { pinnedLayer, remoteSource } from "../sources/repositorySource";
import { homesOf, shippedPolicies } from "../sources/shippedPolicies";
import { type TestSource, testSources } from "../sources/testSource";
import { type ArtifactPlan, planArtifacts } from "./artifacts";
import { type Composition, type CompositionSettings, compose } from "./composition";

/** The part of a stack's settings that decides what is released. */
export interface ReleaseSettings extends CompositionSettings {
  /** `vX.Y.Z` or `auto`. */
  readonly version: string;
  readonly registry: StackRegistry;
  readonly image: { readonly name: string; readonly user: string };
  /** Commit to name where there is no git. */
  readonly source?: string;
}

/** Whose release it is. */
export interface ReleaseStack {
  readonly stack: string;
  /** The resources in the stack's own state, by URN: they tell a version tag that was moved by hand from a release. */
  readonly state: () => Promise<unknown>;
  /** File that remembers how the structure of one policy repository changed; default: nothing is remembered. */
  readonly memory?: (repository: string) => string;
}

export interface PlanOptions extends ReleaseStack {
  readonly projectDir: string;
  /** True in a preview: then nothing is downloaded, and what only a download can tell stays unknown. */
  readonly preview: boolean;
  /** The base, where it has packages, with the digest that it was found or built under. */
  readonly base?: FoundBase;
}

/** A folder as a layer image, without its bytes. */
export interface FolderContent {
  /** The layer image's manifest digest. */
  readonly digest: Digest;
  /** Path in the folder → short digest of the file's content. */
  readonly files: Readonly<Record<string, string>>;
}

/** What is `undefined` is honestly unknown in this preview. */
export interface Plan {
  /** What the folders hold, by repository name. */
  readonly folders: Readonly<Record<string, FolderContent>>;
  /** What does not ship of them, above all their tests, by repository name. */
  readonly tests: Readonly<Record<string, TestSource>>;
  /** Layer image digests of tools by name, where only a download could tell them. */
  readonly downloaded: Composition["downloaded"];
  /** Layer image digests of the policy repositories that are fetched, by name; undefined for one that is neither pinned nor was read. */
  readonly fetched: Readonly<Record<string, Digest | undefined>>;
  /** Of what the stack file and the folders say now: never what the state remembers, as an update of a few targets would. */
  readonly inputDigest?: Digest;
  readonly version?: string;
  readonly commitTag?: string;
  /** The digest that is released with these very inputs already. */
  readonly released?: Digest;
  readonly changes?: Preflight["changes"];
  readonly artifacts?: Pick<ArtifactPlan, "artifacts" | "documents">;
  /** What the image is built from, if not from its parts: `host/path@sha256:…`. */
  readonly stem?: string;
  /** Folder of the context that the image of these inputs was built from, as the state says. */
  readonly built?: string;
  /** For people: one line per changed pin, then the version and its reason. */
  readonly lines: readonly string[];
}

/**
 * Composes the inputs, holds their policies to what Kyverno takes, asks the registry for the last release, and decides version and tags.
 * Errors: those of {@link compose}, {@link requirePolicies}, {@link preflight} and {@link commitTag}, `digest-unpinned`,
 * `base-unbuilt`, `base-lost`, `latest-immutable`, and `version-taken`; a preview says the first two as lines and leaves the last to the tag's resource.
 */
export async function planRelease(
  client: RegistryClient,
  settings: ReleaseSettings,
  options: PlanOptions,
): Promise<Plan> {
  const { base, preview, stack } = options;
  const composition = await compose(settings, { mayDownload: !preview, base: base?.digest, client });
  const { inputs, folders, downloaded, unknown } = composition;
  const contents = await freshContents(client, settings, composition.contents);
  const repositories = await shippedPolicies(client, settings, { projectDir: options.projectDir, folders, contents });
  const notes = await requirePolicies(repositories, { kyverno: pick(settings.tools, "kyverno")?.version });
  const known = {
    folders: mapRecord(folders, ({ digest, files }) => ({ digest, files })),
    tests: testSources(settings.policies, folders),
    downloaded,
    fetched: fetchedLayers(settings.policies, composition.contents),
  };
  const releases = parseRepository(repositoryNames(settings.registry).releases(settings.image.name));
  const latest = async () => (await client.resolve(releases, "latest"))?.digest;
  if (!inputs) {
    const reasons = unknownInputs(settings, unknown, options);
    if (!preview) throw reasons[0]!;
    await requireMovableLatest(settings, { digest: undefined, latest, stack });
    const lines = reasons.map(({ problem: { what, fix } }) => `${what}: version and digest are unknown here; ${fix}`);
    return { ...known, lines: [...notes, ...lines] };
  }
  const [found, tag, way, planned] = await Promise.all([
    preflightRelease(
      client,
      settings,
      { inputs, folders: { ...folders, ...mapRecord(contents, ({ image }) => image) } },
      { ...options, memory: (name) => structureMemory(options.projectDir, name) },
    ),
    commitTag({
      projectDir: options.projectDir,
      stackFile: `Pulumi.${options.stack}.yaml`,
      paths: Object.values(settings.policies).flatMap(({ folder }) => folder ?? []),
      stack: options.stack,
      inputDigest: inputDigest(inputs),
      source: settings.source,
    }),
    wayToBuild(client, settings, { inputs, state: options.state }),
    planArtifacts(client, {
      inputs,
      repositories,
      home: repositoryNames(settings.registry).artifacts,
      gated: async () => gatedArtifacts(await options.state(), formatReference(releases)),
      projectDir: options.projectDir,
    }),
  ]);
  if (found.taken && !preview) throw found.taken;
  await requireMovableLatest(settings, { digest: found.image?.digest, latest, stack });
  if (base && !found.image) await requireBase(client, settings.base, base);
  return {
    ...known,
    inputDigest: inputDigest(inputs),
    version: found.version,
    commitTag: tag,
    released: found.image?.digest,
    changes: found.changes,
    ...way,
    artifacts: planned,
    lines: [...notes, ...found.lines, ...(preview ? planned.lines : [])],
  };
}

/** How the image of these inputs is built, or was. */
async function wayToBuild(
  client: RegistryClient,
  { registry, image }: Pick<ReleaseSettings, "registry" | "image">,
  { inputs, state }: Pick<PlanOptions, "state"> & { readonly inputs: Inputs },
): Promise<Pick<Plan, "stem" | "built">> {
  const names = repositoryNames(registry);
  const [candidates, releases] = [names.candidates(image.name), names.releases(image.name)];
  const resources = await state();
  const last = builtImage(resources, candidates);
  const built = last?.name === `${candidates}:${shortDigest(inputDigest(inputs))}` ? last.context : undefined;
  const isReleased = last?.digest === knownRelease(resources, releases)?.digest; // candidates may be cleaned away
  const stem = await findStem(client, {
    repository: parseRepository(releases),
    last: last?.digest && { repository: parseRepository(isReleased ? releases : candidates), digest: last.digest },
    inputs,
    isBuilt: built !== undefined,
  });
  return { ...(stem === undefined ? {} : { stem }), ...(built === undefined ? {} : { built }) };
}

/** Why the inputs are not known: pins without a digest, a base that is yet to be built, or both. */
export function unknownInputs(
  { base }: Pick<ReleaseSettings, "base">,
  unpinned: readonly string[],
  options: { readonly stack: string; readonly base?: FoundBase },
): PlatformError[] {
  const isUnbuilt = options.base !== undefined && options.base.digest === undefined;
  return [
    ...(unpinned.length > 0 ? [digestUnpinned(unpinned, options.stack)] : []),
    ...(isUnbuilt ? [baseUnbuilt(base, options.base!.name, options.stack)] : []),
  ];
}

/** Looks at the registry of `settings`. See {@link preflight}. */
export function preflightRelease(
  client: RegistryClient,
  { version, registry, image, policies, base }: ReleaseSettings,
  { inputs, folders }: { readonly inputs: Inputs; readonly folders: Composition["folders"] },
  { stack, state, memory }: ReleaseStack,
): Promise<Preflight> {
  const names = repositoryNames(registry);
  const releases = parseRepository(names.releases(image.name));
  return preflight(client, {
    releases,
    layers: (name) => homesOf(policies[name], parseRepository(names.policies(name))),
    wanted: version,
    inputs,
    ...(installed(base.packages) && {
      base: { image: parsePinned(base.image).digest, packages: base.packages! },
    }),
    folders,
    memory,
    stack,
    known: state().then((resources) => knownRelease(resources, names.releases(image.name))),
  });
}

function fetchedLayers(policies: ReleaseSettings["policies"], contents: Composition["contents"]): Plan["fetched"] {
  const remote = filterRecord(policies, (source) => remoteSource(source) !== undefined);
  return mapRecord(remote, (source, name) => pinnedLayer(source) ?? contents[name]?.image.digest);
}

/** `digest-unpinned`: the layer image of these entries is not known without making it. */
export function digestUnpinned(entries: readonly string[], stack: string): PlatformError {
  return new PlatformError("digest-unpinned", {
    what: `the layer image digest of ${entries.join(", ")} is not pinned`,
    rule: "what is repacked is pinned by the digest of what it becomes",
    fix: entries.map((entry) => `policy-platform pin ${entry} --stack ${stack}`).join(" && "),
  });
}
