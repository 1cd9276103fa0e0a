// Remembers what files of one policy repository hold, by their content, so that an unchanged one costs one small read.
import { readFile, writeFile } from "node:fs/promises";
import { projectCache, writeByRename } from "../cache";
import type { PolicyFact } from "./facts";

/** Digest of a content → its policies. Files that cannot be read as YAML are never remembered. */
export type KnownFacts = ReadonlyMap<string, readonly PolicyFact[]>;

/** What is remembered is of use only to the same reader: goes up with every change of what a fact is. */
const format = 2;

/** Where a project remembers what is in one repository. */
export function memoryFile(projectDir: string, repository: string): string {
  return projectCache(projectDir, "checked", `${repository}.json`);
}

/** A memory that is missing, broken or of another reader is empty: it only ever saves work. */
export async function recallFacts(memory: string | undefined): Promise<KnownFacts> {
  try {
    const content = JSON.parse(await readFile(memory!, "utf8")) as { format: number; files: Record<string, unknown> };
    if (content.format !== format) return new Map();
    return new Map(Object.entries(content.files).filter((entry): entry is [string, PolicyFact[]] => isWhole(entry[1])));
  } catch {
    return new Map();
  }
}

/** A memory that cannot be written is no error. */
export async function rememberFacts(memory: string, facts: KnownFacts): Promise<void> {
  const files = Object.fromEntries([...facts].sort(([a], [b]) => (a < b ? -1 : 1)));
  const content = JSON.stringify({ format, files });
  await writeByRename(memory, (temporary) => writeFile(temporary, content)).catch(() => undefined);
}

function isWhole(facts: unknown): boolean {
  const texts = ["apiVersion", "kind", "namespace", "name"] as const;
  const isFact = (fact: Partial<PolicyFact> | null) =>
    Number.isInteger(fact?.line) && texts.every((key) => typeof fact?.[key] === "string");
  return Array.isArray(facts) && facts.every(isFact);
}
