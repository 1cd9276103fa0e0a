// Fetches what one folder of one commit needs into a new bare repository. No work tree, no history, no tags, no hooks.
import { readdirSync, statSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { contentLimits } from "../oci/limits";
import { requireSmall } from "../oci/tree";
import { commitMissing, gitFailure, refusesHashes, wrongContent } from "./failures";
import { WrongObject } from "./objects";
import { type GitResult, git } from "./run";
import { blobsOf, listTree, type Place, shownPlace } from "./tree";

export interface FetchOptions {
  readonly signal?: AbortSignal;
  /** Bytes of what is fetched, packed; more ends the fetch. Default that of a whole policy folder. */
  readonly maxBytes?: number;
  /** Seconds that a transfer may stand still; default 60. */
  readonly idleSeconds?: number;
  /** Milliseconds of one fetch; default ten minutes. */
  readonly timeout?: number;
}

/**
 * How a server is asked, best first. `folder`: trees alone, then the contents of that folder, so that the rest of a large
 * repository never comes; `commit`: all of the commit; `branches`: everything, for servers that give no commit by its hash.
 */
type Way = "folder" | "commit" | "branches";

/** Makes a bare repository at `into`, which must not exist. Errors: those of `gitFailure`, `git-path-missing`, `folder-too-large`. */
export async function fetchCommit(place: Place, into: string, options: FetchOptions = {}): Promise<void> {
  const ways: readonly Way[] = place.path === undefined ? ["commit", "branches"] : ["folder", "commit", "branches"];
  for (const [index, way] of ways.entries()) {
    const refusal = await attempt(place, into, way, options);
    if (refusal === undefined) return;
    if (!refusesHashes(refusal) || index === ways.length - 1) throw failureOf(refusal, place, options);
    await rm(into, { recursive: true, force: true });
  }
}

/** Undefined when all is there; else what git said. */
async function attempt(
  place: Place,
  repository: string,
  way: Way,
  options: FetchOptions,
): Promise<GitResult | undefined> {
  const { url, commit } = place;
  const format = commit.length === 64 ? "sha256" : "sha1";
  const made = await git(["init", "--quiet", "--bare", "--template=", `--object-format=${format}`, repository]);
  if (made.code !== 0) return made;
  const what = {
    folder: { flags: ["--depth=1", "--filter=blob:none"], refs: [commit] },
    commit: { flags: ["--depth=1"], refs: [commit] },
    branches: { flags: [], refs: ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"] },
  }[way];
  const fetched = await fetchInto(repository, [...what.flags, "--", url, ...what.refs], options);
  await writeFile(join(repository, "config"), configOf(format));
  if (fetched.code !== 0) return fetched;
  // What is in none of its branches is missing there; what was asked for by name and did not come is a lie.
  const isThere = way !== "branches" || (await missingOf(repository, [commit], options)).length === 0;
  if (!isThere) throw commitMissing(url, commit);
  try {
    const listing = await listTree(repository, place, options.signal);
    const files = [...listing.nodes.values()].filter(({ kind }) => kind === "file").length;
    requireSmall(shownPlace(place), { files, bytes: 0 });
    const missing = way === "folder" ? await missingOf(repository, blobsOf(listing), options) : [];
    if (missing.length === 0) return undefined;
    const input = `${missing.join("\n")}\n`;
    const contents = await fetchInto(repository, ["--stdin", "--", url], options, input);
    return contents.code === 0 ? undefined : contents;
  } catch (error) {
    throw error instanceof WrongObject ? wrongContent(url, commit, error.message) : error;
  }
}

function fetchInto(
  repository: string,
  args: readonly string[],
  options: FetchOptions,
  input?: string,
): Promise<GitResult> {
  const { maxBytes = contentLimits.folderBytes, idleSeconds = 60, timeout = 600_000, signal } = options;
  const quiet = ["--quiet", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head", "--no-auto-maintenance"];
  return git(["--git-dir", repository, "fetch", ...quiet, ...args], {
    input,
    idleSeconds,
    timeout,
    signal,
    watch: () => packedBytes(repository) > maxBytes,
  });
}

/** Packs grow under their temporary names. */
function packedBytes(repository: string): number {
  const folder = join(repository, "objects", "pack");
  try {
    const sizes = readdirSync(folder).map((name) => statSync(join(folder, name), { throwIfNoEntry: false })?.size ?? 0);
    return sizes.reduce((sum, size) => sum + size, 0);
  } catch {
    return 0; // not made yet
  }
}

async function missingOf(repository: string, names: readonly string[], { signal }: FetchOptions): Promise<string[]> {
  const input = `${names.join("\n")}\n`;
  const { stdout } = await git(["--git-dir", repository, "cat-file", "--batch-check"], { input, signal });
  return [...stdout.toString("latin1").matchAll(/^([0-9a-f]+) missing$/gm)].map(([, name]) => name!);
}

/** Forgets the server: otherwise git would ask it, one by one, for each object that is not there. */
function configOf(format: "sha1" | "sha256"): string {
  const lines = [
    "[core]",
    "\trepositoryformatversion = 1",
    "\tbare = true",
    "[extensions]",
    `\tobjectFormat = ${format}`,
    "",
  ];
  return lines.join("\n");
}

function failureOf(result: GitResult, { url, commit }: Place, { maxBytes = contentLimits.folderBytes }: FetchOptions) {
  return gitFailure(result, { url, ref: commit }, { bytes: maxBytes });
}
