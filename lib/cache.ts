// The user's cache folder, and files that appear in it whole or not at all.

import { randomBytes } from "node:crypto";
import { mkdir, open, rename, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { basename, dirname, isAbsolute, join } from "node:path";
import { PlatformError } from "./errors";

/** `$XDG_CACHE_HOME/policy-platform/…`, else `~/.cache/policy-platform/…`; nothing is created. A relative XDG_CACHE_HOME is ignored, as its specification says. */
export function cacheFolder(...segments: readonly string[]): string {
  const base = process.env.XDG_CACHE_HOME ?? "";
  return join(isAbsolute(base) ? base : join(homedir(), ".cache"), "policy-platform", ...segments);
}

/**
 * Lets `write` make a file (or folder) under a temporary name beside `path`, then renames it: whoever finds `path` finds it
 * whole, also after a kill or a power cut. A failed write leaves nothing. Error: `cache-full`.
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
    const path = join(folder, await write(temporary));
    const file = await open(temporary, "r");
    await file.sync().finally(() => file.close());
    await rename(temporary, path);
    return path;
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "ENOSPC" && code !== "EDQUOT") throw error;
    throw new PlatformError(
      "cache-full",
      {
        what: `no space left in ${folder}`,
        rule: "downloads and builds are kept in the cache folder",
        fix: "free space there, or set XDG_CACHE_HOME to a folder on another disk",
      },
      { cause: error },
    );
  }
}
