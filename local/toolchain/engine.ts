// Pulumi's engine and its Node language host: the official release where it can be reached, else built from Go modules.
import { existsSync } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { PlatformError } from "../../lib/errors";
import { exec } from "../../lib/exec";
import { download } from "../../lib/oci/archive";
import type { Layout } from "../layout";
import type { Step } from "../steps";
import { programOf } from "./programs";

/** The release of the version in programs.json. Digest: the vendor's own Homebrew formula of that version. */
const official = {
  version: "3.257.0",
  url: "https://github.com/pulumi/pulumi/releases/download/v3.257.0/pulumi-v3.257.0-linux-x64.tar.gz",
  sha256: "d0e54b4645b98c6e108d90561fe2ef949c67348785ff80f8dc5114a7224f269b",
} as const;

/** Where the probe looks; `undefined` when the pinned digest is of another version, which then is built. */
export function officialUrl(): string | undefined {
  return official.version === programOf("pulumi").version ? official.url : undefined;
}

/** The folder of the official release in the cache, there or not: it holds `pulumi` and `pulumi-language-nodejs`. */
export function officialFolder(layout: Layout): string {
  return join(layout.cache.programs, `pulumi-${official.version}-official-${official.sha256.slice(0, 12)}`);
}

export function isOfficialThere(layout: Layout): boolean {
  return existsSync(join(officialFolder(layout), "pulumi"));
}

/** Downloads and unpacks the release unless it is in the cache. */
export async function fetchOfficial(layout: Layout, step: Step): Promise<string> {
  const folder = officialFolder(layout);
  if (isOfficialThere(layout)) {
    step.outcome("there already");
    return folder;
  }
  step.progress("downloading");
  const archive = await download(official.url, {
    sha256: official.sha256,
    to: join(layout.cache.programs, "downloads"),
    signal: step.signal,
  });
  const temporary = `${folder}.${process.pid}.tmp`;
  await mkdir(temporary, { recursive: true });
  try {
    const unpacked = await exec("tar", ["-xzf", archive, "-C", temporary, "--strip-components=1"], {
      signal: step.signal,
    });
    if (unpacked.code !== 0 || !existsSync(join(temporary, "pulumi"))) {
      throw new PlatformError("release-malformed", {
        what: `${official.url} cannot be unpacked: ${unpacked.stderr.trim() || "it holds no pulumi"}`,
        rule: "the release is a gzipped tar with the engine in it",
        fix: "free some disk and run it again",
      });
    }
    await rename(temporary, folder);
    await rm(archive, { force: true });
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
  step.outcome("official release");
  return folder;
}
