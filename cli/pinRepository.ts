// What the pin of a policy repository is looked up from: a branch or tag of a git repository, or the tag of an image.
import { isRefName } from "../config/grammar";
import { valueAt } from "../config/issues";
import { innerFolder } from "../config/pathGrammar";
import { quoted, setLine } from "../config/problems";
import type { Edit } from "../config/stackFile";
import { PlatformError } from "../lib/errors";
import { resolveRef } from "../lib/git/refs";
import { repositoryContent } from "../lib/sources/repositoryContent";
import type { RemoteSource } from "../lib/sources/repositorySource";
import { type Lookup, pinImage } from "./pinSources";
import { narrate } from "./screen";

/** The digest of an image; of a foreign one that of its folder too; of a git repository commit and digest. */
export async function pinRepository(lookup: Lookup): Promise<Edit[]> {
  const { raw, path } = lookup;
  const folder = valueAt(raw, [...path, "folder"]);
  if (folder !== undefined) {
    throw new PlatformError("pin-unknown", {
      what: `${path.join(".")} is the folder ${quoted(folder)}`,
      rule: "a folder's digest is computed from its content at each run",
      fix: "there is nothing to pin",
    });
  }
  if (valueAt(raw, [...path, "git"]) !== undefined) return pinGit(lookup);
  const images = await pinImage(lookup, [...path, "image"]);
  const inner = valueAt(raw, [...path, "path"]);
  if (typeof inner !== "string") return images;
  const digest = await layerOf(lookup, { image: images[0]!.value, path: inner });
  return [...images, { path: [...path, "digest"], value: digest }];
}

async function pinGit(lookup: Lookup): Promise<Edit[]> {
  const { raw, path, version, stack } = lookup;
  const textAt = (key: string) => {
    const value = valueAt(raw, [...path, "git", key]);
    return typeof value === "string" ? value : undefined;
  };
  const url = textAt("url");
  const inner = textAt("path");
  if (url === undefined) throw missing(lookup, "url", "https://git.example.com/team/policies.git");
  if (inner !== undefined && innerFolder.refuse(inner)) throw missing(lookup, "path", innerFolder.example);
  const wanted = version ?? textAt("commit") ?? "HEAD";
  if (!isRefName(wanted)) {
    throw new PlatformError("pin-argument", {
      what: `${quoted(wanted)} is no branch, tag or commit`,
      rule: "a git source is pinned by the commit that a branch or a tag points at",
      fix: `policy-platform pin ${path.join(".")} BRANCH --stack ${stack}`,
    });
  }
  const isWhole = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(wanted);
  const commit = isWhole ? wanted : await resolveRef(url, wanted);
  if (!isWhole) narrate("doing", `${wanted} of ${url} is ${commit}`);
  const digest = await layerOf(lookup, { git: { url, commit, ...(inner !== undefined && { path: inner }) } });
  return Object.entries({ commit, digest }).map(([key, value]) => ({ path: [...path, "git", key], value }));
}

async function layerOf({ path, client }: Lookup, source: RemoteSource): Promise<string> {
  const log = (text: string) => narrate("doing", text);
  return (await repositoryContent(source, { at: `/repos/${path[1]}`, client, log }))!.image.digest;
}

function missing({ path, stack }: Lookup, key: string, example: string): PlatformError {
  const at = [...path, "git", key];
  return new PlatformError("pin-argument", {
    what: `${at.join(".")} is missing or malformed`,
    rule: "a git source has the address of its repository, and may have a folder in it",
    fix: setLine(at, example, { stack }),
  });
}
