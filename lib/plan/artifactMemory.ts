// Which artifact an environment's content made, as the last run of a project on this machine computed it.
import { readFile, rm, writeFile } from "node:fs/promises";
import { projectCache, writeByRename } from "../cache";
import type { Digest } from "../oci/digest";

/** The artifact of one environment; without a digest it is not known here. */
export interface PlannedArtifact {
  readonly digest?: Digest;
  /** Digest of its layer. */
  readonly revision?: Digest;
  /** Digest of what a part of it is rendered from, where charts are. */
  readonly render?: Digest;
}

interface Remembered {
  /** Of everything that it depends on. */
  readonly key: Digest;
  readonly artifact: PlannedArtifact;
}

/** A memory that is missing, broken or of other content only costs the work. */
export async function recallArtifact(
  projectDir: string,
  environment: string,
  key: Digest,
): Promise<PlannedArtifact | undefined> {
  try {
    const memory = JSON.parse(await readFile(fileOf(projectDir, environment), "utf8")) as Remembered;
    return memory.key === key ? memory.artifact : undefined;
  } catch {
    return undefined;
  }
}

export async function rememberArtifact(projectDir: string, environment: string, memory: Remembered): Promise<void> {
  const write = (temporary: string) => writeFile(temporary, JSON.stringify(memory));
  await writeByRename(fileOf(projectDir, environment), write).catch(() => undefined);
}

/** For what was not equal to what the gate has seen: it is computed again. */
export async function forgetArtifact(projectDir: string, environment: string): Promise<void> {
  await rm(fileOf(projectDir, environment), { force: true });
}

function fileOf(projectDir: string, environment: string): string {
  return projectCache(projectDir, "artifacts", `${environment}.json`);
}
