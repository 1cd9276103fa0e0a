// The download of a release that nobody has pinned yet: its checksum is what this finds out.
import { createHash } from "node:crypto";
import { mkdir, open, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { cacheFolder } from "../lib/cache";
import { messageOf, PlatformError } from "../lib/errors";
import { contentLimits } from "../lib/oci/limits";

/** Minutes are for the largest releases on slow lines. */
const timeout = 15 * 60_000;

/** Downloads into the cache, under the checksum that `download` will look for, and returns that checksum: 64 hex characters. */
export async function firstDownload(url: string, mirrors: Readonly<Record<string, string>>): Promise<string> {
  const folder = cacheFolder("downloads");
  await mkdir(folder, { recursive: true });
  const temporary = join(folder, `first.${process.pid}.part`);
  const file = await open(temporary, "w");
  try {
    const hash = createHash("sha256");
    let size = 0;
    for await (const chunk of await body(mirrored(url, mirrors))) {
      size += chunk.length;
      if (size > contentLimits.downloadBytes) throw failed(url, `has more than ${contentLimits.downloadBytes} bytes`);
      hash.update(chunk);
      await file.writeFile(chunk);
    }
    await file.sync();
    const sha256 = hash.digest("hex");
    await rename(temporary, join(folder, sha256));
    return sha256;
  } finally {
    await file.close();
    await rm(temporary, { force: true });
  }
}

async function body(url: string): Promise<AsyncIterable<Uint8Array>> {
  const response = await fetch(url, { signal: AbortSignal.timeout(timeout), headers: { accept: "*/*" } }).catch(
    (error) => {
      throw failed(url, messageOf((error as Error).cause ?? error));
    },
  );
  const type = response.headers.get("content-type") ?? "";
  const wrong = !response.ok
    ? `answered ${response.status}`
    : /^text\/html|^application\/xhtml/i.test(type)
      ? `gave a web page (${type.slice(0, 60)})`
      : !response.url.startsWith("https://") && new URL(response.url).host !== new URL(url).host
        ? "redirects away from https"
        : undefined;
  if (wrong === undefined && response.body) return response.body;
  await response.body?.cancel();
  throw failed(url, wrong ?? "has no body");
}

/** The mirror of a host takes the place of scheme and host; the path follows it. */
function mirrored(url: string, mirrors: Readonly<Record<string, string>>): string {
  const { host, pathname, search } = new URL(url);
  const mirror = Object.hasOwn(mirrors, host) ? mirrors[host]! : undefined;
  return mirror === undefined ? url : `${mirror.replace(/\/$/, "")}${pathname}${search}`;
}

function failed(url: string, reason: string): PlatformError {
  return new PlatformError("download-failed", {
    what: `${new URL(url).host}${new URL(url).pathname}: ${reason}`,
    rule: "a release is downloaded once to find its checksum",
    fix: "check version and address, or name a mirror of the host under policy-platform:mirrors",
  });
}
