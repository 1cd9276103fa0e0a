// What a build takes from the sources of a module beside compiling them: files that go beside the binaries, and an edit.
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { diskFull, saysDiskFull } from "../../lib/diskFull";
import { PlatformError } from "../../lib/errors";
import { exec } from "../../lib/exec";

/** A folder of a module's sources. */
export type SourceFolder = {
  readonly module: string;
  /** Path in the module. */
  readonly folder: string;
};

/** One place in a file of a module, and what stands there in the build. */
export type SourceEdit = {
  readonly module: string;
  /** Path in the module. */
  readonly file: string;
  /** What stands there once. */
  readonly from: string;
  readonly to: string;
};

/** Where the sources of modules come from: a folder with go.mod and go.sum, and the environment of the build. */
export interface GoModule {
  readonly folder: string;
  readonly env: Readonly<Record<string, string>>;
}

/** Copies a folder of sources, which go has checked against go.sum. Error: `disk-full`. */
export async function copySources({ module, folder }: SourceFolder, target: string, goModule: GoModule): Promise<void> {
  const source = join(await sourcesOf(module, goModule), folder);
  // Without their modes: the module cache is read-only, and what is copied from it would be hard to remove.
  const { code, stderr } = await exec("cp", ["-r", "--no-preserve=mode", source, target], { env: { LC_ALL: "C" } });
  if (code === 0) return;
  throw saysDiskFull(stderr) ? diskFull(target) : new Error(`cp of ${source}: ${stderr.trim()}`);
}

/**
 * Copies a module with one edit into the folder `target`, and resolves with a go.mod that builds with the copy.
 * Error: `sources-changed`.
 */
export async function editSources(edit: SourceEdit, target: string, goModule: GoModule): Promise<string> {
  const sources = join(target, "sources");
  await rm(target, { recursive: true, force: true });
  await mkdir(target, { recursive: true });
  await copySources({ module: edit.module, folder: "." }, sources, goModule);
  const file = join(sources, edit.file);
  const parts = (await readFile(file, "utf8")).split(edit.from);
  if (parts.length !== 2) throw sourcesChanged(edit, parts.length - 1);
  await writeFile(file, parts.join(edit.to));
  const goMod = await readFile(join(goModule.folder, "go.mod"), "utf8");
  await writeFile(join(target, "go.mod"), `${goMod}\nreplace ${edit.module} => ${sources}\n`);
  await writeFile(join(target, "go.sum"), await readFile(join(goModule.folder, "go.sum")));
  return join(target, "go.mod");
}

async function sourcesOf(module: string, { folder, env }: GoModule): Promise<string> {
  const { stdout } = await exec("go", ["list", "-mod=readonly", "-m", "-f", "{{.Dir}}", module], { cwd: folder, env });
  return stdout.trim();
}

function sourcesChanged({ module, file, from }: SourceEdit, found: number): PlatformError {
  return new PlatformError("sources-changed", {
    what: `${JSON.stringify(from)} stands ${found} times in ${file} of ${module}`,
    rule: "an edit of sources names what stands there once",
    fix: "look into the file of the new version and mend the edit in local/toolchain/programs.json",
  });
}
