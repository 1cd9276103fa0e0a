// What a run of the program rendered for clusters, on its way to whoever writes it: texts in the user's cache, digests of them in the
// state, which every step of an update writes whole.
import { readFile, writeFile } from "node:fs/promises";
import { projectCache, writeByRename } from "../cache";
import { canonicalJson } from "../canonicalJson";
import { PlatformError } from "../errors";
import { type Digest, sha256 } from "../oci/digest";
import { mapRecord } from "../record";

/** Files by name, of each folder. */
export type RenderedContents = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** Of all files of a folder. */
export function contentDigest(files: Readonly<Record<string, string>>): Digest {
  return sha256(canonicalJson(files));
}

/** Keeps the texts until the next run of the stack; the digest of each folder. */
export async function keepContents(
  projectDir: string,
  stack: string,
  contents: RenderedContents,
): Promise<Record<string, Digest>> {
  await writeByRename(fileOf(projectDir, stack), (temporary) => writeFile(temporary, JSON.stringify(contents)));
  return mapRecord(contents, contentDigest);
}

/** The files of these folders, each with the digest that is asked for. Error: `render-lost`. */
export async function keptContents(
  projectDir: string,
  stack: string,
  folders: Readonly<Record<string, string>>,
): Promise<RenderedContents> {
  const kept = await readFile(fileOf(projectDir, stack), "utf8").then(
    (text) => JSON.parse(text) as RenderedContents,
    () => ({}) as RenderedContents,
  );
  return mapRecord(folders, (digest, folder) => {
    const files = kept[folder];
    if (files && contentDigest(files) === digest) return files;
    throw new PlatformError("render-lost", {
      what: `what this run rendered into ${folder} is not in the user's cache any more`,
      rule: "what is written is what the same run rendered",
      fix: `run it again when no other run of this stack is under way: pulumi up --stack ${stack}`,
    });
  });
}

function fileOf(projectDir: string, stack: string): string {
  return projectCache(projectDir, "clusters", `${stack}.json`);
}
