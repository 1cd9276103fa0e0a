// Where the stand-in keeps what Google Cloud would: a file for each repository and each member, so that two stacks, and the
// parallel steps of one, never write the same one. Whoever deletes a file did it behind Pulumi's back.
import { createHash } from "node:crypto";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { canonicalJson } from "../../../lib/canonicalJson";
import type { Values } from "../../../provider/host";
import { brokenRecord } from "./errors";

/** Relative to the project's folder, in which the engine starts its plugins. */
const root = join(".local", "google-cloud");

/** What names a repository. */
export interface RepositoryName {
  readonly project: string;
  readonly location: string;
  readonly repositoryId: string;
}

/** `projects/acme/locations/europe-west1/repositories/policy-releases`: the id of a repository, as Google Cloud names it. */
export function repositoryPath({ project, location, repositoryId }: RepositoryName): string {
  return `projects/${project}/locations/${location}/repositories/${repositoryId}`;
}

/** The file of a repository; with `member`, that of one right on it. */
export function recordFile(name: RepositoryName, member?: { readonly role: string; readonly member: string }): string {
  const folder = join(root, name.project, name.location, name.repositoryId);
  if (!member) return join(folder, "repository.json");
  const hash = createHash("sha256").update(`${member.role}\n${member.member}`).digest("hex");
  return join(folder, "members", `${hash.slice(0, 16)}.json`);
}

/** Undefined where there is none. */
export async function readRecord(file: string): Promise<Values | undefined> {
  try {
    return JSON.parse(await readFile(file, "utf8")) as Values;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    if (error instanceof SyntaxError) throw brokenRecord(file);
    throw error;
  }
}

/** False, and nothing written, where there is one already. */
export async function createRecord(file: string, record: Values): Promise<boolean> {
  await mkdir(dirname(file), { recursive: true });
  try {
    await writeFile(file, text(record), { flag: "wx" });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

export async function replaceRecord(file: string, record: Values): Promise<void> {
  const temporary = `${file}.${process.pid}.tmp`;
  await writeFile(temporary, text(record));
  await rename(temporary, file);
}

/** A repository takes its members with it. */
export async function deleteRepository(name: RepositoryName): Promise<void> {
  await rm(dirname(recordFile(name)), { recursive: true, force: true });
}

function text(record: Values): string {
  return `${canonicalJson(record as never)}\n`;
}
