// A project whose stack prod promotes what stack dev released, with releases that were pushed without a build.
import assert from "node:assert/strict";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { parse } from "yaml";
import { exec } from "../../lib/exec";
import { RegistryClient } from "../../lib/oci/client";
import type { Digest } from "../../lib/oci/digest";
import { parseRepository } from "../../lib/oci/reference";
import { type Ran, run } from "../unit/cli/run";
import { makeProject } from "../unit/config/valid";
import { startRegistry, type TestRegistry } from "./registry";
import { type ImageContent, pushWholeRelease } from "./releasedImage";

/** An image that differs from another one of these by one policy alone. */
export function contentWith(policy: string): ImageContent {
  return {
    tools: { yq: "4.54.1" },
    policies: { "security-policy": { "policies/a.yaml": policy, "policies/same.yaml": "a: 1" } },
  };
}

/** Puts a release with its tags: the version, one for each commit, and others. */
export async function putRelease(
  repository: string,
  version: string,
  {
    content,
    commits,
    tags = [],
  }: { readonly content: ImageContent; readonly commits: readonly string[]; readonly tags?: readonly string[] },
): Promise<Digest> {
  const named = commits.map((commit) => `sha-${commit}`);
  const client = new RegistryClient();
  return (await pushWholeRelease(client, parseRepository(repository), content, version, ...named, ...tags)).digest;
}

export interface PromotionProject {
  readonly folder: string;
  /** Text of the file of stack prod. */
  text(): string;
  write(stack: string, text: string): void;
  /** `policy-platform promote dev prod …`. */
  promote(...argv: string[]): Promise<Ran>;
  git(...args: string[]): Promise<string>;
  /** An empty commit made at that second; its first 12 characters. */
  commit(second: number): Promise<string>;
}

export function promotionProject(registry: string, target: string, prod = ""): PromotionProject {
  const folder = makeProject();
  const write = (stack: string, text: string) => writeFileSync(join(folder, `Pulumi.${stack}.yaml`), text);
  writeFileSync(join(folder, "Pulumi.yaml"), "name: policy-platform\n");
  write("dev", devAt(registry));
  write("prod", `config:\n  policy-platform:registry: {address: "${target}"} # ours\n${prod}`);
  mkdirSync(join(folder, "below"));
  const git = async (args: readonly string[], env: Record<string, string> = {}) => {
    const { code, stdout, stderr } = await exec("git", args, { cwd: folder, env });
    assert.equal(code, 0, stderr);
    return stdout.trim();
  };
  return {
    folder,
    write,
    text: () => readFileSync(join(folder, "Pulumi.prod.yaml"), "utf8"),
    promote: (...argv) => run("promote", "dev", "prod", "--cwd", folder, ...argv),
    git: (...args) => git(args),
    commit: async (second) => {
      const who = ["AUTHOR", "COMMITTER"].flatMap((one) => [
        [`GIT_${one}_NAME`, "a"],
        [`GIT_${one}_EMAIL`, "a@b"],
        [`GIT_${one}_DATE`, `@${1_700_000_000 + second} +0000`],
      ]);
      await git(["commit", "-q", "--allow-empty", "-m", String(second)], Object.fromEntries(who));
      return (await git(["rev-parse", "HEAD"])).slice(0, 12);
    },
  };
}

/** What stands in a stack file under `promotion`. */
export function promotionIn(text: string): Record<string, unknown> {
  return (parse(text) as { config: Record<string, Record<string, unknown>> }).config["policy-platform:promotion"] ?? {};
}

/** The file of stack dev. */
export function devAt(address: string): string {
  return `config:\n  policy-platform:registry: {address: "${address}"}\n`;
}

/** Commits that no checkout knows. */
export const commits = ["aaaaaaaaaaaa", "bbbbbbbbbbbb", "cccccccccccc"] as const;

export interface PromotionStage {
  /** The registry that dev releases to. */
  readonly source: TestRegistry;
  /** Registries of their own for one test, which are paths in the two real ones, and the releases in them. */
  places(): { readonly from: string; readonly to: string; readonly source: string; readonly target: string };
  /** Stack dev has released v1.0.0 and v1.1.0, which differ by one policy; `prod` are more lines of the file of prod. */
  twoReleases(prod?: string): Promise<TwoReleases>;
  /** stand-in: an engine that exports this state of any stack; undefined: there is none again. */
  answerAsEngine(state: unknown): void;
  stop(): Promise<void>;
}

type Released = "v1.0.0" | "v1.1.0";

interface TwoReleases extends ReturnType<PromotionStage["places"]> {
  readonly project: PromotionProject;
  readonly digests: readonly [Digest, Digest];
  /** Puts one of them where `pulumi up` of stack prod would. */
  deliver(version: Released): Promise<Digest>;
}

/** Two real registries, and git without an engine: the registries alone are believed. */
export async function startPromotionStage(): Promise<PromotionStage> {
  const [source, target] = await Promise.all([startRegistry(), startRegistry()]);
  const { PATH } = process.env;
  const programs = mkdtempSync(join(tmpdir(), "promote-path-"));
  const git = (PATH ?? "").split(delimiter).map((folder) => join(folder, "git"));
  symlinkSync(git.find((file) => existsSync(file))!, join(programs, "git"));
  process.env.PATH = programs;
  let count = 0;
  const places = () => {
    const name = `test-${++count}`;
    const [from, to] = [`${source.host}/${name}`, `${target.host}/${name}`];
    const releases = (address: string) => `${address}/releases/policy-platform`;
    return { from, to, source: releases(from), target: releases(to) };
  };
  return {
    source,
    places,
    twoReleases: async (prod) => {
      const at = places();
      const put = (place: string, version: Released, ...tags: string[]) => {
        const commit = version === "v1.0.0" ? commits[0] : commits[1];
        return putRelease(place, version, { content: contentWith(version), commits: [commit], tags });
      };
      return {
        ...at,
        digests: [await put(at.source, "v1.0.0"), await put(at.source, "v1.1.0")],
        deliver: (version) => put(at.target, version, "latest"),
        project: promotionProject(at.from, at.to, prod),
      };
    },
    answerAsEngine: (state) => {
      const engine = join(programs, "pulumi");
      rmSync(engine, { force: true });
      if (state === undefined) return;
      writeFileSync(engine, `#!${process.execPath}\nconsole.log(${JSON.stringify(JSON.stringify(state))});\n`);
      chmodSync(engine, 0o755);
    },
    stop: async () => {
      process.env.PATH = PATH;
      await Promise.all([source.stop(), target.stop()]);
    },
  };
}
