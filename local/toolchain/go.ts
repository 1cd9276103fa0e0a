// Builds programs from Go modules into the cache folder: pinned by go.sum, in a build cache of their own, moved into
// place by rename.
import { existsSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { cacheFolder, placeFolder } from "../../lib/cache";
import { compareVersions } from "../../lib/compareVersions";
import { diskFull, saysDiskFull } from "../../lib/diskFull";
import { PlatformError } from "../../lib/errors";
import { exec } from "../../lib/exec";
import type { Layout } from "../layout";
import type { Step } from "../steps";
import { networkEnvironment } from "./network";
import { buildTarget, isBuilt, type ProgramName, programFolder, programOf } from "./programs";
import { copySources, editSources } from "./sources";

/** What every module here can be built with: the highest `go` line among them. */
const neededGo = "1.26.6";
/** What an older Go fetches for itself from the module proxy, checked against the checksum database. */
const fetchedGo = "go1.26.8";
const buildTimeout = 40 * 60_000;

export interface Go {
  /** `go1.26.8`: the one that builds, which an older `go` command fetches for itself. */
  readonly version: string;
  /** Value of GOTOOLCHAIN for the builds. */
  readonly toolchain: string;
}

/** The Go of this machine. Errors: `go-missing`, `go-too-old`. */
export async function findGo(): Promise<Go> {
  const answer = await exec("go", ["env", "GOVERSION"], { env: { GOTOOLCHAIN: "local" } }).catch(() => undefined);
  const version = /^go[0-9.]+/.exec(answer?.stdout ?? "")?.[0];
  if (answer?.code !== 0 || version === undefined) {
    throw new PlatformError("go-missing", {
      what: "the command go cannot be run",
      rule: `tools are built from Go modules by Go ${neededGo} or later`,
      fix: "install Go (https://go.dev/dl) and put it on PATH",
    });
  }
  if (compareVersions(version.slice(2), neededGo) >= 0) return { version, toolchain: "local" };
  if (compareVersions(version.slice(2), "1.21") >= 0) return { version: fetchedGo, toolchain: fetchedGo };
  throw new PlatformError("go-too-old", {
    what: `go is ${version}`,
    rule: `Go ${neededGo} or later builds the tools, and 1.21 or later can fetch it`,
    fix: "install a newer Go (https://go.dev/dl) and put it first on PATH",
  });
}

export interface BuildOptions {
  readonly layout: Layout;
  readonly go: Go;
  readonly step: Step;
}

/** Builds a program unless it is in the cache; resolves with the folder that holds its binaries. */
export async function build(name: ProgramName, { layout, go, step }: BuildOptions): Promise<string> {
  const folder = programFolder(layout, name, go.version);
  if (isBuilt(folder, name)) {
    step.outcome("there already");
    return folder;
  }
  const program = programOf(name);
  const module = join(layout.modules, name);
  const env = {
    ...goEnvironment(layout, go),
    CGO_ENABLED: program.cgo ? "1" : "0",
  };
  const temporary = `${folder}.${process.pid}.tmp`;
  await rm(temporary, { recursive: true, force: true });
  await mkdir(temporary, { recursive: true });
  try {
    const total = await countPackages(name, module, env, step);
    const edited = join(temporaryFolder(layout), name);
    const goMod = program.edit && (await editSources(program.edit, edited, { folder: module, env }));
    let compiled = 0;
    for (const [binary, path] of Object.entries(program.binaries)) {
      const tags = program.tags ? ["-tags", program.tags] : [];
      // -v prints the name of each package as its compilation begins.
      const args = [
        "build",
        "-v",
        "-mod=readonly",
        ...(goMod ? ["-modfile", goMod] : []),
        "-trimpath",
        "-buildvcs=false",
        ...tags,
        "-ldflags",
        program.ldflags ?? "",
      ];
      const result = await exec("go", [...args, "-o", join(temporary, binary), path], {
        cwd: module,
        env,
        timeout: buildTimeout,
        signal: step.signal,
        onOutput: (text) => {
          compiled += text.split("\n").length - 1;
          step.progress(`package ${Math.min(compiled, total)} of about ${total}`);
        },
      });
      if (result.code !== 0) throw buildFailed(name, result.stderr);
    }
    for (const [target, source] of Object.entries(program.files ?? {}))
      await copySources(source, join(temporary, target), { folder: module, env });
    await placeFolder(temporary, folder, Object.keys(program.binaries).at(-1)!);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
  step.outcome("built from Go modules");
  return folder;
}

/** Fetches the modules of a program that is going to be built, so that the network is busy while others compile. */
export async function fetchModules(name: ProgramName, { layout, go, step }: BuildOptions): Promise<void> {
  if (isBuilt(programFolder(layout, name, go.version), name)) return;
  step.progress(name);
  await countPackages(name, join(layout.modules, name), { ...goEnvironment(layout, go), CGO_ENABLED: "0" }, step);
}

/** Removes the build cache: it is worth nothing once the binaries are there, and it is large. */
export async function removeBuildCache(layout: Layout): Promise<void> {
  if (existsSync(layout.cache.goBuild)) await rm(layout.cache.goBuild, { recursive: true, force: true });
}

/** Counting resolves every package, which downloads exactly the modules that the build needs. */
async function countPackages(
  name: ProgramName,
  module: string,
  env: Record<string, string>,
  step: Step,
): Promise<number> {
  const { tags, binaries } = programOf(name);
  const args = ["list", "-mod=readonly", "-deps", ...(tags ? ["-tags", tags] : []), ...Object.values(binaries)];
  await mkdir(env.GOTMPDIR!, { recursive: true });
  const result = await exec("go", args, { cwd: module, env, timeout: buildTimeout, signal: step.signal });
  if (result.code !== 0) throw buildFailed(name, result.stderr);
  return result.stdout.split("\n").length - 1;
}

function goEnvironment(layout: Layout, go: Go): Record<string, string> {
  return {
    ...networkEnvironment(),
    ...buildTarget,
    GOTOOLCHAIN: go.toolchain,
    GOCACHE: layout.cache.goBuild,
    // Beside the build cache and not in /tmp, which is small on many machines.
    GOTMPDIR: temporaryFolder(layout),
    GOFLAGS: "",
    GOWORK: "off",
  };
}

function temporaryFolder(layout: Layout): string {
  return join(layout.cache.goBuild, "tmp");
}

function buildFailed(name: ProgramName, stderr: string): PlatformError {
  if (saysDiskFull(stderr)) return diskFull(`the build of ${name} ${programOf(name).version} in ${cacheFolder()}`);
  const tail = stderr.trim().split("\n").slice(-6).join("\n    ");
  const offline = /dial tcp|no such host|connection refused|i\/o timeout|TLS handshake|proxyconnect/.test(stderr);
  return new PlatformError("build-failed", {
    what: `go build of ${name} ${programOf(name).version} failed:\n    ${tail}\n`,
    rule: "its sources come from Go's module proxy, each checked against go.sum",
    fix: offline
      ? "set GOPROXY to a proxy that can be reached and run it again"
      : "mend what go says above and run it again",
  });
}
