// Debian packages without installing them: apt with lists and archives of its own (the machine's sources, keys and proxies
// apply), so nothing on the machine changes and no root is needed. apt checks every byte against the signed lists.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { placeFolder } from "../../lib/cache";
import { diskFull, saysDiskFull } from "../../lib/diskFull";
import { PlatformError } from "../../lib/errors";
import { type ExecOptions, type ExecResult, exec } from "../../lib/exec";
import type { Layout } from "../layout";
import { networkEnvironment } from "./network";

const aptTimeout = 10 * 60_000;

/** One downloaded package. */
export interface DebianPackage {
  readonly file: string;
  readonly name: string;
  readonly version: string;
}

/** True on Debian and what is derived from it. */
export function hasApt(): boolean {
  return existsSync("/usr/bin/apt-get") && existsSync("/usr/bin/dpkg-deb");
}

/** Which release the machine's sources are of: `debian-bookworm`. */
export function debianRelease(osRelease = readOsRelease()): string {
  const value = (key: string) => new RegExp(`^${key}="?([a-z0-9.]+)"?$`, "m").exec(osRelease)?.[1];
  return `${value("ID") ?? "debian"}-${value("VERSION_CODENAME") ?? "unknown"}`;
}

function readOsRelease(): string {
  return existsSync("/etc/os-release") ? readFileSync("/etc/os-release", "utf8") : "";
}

/** apt for one run of the command: the lists are fetched at the first use, all is removed by `close`. */
export class PrivateApt {
  readonly #folder: string;
  #updated: Promise<void> | undefined;

  constructor(
    layout: Layout,
    readonly signal: AbortSignal,
  ) {
    this.#folder = join(layout.cache.debian, `apt.${process.pid}.tmp`);
  }

  /** Downloads exactly these packages into a new folder below the cache, which the caller removes. */
  download(packages: readonly string[]): Promise<DebianPackage[]> {
    return this.#fetch(["download", ...packages], packages);
  }

  /** Downloads these packages and all they depend on, as if nothing were installed. */
  downloadClosure(packages: readonly string[]): Promise<DebianPackage[]> {
    const args = ["install", "--yes", "--no-install-recommends", "--download-only", ...packages];
    return this.#fetch(args, packages);
  }

  async close(): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #fetch(args: readonly string[], packages: readonly string[]): Promise<DebianPackage[]> {
    this.#updated ??= this.#update();
    await this.#updated;
    const archives = join(this.#folder, `archives-${packages[0]}`);
    await mkdir(join(archives, "partial"), { recursive: true });
    const result = await this.#apt(["-o", `Dir::Cache::archives=${archives}/`, ...args], archives);
    const files = (await readdir(archives)).filter((name) => name.endsWith(".deb")).sort();
    if (result.code !== 0 || files.length === 0) throw aptFailed(packages.join(", "), result.stderr);
    return Promise.all(files.map((name) => describePackage(join(archives, name))));
  }

  async #update(): Promise<void> {
    await mkdir(join(this.#folder, "lists", "partial"), { recursive: true });
    await writeFile(join(this.#folder, "status"), "");
    // A source of this machine that cannot be reached fails the whole update although the others came: the download tells.
    await this.#apt(["update"], this.#folder);
  }

  #apt(args: readonly string[], cwd: string): Promise<ExecResult> {
    const options = [
      `Dir::State::lists=${this.#folder}/lists/`,
      `Dir::State::status=${this.#folder}/status`,
      `Dir::State::extended_states=${this.#folder}/extended`,
      `Dir::Cache::pkgcache=${this.#folder}/pkgcache.bin`,
      `Dir::Cache::srcpkgcache=${this.#folder}/srcpkgcache.bin`,
      `Dir::Log=${this.#folder}/`,
      "APT::Sandbox::User=root",
      "Debug::NoLocking=true",
      "Acquire::Languages=none",
      // Without it apt adds every essential package to what is asked for.
      "pkgCacheGen::ForceEssential=,",
    ].flatMap((option) => ["-o", option]);
    return run("apt-get", ["-q", ...options, ...args], {
      cwd,
      env: { ...networkEnvironment(), DEBIAN_FRONTEND: "noninteractive" },
      timeout: aptTimeout,
      signal: this.signal,
    });
  }
}

/** Unpacks one package's files into `folder`. */
export async function unpack(file: string, folder: string): Promise<void> {
  const result = await run("dpkg-deb", ["-x", file, folder]);
  if (result.code !== 0) throw aptFailed(file, result.stderr);
}

/** A program of a Debian package: the installed one, else the package's files in the cache folder. */
export async function debianProgram(
  layout: Layout,
  apt: PrivateApt,
  { name, path }: { name: string; path: string },
): Promise<{ file: string; outcome: string }> {
  const installed = join("/", path);
  if (existsSync(installed)) return { file: installed, outcome: "installed already" };
  const cached = findCached(layout, name, path);
  if (cached) return { file: cached, outcome: "there already" };
  const [downloaded] = await apt.download([name]);
  const folder = join(layout.cache.debian, `${name}-${downloaded!.version.replace(/[^A-Za-z0-9.+~-]/g, "_")}`);
  const temporary = `${folder}.${process.pid}.tmp`;
  await rm(temporary, { recursive: true, force: true });
  await unpack(downloaded!.file, temporary);
  await placeFolder(temporary, folder, path);
  return { file: join(folder, path), outcome: `Debian's package ${downloaded!.version}` };
}

function findCached(layout: Layout, name: string, path: string): string | undefined {
  if (!existsSync(layout.cache.debian)) return undefined;
  return readdirSync(layout.cache.debian)
    .filter((entry) => entry.startsWith(`${name}-`) && !entry.endsWith(".tmp"))
    .map((entry) => join(layout.cache.debian, entry, path))
    .find((file) => existsSync(file));
}

async function describePackage(file: string): Promise<DebianPackage> {
  const { stdout } = await run("dpkg-deb", ["-f", file, "Package", "Version"]);
  const field = (key: string) => new RegExp(`^${key}: (.+)$`, "m").exec(stdout)?.[1] ?? "";
  return { file, name: field("Package"), version: field("Version") };
}

/** Errors: `apt-missing`, `disk-full`. */
async function run(program: string, args: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
  const env = { ...options.env, LC_ALL: "C" };
  const result = await exec(program, args, { ...options, env }).catch((error: NodeJS.ErrnoException) => {
    throw error.code === "ENOENT" ? aptMissing(program) : error;
  });
  if (result.code !== 0 && saysDiskFull(result.stderr)) throw diskFull("the Debian packages in the cache folder");
  return result;
}

function aptMissing(program: string): PlatformError {
  return new PlatformError("apt-missing", {
    what: `${program} cannot be run on this machine`,
    rule: "the local base is made of Debian packages, unless base.image in Pulumi.local.yaml names another one",
    fix: "name a base with bash and a shell by digest as policy-platform:base.image in Pulumi.local.yaml (a copy of local/Pulumi.local.template.yaml when it is absent) and run it again",
  });
}

function aptFailed(what: string, stderr: string): PlatformError {
  const tail = stderr
    .trim()
    .split("\n")
    .filter((line) => /^[EW]:/.test(line))
    .slice(-3)
    .join(" ");
  return new PlatformError("packages-unavailable", {
    what: `Debian packages cannot be had (${what}): ${tail || stderr.trim().slice(-300)}`,
    rule: "the local base and registry come from the Debian packages of this machine's apt sources",
    fix: "run `apt-get update` to see which source fails, mend /etc/apt/sources.list, and run it again",
  });
}
