// A folder of rendered files: what in it differs, and how it is brought there. What is equal is not touched.
import { mkdir, readdir, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { join, relative, resolve, sep } from "node:path";
import { writeByRename } from "../cache";
import { PlatformError } from "../errors";
import { quoted } from "../printable";
import { isRendered, listFile } from "./render";

/** What is to become of a file, by its name. */
export interface FileChange {
  readonly file: string;
  readonly change: "write" | "remove";
}

/** Files that differ, in the order in which they are brought: the list last, as it names the others. Errors: `render-foreign`, `render-outside`. */
export async function renderedChanges(
  folder: string,
  files: ReadonlyMap<string, string>,
  projectDir?: string,
): Promise<FileChange[]> {
  if (projectDir !== undefined) await requireInside(folder, projectDir);
  const present = (await namesIn(folder)).filter((name) => name.endsWith(".yaml")).sort();
  const own: string[] = [];
  const same = new Set<string>();
  for (const name of present) {
    const text = await readFile(join(folder, name), "utf8").catch(() => "");
    if (isRendered(text)) own.push(name);
    else if (files.has(name)) throw foreign(join(folder, name));
    if (text === files.get(name)) same.add(name);
  }
  const written = [...files.keys()].filter((name) => !same.has(name));
  const last = (name: string) => Number(name === listFile);
  return [
    ...written.sort((a, b) => last(a) - last(b)).map((file) => ({ file, change: "write" as const })),
    ...own.filter((name) => !files.has(name)).map((file) => ({ file, change: "remove" as const })),
  ];
}

/** Writes what differs, each file by rename, and removes files of ours that are no longer wanted. Returns what it did; errors as above. */
export async function writeRendered(
  folder: string,
  files: ReadonlyMap<string, string>,
  projectDir?: string,
): Promise<FileChange[]> {
  const changes = await renderedChanges(folder, files, projectDir);
  if (changes.length > 0) await mkdir(folder, { recursive: true });
  for (const { file, change } of changes) {
    const path = join(folder, file);
    if (change === "remove") await rm(path, { force: true });
    else await writeByRename(path, (temporary) => writeFile(temporary, files.get(file)!));
  }
  return changes;
}

/** Files of ours that are there, by name. */
export async function renderedIn(folder: string): Promise<Record<string, string>> {
  const names = (await namesIn(folder)).filter((name) => name.endsWith(".yaml")).sort();
  const texts = await Promise.all(
    names.map(async (name) => [name, await readFile(join(folder, name), "utf8").catch(() => "")] as const),
  );
  return Object.fromEntries(texts.filter(([, text]) => isRendered(text)));
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

/** A link in the path may lead out of the project. */
async function requireInside(folder: string, projectDir: string): Promise<void> {
  const [place, root] = [await realFolder(resolve(folder)), await realpath(projectDir)];
  const path = relative(root, place);
  if (path !== "" && path !== ".." && !path.startsWith(`..${sep}`)) return;
  throw new PlatformError("render-outside", {
    what: `${quoted(folder)} leads to ${quoted(place)}, which is not below the project`,
    rule: "a cluster is rendered into a folder of the project",
    fix: "take the link out of the folder's path, or name another folder",
  });
}

/** Of what is there of the path, the rest as it is written. */
async function realFolder(folder: string): Promise<string> {
  try {
    return await realpath(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    const parent = join(folder, "..");
    return join(await realFolder(parent), relative(parent, folder));
  }
}

function foreign(path: string): PlatformError {
  return new PlatformError("render-foreign", {
    what: `${quoted(path)} is there, and was not made by this program`,
    rule: "a rendered file replaces one that was rendered before, and nothing that somebody wrote",
    fix: "move it, or name another folder",
  });
}
