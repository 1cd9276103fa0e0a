// What every policy repository of a stack ships, for the check of their policies: folders as they lie there, what is fetched as it was
// read, and layer images from their registry. The file list of a layer image is remembered by its digest, so that it is read once.
import { readFile, writeFile } from "node:fs/promises";
import { projectCache, writeByRename } from "../cache";
import { PlatformError } from "../errors";
import type { RegistryClient } from "../oci/client";
import { type Digest, sha256, shortDigest } from "../oci/digest";
import { parsePinned, parseRepository, type Repository } from "../oci/reference";
import type { CheckedRepository } from "../policies/check";
import { memoryFile } from "../policies/memory";
import { printable } from "../printable";
import { repositoryNames } from "../registry/names";
import { contentIn } from "../release/structures";
import type { FreshSettings } from "./freshContents";
import type { RepositoryContent } from "./repositoryContent";
import { pinnedLayer, type RepositorySource } from "./repositorySource";

export interface ShippedOptions {
  readonly projectDir: string;
  /** Folders by repository name. */
  readonly folders: Readonly<Record<string, { readonly files: Readonly<Record<string, string>> }>>;
  /** What was fetched, by repository name. */
  readonly contents: Readonly<Record<string, RepositoryContent>>;
}

/** One of them, under its name. */
export interface ShippedRepository extends CheckedRepository {
  readonly name: string;
}

/** All of them in the order of the settings; without a layer image that is not in its registry, as then nothing can be built of it either. */
export async function shippedPolicies(
  client: RegistryClient,
  settings: FreshSettings,
  { projectDir, folders, contents }: ShippedOptions,
): Promise<ShippedRepository[]> {
  const repositories = Object.entries(settings.policies).map(async ([name, source]) => {
    const memory = memoryFile(projectDir, name);
    const folder = Object.hasOwn(folders, name) ? folders[name] : undefined;
    if (folder) return [{ name, shown: source.folder!, source: source.folder!, files: folder.files, memory }];
    const content = Object.hasOwn(contents, name) ? contents[name] : undefined;
    if (content) {
      await rememberFiles(projectDir, name, { digest: content.image.digest, files: content.image.files });
      return [{ name, shown: name, source: content.read, files: content.image.files, memory }];
    }
    const digest = pinnedLayer(source);
    const layer = digest && (await pinned(name, digest, { client, settings, source, projectDir }));
    return layer ? [{ name, shown: name, memory, ...layer }] : [];
  });
  return (await Promise.all(repositories)).flat();
}

/** Where layer images of a repository are. One that is given as such may live anywhere, and its earlier ones are beside it; what it was before is in ours. */
export function homesOf(source: RepositorySource | undefined, own: Repository): Repository[] {
  if (source?.image === undefined || source.path !== undefined) return [own];
  const { registry, path } = parsePinned(source.image);
  return [{ registry, path }, own];
}

interface PinnedOptions {
  readonly client: RegistryClient;
  readonly settings: FreshSettings;
  readonly source: RepositorySource;
  readonly projectDir: string;
}

async function pinned(
  name: string,
  digest: Digest,
  { client, settings: { registry }, source, projectDir }: PinnedOptions,
): Promise<Pick<CheckedRepository, "files" | "source"> | undefined> {
  const own = parseRepository(repositoryNames(registry).policies(name));
  let reading: ReturnType<typeof contentIn> | undefined;
  const content = () => {
    reading ??= contentIn(client, homesOf(source, own), name, digest).then((files) => requireLayer(files, name));
    return reading;
  };
  const known = await recallFiles(projectDir, name, digest);
  const read = known ? undefined : await content();
  if (!known && !read) return undefined;
  const files =
    known ?? Object.fromEntries([...read!].map(([path, bytes]) => [path, shortDigest(sha256(bytes))]).sort());
  if (!known) await rememberFiles(projectDir, name, { digest, files });
  return { files, source: async (path) => (await content())?.get(path) };
}

/** An image that holds more than the repository would lay its other files over the platform image. */
function requireLayer<T extends Awaited<ReturnType<typeof contentIn>>>(files: T, name: string): T {
  const others = [...(files?.keys() ?? [])].filter((path) => path.startsWith("/"));
  if (others.length === 0) return files;
  const shown = others.slice(0, 3).map((path) => printable(path));
  throw new PlatformError("repository-image-foreign", {
    what: `the image of policies.${name} holds ${others.length} files outside of /repos/${name} (${shown.join(", ")}${others.length > 3 ? ", …" : ""})`,
    rule: "an image that is given alone is a layer image, as `policy-platform repository push` makes it",
    fix: `name the folder of the policies in it, and pin it: pulumi config set --path 'policy-platform:policies.${name}.path' /repos/${name} && policy-platform pin ${name}`,
  });
}

/** What is remembered of a layer image, and nothing that would need its registry. */
export async function rememberedPolicies(
  projectDir: string,
  name: string,
  digest: Digest,
): Promise<CheckedRepository | undefined> {
  const files = await recallFiles(projectDir, name, digest);
  return files && { shown: name, files, source: async () => undefined, memory: memoryFile(projectDir, name) };
}

/** What is remembered is of use only to the same reader. */
const format = 1;

interface ShippedFiles {
  readonly digest: Digest;
  readonly files: Readonly<Record<string, string>>;
}

/** The files of the very layer image that was seen last; a memory that is missing or broken only costs a read. */
async function recallFiles(
  projectDir: string,
  name: string,
  digest: Digest,
): Promise<ShippedFiles["files"] | undefined> {
  try {
    const memory = JSON.parse(await readFile(shippedFile(projectDir, name), "utf8")) as ShippedFiles & {
      format: number;
    };
    return memory.format === format && memory.digest === digest ? memory.files : undefined;
  } catch {
    return undefined;
  }
}

async function rememberFiles(projectDir: string, name: string, { digest, files }: ShippedFiles): Promise<void> {
  if (await recallFiles(projectDir, name, digest)) return;
  const content = JSON.stringify({ format, digest, files });
  const write = (temporary: string) => writeFile(temporary, content);
  await writeByRename(shippedFile(projectDir, name), write).catch(() => undefined);
}

function shippedFile(projectDir: string, name: string): string {
  return projectCache(projectDir, "shipped", `${name}.json`);
}
