// The programs of the local stack, each had once a run and only when something asks for it.
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { link, mkdir, readdir, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { cacheFolder, placeFolder } from "../../lib/cache";
import { PlatformError } from "../../lib/errors";
import { exec } from "../../lib/exec";
import { requireRoot } from "../engine";
import type { Layout } from "../layout";
import { acquireLock } from "../lock.mjs";
import type { Step, Steps } from "../steps";
import { debianProgram, hasApt, type PrivateApt } from "./debian";
import { fetchOfficial, isOfficialThere, officialUrl } from "./engine";
import { build, fetchModules, findGo, type Go, removeBuildCache } from "./go";
import { canReach, networkEnvironment } from "./network";
import { buildFromNpm } from "./npm";
import { isBuilt, npmProgramFolder, type ProgramName, programFolder, programOf } from "./programs";

/** Go builds keep every core busy alone. */
const buildLane = "go build";
const debianRegistry = { name: "docker-registry", path: "usr/bin/docker-registry" } as const;
const debianEtcd = { name: "etcd-server", path: "usr/bin/etcd" } as const;
/** What the local cluster runs beside etcd. */
const clusterPrograms = ["kubernetes", "source-controller", "kustomize-controller", "kyverno-controller"] as const;

/** Folders of the local cluster's programs by name, and the program etcd. */
export type ClusterPrograms = Readonly<Record<(typeof clusterPrograms)[number], string>> & { readonly etcd: string };
/** What cgo needs to build runc. */
const compilerPackages = ["gcc", "libc6-dev", "libseccomp-dev", "pkg-config"] as const;

export class Toolchain {
  readonly #asked = new Map<string, Promise<unknown>>();
  #built = false;

  constructor(
    readonly layout: Layout,
    readonly steps: Steps,
    readonly apt: PrivateApt,
  ) {}

  /** The folder with `pulumi` and `pulumi-language-nodejs`. */
  engine(): Promise<string> {
    return this.#once("engine", () => this.#engine());
  }

  /** The folder of a tool of the image. */
  tool(name: ProgramName): Promise<string> {
    return this.#once(name, () => (programOf(name).from === "npm" ? this.#buildFromNpm(name) : this.#build(name)));
  }

  /** The same when it needs no build. */
  async toolIfThere(name: ProgramName): Promise<string | undefined> {
    const folder = await this.#folderOf(name).catch(() => undefined);
    return folder && isBuilt(folder, name) ? folder : undefined;
  }

  async #folderOf(name: ProgramName): Promise<string> {
    if (programOf(name).from === "npm") return npmProgramFolder(this.layout, name);
    return programFolder(this.layout, name, (await this.#go()).version);
  }

  /** The folders of dockerd, containerd with its shim, and runc. */
  docker(): Promise<string[]> {
    return this.#once("docker", async () => {
      const compiler = this.steps.run("Compiler for runc", (step) => this.#compiler(step));
      return Promise.all([this.#build("dockerd"), this.#build("containerd"), this.#build("runc", [compiler])]);
    });
  }

  /** The registry program: Debian's where it can be had, else built. */
  async registry(step: Step): Promise<string> {
    const packaged = await this.#packaged(debianRegistry, step);
    if (packaged) return packaged;
    return join(await build("registry", { layout: this.layout, go: await this.#go(), step }), "registry");
  }

  /** What the local cluster runs; the API server first, as it takes longest and all else waits for it. */
  cluster(): Promise<ClusterPrograms> {
    return this.#once("cluster", async () => {
      const etcd = this.steps
        .run("etcd", (step) => this.#packaged(debianEtcd, step))
        .then(async (packaged) => packaged ?? join(await this.tool("etcd"), "etcd"));
      const folders = await Promise.all(clusterPrograms.map(async (name) => [name, await this.tool(name)]));
      return { ...Object.fromEntries(folders), etcd: await etcd } as ClusterPrograms;
    });
  }

  /** A program of a Debian package, where there is apt and it can be had. */
  async #packaged(program: { name: string; path: string }, step: Step): Promise<string | undefined> {
    if (!hasApt()) return undefined;
    try {
      const { file, outcome } = await debianProgram(this.layout, this.apt, program);
      step.outcome(outcome);
      return file;
    } catch (error) {
      if (this.steps.signal.aborted) throw error;
      step.progress("Debian's package cannot be had, building it");
      return undefined;
    }
  }

  /** One short look, once: can official releases be downloaded here? */
  reachesReleases(): Promise<boolean> {
    return this.#once("probe", async () => {
      const url = officialUrl();
      return url !== undefined && canReach(url);
    });
  }

  /** Removes the build cache, when something was built and nothing failed. */
  async close(): Promise<void> {
    if (this.#built) await removeBuildCache(this.layout);
  }

  async #engine(): Promise<string> {
    const official = () =>
      this.steps.run(`Pulumi ${programOf("pulumi").version}`, (step) => fetchOfficial(this.layout, step));
    if (isOfficialThere(this.layout)) return official();
    const go = await this.#go().catch(() => undefined);
    const built = go && isBuilt(programFolder(this.layout, "pulumi", go.version), "pulumi");
    if (!built && (await this.reachesReleases())) return official();
    return joined(await Promise.all([this.#build("pulumi"), this.#build("pulumi-language-nodejs")]));
  }

  #go(): Promise<Go> {
    return this.#once("go", findGo);
  }

  async #build(name: ProgramName, after: readonly Promise<unknown>[] = []): Promise<string> {
    const go = await this.#go();
    const { layout } = this;
    const there = isBuilt(programFolder(layout, name, go.version), name);
    if (!there) {
      await this.#cacheLock();
      this.#built = true;
      // While one program compiles, the sources of the next come over the network.
      this.steps.run(`Sources of ${name}`, (step) => fetchModules(name, { layout, go, step }), { lane: "sources" });
    }
    return this.steps.run(`${name} ${programOf(name).version}`, (step) => build(name, { layout, go, step }), {
      after,
      lane: there ? undefined : buildLane,
    });
  }

  async #buildFromNpm(name: ProgramName): Promise<string> {
    const { layout } = this;
    if (!isBuilt(npmProgramFolder(layout, name), name)) await this.#cacheLock();
    return this.steps.run(`${name} ${programOf(name).version}`, (step) => buildFromNpm(name, { layout, step }));
  }

  /** Two checkouts that build at once would do everything twice, and one would remove the other's build cache. */
  #cacheLock(): Promise<void> {
    return this.#once("cache lock", async () => {
      await acquireLock(cacheFolder("lock"), {
        owner: `process ${process.pid} in ${this.layout.projectDir}`,
        waiting: (owner) => this.steps.screen.write(`  … waiting: another checkout is building (${owner})`),
      });
      await sweep(this.layout);
    });
  }

  async #compiler(step: Step): Promise<void> {
    const missing =
      (await exec("pkg-config", ["--exists", "libseccomp"]).catch(() => undefined))?.code !== 0 ||
      (await exec("gcc", ["--version"]).catch(() => undefined))?.code !== 0;
    if (!missing) return step.outcome("there already");
    requireRoot("building one needs a C compiler and libseccomp");
    const env = { ...networkEnvironment(), DEBIAN_FRONTEND: "noninteractive" };
    const apt = (args: string[]) =>
      exec("apt-get", args, { env, timeout: 10 * 60_000, signal: step.signal }).catch((error) => {
        throw error.code === "ENOENT" ? compilerMissing("apt-get cannot be run") : error;
      });
    await apt(["update"]);
    const installed = await apt(["install", "--yes", "--no-install-recommends", ...compilerPackages]);
    if (installed.code !== 0) throw compilerMissing(installed.stderr.trim().split("\n").slice(-3).join(" "));
    step.outcome(`installed ${compilerPackages.join(", ")}`);
  }

  #once<T>(key: string, make: () => Promise<T>): Promise<T> {
    const asked = this.#asked.get(key) as Promise<T> | undefined;
    if (asked) return asked;
    const made = make();
    made.catch(() => undefined);
    this.#asked.set(key, made);
    return made;
  }
}

