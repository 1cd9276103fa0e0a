// Pulumi's engine and its Node language host: the official release where it can be reached, else built from Go modules.
import { existsSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { placeFolder } from "../../lib/cache";
import { diskFull, saysDiskFull } from "../../lib/diskFull";
import { PlatformError } from "../../lib/errors";
import { exec } from "../../lib/exec";
import { download } from "../../lib/oci/archive";
import type { Layout } from "../layout";
import type { Step } from "../steps";
import { programOf } from "./programs";

export interface Release {
  readonly version: string;
  readonly url: string;
  readonly sha256: string;
}

/** The release of the version in programs.json. Digest: the vendor's own Homebrew formula of that version. */
const official: Release = {
  version: "3.257.0",
  url: "https://github.com/pulumi/pulumi/releases/download/v3.257.0/pulumi-v3.257.0-linux-x64.tar.gz",
  sha256: "d0e54b4645b98c6e108d90561fe2ef949c67348785ff80f8dc5114a7224f269b",
};

/** Where the probe looks; `undefined` when the pinned digest is of another version, which then is built. */
export function officialUrl(): string | undefined {
  return official.version === programOf("pulumi").version ? official.url : undefined;
}

export function isOfficialThere(layout: Layout): boolean {
  return existsSync(join(releaseFolder(layout, official), "pulumi"));
}

/** Downloads and unpacks the release unless it is in the cache: the folder with `pulumi` and `pulumi-language-nodejs`. */
export async function fetchOfficial(layout: Layout, step: Step, release = official): Promise<string> {
  const folder = releaseFolder(layout, release);
  if (existsSync(join(folder, "pulumi"))) {
    step.outcome("there already");
    return folder;
  }
  step.progress("downloading");
  const archive = await download(release.url, {
    sha256: release.sha256,
    to: join(layout.cache.programs, "downloads"),
    signal: step.signal,
  });
  const temporary = `${folder}.${process.pid}.tmp`;
  await mkdir(temporary, { recursive: true });
  try {
    const args = ["-xzf", archive, "-C", temporary, "--strip-components=1", "--no-same-owner"];
    const unpacked = await exec("tar", args, { env: { LC_ALL: "C" }, signal: step.signal });
    if (saysDiskFull(unpacked.stderr)) throw diskFull(folder);
    if (unpacked.code !== 0 || !existsSync(join(temporary, "pulumi"))) {
      throw new PlatformError("release-malformed", {
        what: `${release.url} cannot be unpacked: ${unpacked.stderr.trim() || "it holds no pulumi"}`,
        rule: "the release is a gzipped tar with the engine in it",
        fix: "look into the archive: the pinned checksum says that it is what was released",
      });
    }
    await placeFolder(temporary, folder, "pulumi");
    await rm(archive, { force: true });
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
  step.outcome("official release");
  return folder;
}

function releaseFolder(layout: Layout, { version, sha256 }: Release): string {
  return join(layout.cache.programs, `pulumi-${version}-official-${sha256.slice(0, 12)}`);
}
