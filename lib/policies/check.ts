// Finds broken YAML in what a policy repository ships, before anything is pushed. Files that were in order once are known
// by their content and never parsed again, so an unchanged folder costs one small read.
import { readFile, writeFile } from "node:fs/promises";
import { join, posix } from "node:path";
import { writeByRename } from "../cache";
import { PlatformError } from "../errors";
import type { YamlProblem } from "./yaml";

export interface CheckOptions {
  /** The repository's folder. */
  readonly folder: string;
  /** What ships: path in the folder → digest of the content, as a layer image lists it. */
  readonly files: Readonly<Record<string, string>>;
  /** File that remembers contents which are in order; default: nothing is remembered. */
  readonly memory?: string;
}

/** One broken file. */
export interface BrokenFile extends YamlProblem {
  /** Path in the folder. */
  readonly file: string;
}

/** Where a project remembers what was in order in one repository. */
export function memoryFile(projectDir: string, repository: string): string {
  return join(projectDir, ".policy-platform", "checked", `${repository}.json`);
}

/** What is remembered is of use only to the same rules. */
const format = 1;

/** All broken YAML files, by path. A template of a chart is no YAML before it is rendered, and is not looked at. */
export async function brokenFiles({ folder, files, memory }: CheckOptions): Promise<BrokenFile[]> {
  const known = await remembered(memory);
  const yaml = Object.keys(files).filter((file) => /\.ya?ml$/i.test(file) && !isTemplate(file, files));
  const fresh = yaml.filter((file) => !known.has(files[file]!));
  const broken: BrokenFile[] = [];
  if (fresh.length === 0) return [];
  const { parseYaml } = await import("./yaml"); // loaded here alone: mostly nothing is fresh
  for (const file of fresh.sort()) {
    const { problem } = parseYaml(await readFile(join(folder, file)));
    if (problem) broken.push({ file, ...problem });
  }
  if (memory !== undefined && fresh.length > broken.length) {
    const bad = new Set(broken.map(({ file }) => file));
    await remember(
      memory,
      yaml.filter((file) => !bad.has(file)).map((file) => files[file]!),
    );
  }
  return broken;
}

/** Throws `policy-yaml-broken` with every broken file of all the folders, and its line. */
export async function checkPolicyFolders(folders: readonly CheckOptions[]): Promise<void> {
  const found = await Promise.all(
    folders.map(async (options) => (await brokenFiles(options)).map((file) => ({ ...file, folder: options.folder }))),
  );
  const broken = found.flat();
  if (broken.length === 0) return;
  const shown = broken
    .slice(0, 20)
    .map(({ folder, file, line, reason }) => `${posix.join(folder, file)}:${line}: ${reason}`);
  const more = broken.length > shown.length ? [`and ${broken.length - shown.length} more`] : [];
  throw new PlatformError("policy-yaml-broken", {
    what: [...shown, ...more].join("\n"),
    rule: brokenYamlRule,
    fix: brokenYamlFix,
  });
}

export const brokenYamlRule = "every YAML file that ships is in order, as Kyverno drops a broken one without a word";
export const brokenYamlFix = "mend that line, or name the file in the folder's .policyignore";

/** In `templates/` beside a Chart.yaml, at any depth. */
function isTemplate(file: string, files: Readonly<Record<string, string>>): boolean {
  const steps = file.split("/");
  return steps.some((step, index) => {
    const chart = [...steps.slice(0, index), "Chart.yaml"].join("/");
    return step === "templates" && index < steps.length - 1 && Object.hasOwn(files, chart);
  });
}

/** A memory that is missing, broken or of other rules is empty: it only ever saves work. */
async function remembered(memory: string | undefined): Promise<ReadonlySet<string>> {
  try {
    const content = JSON.parse(await readFile(memory!, "utf8")) as { format: number; inOrder: string[] };
    return new Set(content.format === format ? content.inOrder : []);
  } catch {
    return new Set();
  }
}

async function remember(memory: string, digests: readonly string[]): Promise<void> {
  const content = JSON.stringify({ format, inOrder: [...new Set(digests)].sort() });
  await writeByRename(memory, (temporary) => writeFile(temporary, content)).catch(() => undefined);
}