/** One folder of links to the files of several: the engine warns at each command when its language host is not beside it. */
export async function joined(folders: readonly string[]): Promise<string> {
  const parts = folders.map((folder) => basename(folder).split("-").at(-1));
  const target = join(dirname(folders[0]!), `engine-${parts.join("-")}`);
  if (existsSync(target)) return target;
  const temporary = `${target}.${randomBytes(4).toString("hex")}.${process.pid}.tmp`;
  await mkdir(temporary, { recursive: true });
  for (const folder of folders) {
    for (const name of await readdir(folder)) await link(join(folder, name), join(temporary, name));
  }
  await placeFolder(temporary, target, "pulumi");
  return target;
}

function compilerMissing(reason: string): PlatformError {
  return new PlatformError("compiler-missing", {
    what: `${compilerPackages.join(", ")} cannot be installed: ${reason}`,
    rule: "where no Docker engine can be used one is built, which takes a C compiler and libseccomp",
    fix: "install them, or set DOCKER_HOST to an engine of this machine, and run it again",
  });
}

/** Removes what killed runs left half-made: a temporary name whose process is gone is nobody's. */
async function sweep({ cache }: Layout): Promise<void> {
  for (const parent of [cache.programs, cache.debian, cache.bases].filter((folder) => existsSync(folder))) {
    for (const name of await readdir(parent)) {
      const pid = /\.(\d+)\.tmp$/.exec(name)?.[1];
      if (pid && !existsSync(`/proc/${pid}`)) await rm(join(parent, name), { recursive: true, force: true });
    }
  }
}
