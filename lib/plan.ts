// What one run of the program is going to do, decided before its first resource: inputs, version, commit tag.
// It looks at the registry once and writes nothing.
import { type Composition, compose, type RepositorySource, type ToolSource } from "./composition";
import { PlatformError } from "./errors";
import { RegistryClient } from "./oci/client";
import type { Digest } from "./oci/digest";
import { parseRepository } from "./oci/reference";
import { inputDigest } from "./pins/model";
import { checkPolicyFolders, memoryFile } from "./policies/check";
import { knownRelease } from "./release/known";
import { type Preflight, preflight } from "./release/preflight";
import { commitTag } from "./release/source";
import { type RegistryAddress, repositoryNames } from "./repositoryNames";

/** The part of a stack's settings that decides what is released. */
export interface ReleaseSettings {
  /** `vX.Y.Z` or `auto`. */
  readonly version: string;
  readonly registry: RegistryAddress & { readonly insecure: boolean };
  readonly image: { readonly name: string; readonly user: string };
  readonly base: { readonly image: string };
  readonly tools: Readonly<Record<string, ToolSource>>;
  readonly policies: Readonly<Record<string, RepositorySource>>;
  readonly mirrors: Readonly<Record<string, string>>;
  /** Commit to name where there is no git. */
  readonly source?: string;
}

export interface PlanOptions {
  readonly stack: string;
  readonly projectDir: string;
  /** True in a preview: then nothing is downloaded, and what only a download can tell stays unknown. */
  readonly preview: boolean;
  /** The resources in the stack's own state, by URN: they tell a version tag that was moved by hand from a release. */
  readonly state: () => Promise<unknown>;
}

/** What is `undefined` is honestly unknown in this preview. */
export interface Plan {
  readonly folders: Composition["folders"];
  /** Layer image digests of tools by name, where only a download could tell them. */
  readonly downloaded: Composition["downloaded"];
  readonly version?: string;
  readonly commitTag?: string;
  /** The digest that is released with these very inputs already. */
  readonly released?: Digest;
  readonly changes?: Preflight["changes"];
  /** For people: one line per changed pin, then the version and its reason. */
  readonly lines: readonly string[];
}

export async function planRelease(settings: ReleaseSettings, options: PlanOptions): Promise<Plan> {
  const composition = await compose({
    base: settings.base.image,
    user: settings.image.user,
    tools: settings.tools,
    policies: settings.policies,
    mirrors: settings.mirrors,
    mayDownload: !options.preview,
  });
  const { inputs, folders, downloaded, unknown } = composition;
  await checkPolicyFolders(
    Object.entries(folders).map(([name, { files }]) => ({
      folder: settings.policies[name]!.folder!,
      files,
      memory: memoryFile(options.projectDir, name),
    })),
  );
  if (!inputs) {
    const pinLines = unknown.map((tool) => `policy-platform pin ${tool} --stack ${options.stack}`);
    const what = `the layer image digest of ${unknown.join(", ")} is not pinned`;
    if (options.preview)
      return { folders, downloaded, lines: [`${what}: version and digest are unknown here; ${pinLines.join(" && ")}`] };
    throw new PlatformError("digest-unpinned", {
      what,
      rule: "an image that is repacked is pinned by the digest of what it becomes",
      fix: pinLines.join(" && "),
    });
  }
  const host = parseRepository(`${settings.registry.address}/layers`).registry;
  const client = new RegistryClient({ insecure: settings.registry.insecure ? [host] : [] });
  const names = repositoryNames(settings.registry);
  const [found, tag] = await Promise.all([
    preflight(client, {
      releases: parseRepository(names.releases(settings.image.name)),
      layers: (name) => parseRepository(names.policies(name)),
      wanted: settings.version,
      inputs,
      folders,
      stack: options.stack,
      known: options.state().then((resources) => knownRelease(resources, names.releases(settings.image.name))),
    }),
    commitTag({
      projectDir: options.projectDir,
      stackFile: `Pulumi.${options.stack}.yaml`,
      paths: Object.values(settings.policies).flatMap(({ folder }) => folder ?? []),
      stack: options.stack,
      inputDigest: inputDigest(inputs),
      source: settings.source,
    }),
  ]);
  if (found.taken && !options.preview) throw found.taken;
  return {
    folders,
    downloaded,
    version: found.version,
    commitTag: tag,
    released: found.image?.digest,
    changes: found.changes,
    lines: found.lines,
  };
}
