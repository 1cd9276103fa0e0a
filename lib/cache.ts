// The user's cache folder, and files that appear in it whole or not at all.

import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, isAbsolute, join, resolve } from "node:path";
import { diskFull, isDiskFull } from "./diskFull";
import { homeFolder } from "./home";
import { sha256 } from "./oci/digest";

/** Milliseconds after which an unfinished file is nobody's any more. */
const abandonedAfter = 24 * 60 * 60 * 1000;
const unfinished = /^\.\d+\.[0-9a-f]{16}\.part$/;

/** `$XDG_CACHE_HOME/policy-platform/…`, else `~/.cache/policy-platform/…`; nothing is created. A relative XDG_CACHE_HOME is ignored, as its specification says. */
export function cacheFolder(...segments: readonly string[]): string {
  const base = process.env.XDG_CACHE_HOME ?? "";
  return join(isAbsolute(base) ? base : join(homeFolder(), ".cache"), "policy-platform", ...segments);
}

/**
 * What one project remembers and decides by. It is not in the project: what lies there a commit can bring, and so whoever
 * proposes one.
 */
export function projectCache(projectDir: string, ...segments: readonly string[]): string {
  return cacheFolder("projects", sha256(resolve(projectDir)).slice("sha256:".length), ...segments);
}

/**
 * Lets `write` make a file (or folder) under a temporary name beside `path`, then renames it: whoever finds `path` finds it
 * whole, also after a kill or a power cut. A failed write leaves nothing, and what killed ones left goes after a day. Error: `disk-full`.
 */
export async function writeByRename(path: string, write: (temporary: string) => Promise<void>): Promise<void> {
  await writeNamed(dirname(path), async (temporary) => {
    await write(temporary);
    return basename(path);
  });
}

/** The same for a file whose name follows from its content: `write` returns it. Returns the path. */
export async function writeNamed(folder: string, write: (temporary: string) => Promise<string>): Promise<string> {
  const temporary = join(folder, `.${process.pid}.${randomBytes(8).toString("hex")}.part`);
  try {
    await mkdir(folder, { recursive: true });
    await dropUnfinished(folder);
    const path = join(folder, await write(temporary));
    const file = await open(temporary, "r");
    await file.sync().finally(() => file.close());
    await rename(temporary, path);
    return path;
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    throw isDiskFull(error) ? diskFull(folder, error) : error;
  }
}

/**
 * Moves a folder that was made whole to its place; where somebody else was first, theirs stays and ours goes. `mark` is a
 * file that every whole one has: a folder without it was damaged by hand and is replaced.
 */
export async function placeFolder(temporary: string, folder: string, mark: string): Promise<void> {
  if (existsSync(folder) && !existsSync(join(folder, mark))) await rm(folder, { recursive: true, force: true });
  try {
    await rename(temporary, folder);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "ENOTEMPTY" && code !== "EEXIST") throw error;
    await rm(temporary, { recursive: true, force: true });
  }
}

async function dropUnfinished(folder: string): Promise<void> {
  for (const name of (await readdir(folder)).filter((entry) => unfinished.test(entry))) {
    const path = join(folder, name);
    const changed = await stat(path).catch(() => undefined);
    if (changed && Date.now() - changed.mtimeMs > abandonedAfter) await rm(path, { recursive: true, force: true });
  }
}
