// A folder of a commit of a git repository, from the user's cache or from its server.
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readdir, rm, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { cacheFolder, writeByRename } from "../cache";
import { defaultLimits } from "../oci/limits";
import { retrying } from "../oci/retry";
import type { Tree } from "../oci/tree";
import { wrongContent } from "./failures";
import { type FetchOptions, fetchCommit } from "./fetch";
import { WrongObject } from "./objects";
import { type Place, readTree } from "./tree";
import { requireGitUrl } from "./url";

export interface GitTreeOptions extends FetchOptions {
  /** False: only what is in the cache is read. Default true. */
  readonly mayFetch?: boolean;
  readonly log?: (text: string) => void;
}

/** Commits kept of one folder of one repository, the last used first. */
const kept = 5;
/** Tries of a fetch: a server that does not answer is asked again. */
const limits = { ...defaultLimits, attempts: 3 };

/**
 * The tree of a folder of a commit, each object held to its hash. Undefined where it is not in the cache and may not be fetched.
 * What a killed fetch left is never looked at; what a disk damaged is fetched again. Errors: `url-malformed`,
 * `url-credentials`, `git-*` (see failures.ts), `git-path-missing`, `folder-too-large`, `disk-full`.
 */
export async function gitTree(place: Place, options: GitTreeOptions = {}): Promise<Tree | undefined> {
  const { mayFetch = true, log, signal } = options;
  requireGitUrl(place.url);
  const folder = folderOf(place);
  if (existsSync(folder)) {
    const tree = await fromCache(folder, place, signal);
    if (tree !== undefined || !mayFetch) return tree;
  }
  if (!mayFetch) return undefined;
  log?.(`fetching ${place.url} at ${place.commit.slice(0, 12)}`);
  await retrying(() => fetchTo(folder, place, options), { limits, signal, log });
  await dropOld(join(folder, ".."), place.commit);
  try {
    return await readTree(folder, place, signal);
  } catch (error) {
    if (!(error instanceof WrongObject)) throw error;
    await rm(folder, { recursive: true, force: true });
    throw wrongContent(place.url, place.commit, error.message);
  }
}

/** One for each folder of a repository that is taken, and in it one for each commit: only what the folder needs was fetched. */
function folderOf({ url, path = "", commit }: Place): string {
  const key = createHash("sha256").update(`${url}\n${path}`).digest("hex").slice(0, 16);
  return cacheFolder("git", key, commit);
}

/** Undefined, and gone, where it is damaged. */
async function fromCache(folder: string, place: Place, signal?: AbortSignal): Promise<Tree | undefined> {
  try {
    const tree = await readTree(folder, place, signal);
    await utimes(folder, new Date(), new Date()).catch(() => undefined);
    return tree;
  } catch (error) {
    if (!(error instanceof WrongObject)) throw error;
    await rm(folder, { recursive: true, force: true });
    return undefined;
  }
}

/** Where another run was first, its copy stays. */
async function fetchTo(folder: string, place: Place, options: FetchOptions): Promise<void> {
  try {
    await writeByRename(folder, (temporary) => fetchCommit(place, temporary, options));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "ENOTEMPTY" && code !== "EEXIST") throw error;
  }
}

async function dropOld(folder: string, own: string): Promise<void> {
  const names = (await readdir(folder)).filter((name) => /^[0-9a-f]{40,64}$/.test(name) && name !== own);
  const dated = await Promise.all(
    names.map(async (name) => ({ name, used: (await stat(join(folder, name)).catch(() => undefined))?.mtimeMs ?? 0 })),
  );
  const old = dated.sort((a, b) => b.used - a.used).slice(kept - 1);
  for (const { name } of old) await rm(join(folder, name), { recursive: true, force: true });
}
