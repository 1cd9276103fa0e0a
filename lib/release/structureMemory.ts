// Remembers how the structure of a policy repository differs between two contents, so that a preview after a release does not
// read and parse both again. The digests of both are the key: what is remembered is never out of date.
import { readFile, writeFile } from "node:fs/promises";
import { projectCache, writeByRename } from "../cache";
import type { Digest } from "../oci/digest";
import type { StructureChange } from "../pins/structure";

/** What is remembered is of use only to the same rules: goes up with every change of what a structure is. */
const format = 1;
/** Pairs kept, newest first. */
const kept = 16;

interface Remembered extends StructureChange {
  readonly from: Digest;
  readonly to: Digest;
}

/** Where a project remembers it of one repository. */
export function structureMemory(projectDir: string, repository: string): string {
  return projectCache(projectDir, "structures", `${repository}.json`);
}

/** Undefined where it was never compared; a file that is missing, broken or of other rules remembers nothing. */
export async function recallStructure(file: string, from: Digest, to: Digest): Promise<StructureChange | undefined> {
  const found = (await remembered(file)).find((entry) => entry.from === from && entry.to === to);
  return found && { removed: found.removed, added: found.added };
}

/** Only ever saves work: a file that cannot be written is no error. */
export async function rememberStructure(
  file: string,
  from: Digest,
  to: Digest,
  { removed, added }: StructureChange,
): Promise<void> {
  const others = (await remembered(file)).filter((entry) => entry.from !== from || entry.to !== to);
  const content = JSON.stringify({ format, changes: [{ from, to, removed, added }, ...others].slice(0, kept) });
  await writeByRename(file, (temporary) => writeFile(temporary, content)).catch(() => undefined);
}

async function remembered(file: string): Promise<readonly Remembered[]> {
  try {
    const content = JSON.parse(await readFile(file, "utf8")) as { format: number; changes: Remembered[] };
    return content.format === format ? content.changes.filter(isWhole) : [];
  } catch {
    return [];
  }
}

function isWhole({ removed, added }: Remembered): boolean {
  return [removed, added].every((list) => Array.isArray(list) && list.every((entry) => typeof entry === "string"));
}
