// A full disk: recognised in what Node throws and in what other programs print, and said in one way.
import { PlatformError } from "./errors";

/** True for the errors of the system that mean it. */
export function isDiskFull(error: unknown): boolean {
  const { code } = (error ?? {}) as NodeJS.ErrnoException;
  return code === "ENOSPC" || code === "EDQUOT";
}

/** True for what go, tar, dpkg-deb and apt print about it (with LC_ALL=C). */
export function saysDiskFull(stderr: string): boolean {
  return /no space left on device|disk quota exceeded|enough free space|wrote only \d+ of \d+ bytes/i.test(stderr);
}

/** Error `disk-full`. `where` is a folder, or what was to be written. */
export function diskFull(where: string, cause?: unknown): PlatformError {
  return new PlatformError(
    "disk-full",
    {
      what: `no space left ${where.startsWith("/") ? "in" : "for"} ${where}`,
      rule: "what is written is written whole or not at all, so nothing half-made is left",
      fix: "free space there and run it again; XDG_CACHE_HOME moves the cache folder to another disk",
    },
    { cause },
  );
}
