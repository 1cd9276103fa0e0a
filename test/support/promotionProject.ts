// A project whose stack prod promotes what stack dev released, with releases that were pushed without a build.
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { exec } from "../../lib/exec";
import { RegistryClient } from "../../lib/oci/client";
import type { Digest } from "../../lib/oci/digest";
import { parseRepository } from "../../lib/oci/reference";
import type { Inputs } from "../../lib/pins/model";
import { type Ran, run } from "../unit/cli/run";
import { makeProject } from "../unit/config/valid";
import { digestOf } from "../unit/pins/arbitraries";
import { pushRelease } from "./pushRelease";

/** Pins of an image that differ by their policies alone. */
export function inputsWith(policies: string): Inputs {
  return {
    format: 1,
    base: digestOf("base"),
    image: { user: "65532:65532" },
    repositories: { "security-policy": { digest: digestOf(policies) } },
    tools: { yq: { version: "4.54.1", digest: digestOf("yq") } },
  };
}

/** Puts a release with all its tags: the version, one for each commit, `latest` where asked for. */
export async function putRelease(
  repository: string,
  {
    version,
    commits,
    inputs,
    latest,
  }: { version: string; commits: readonly string[]; inputs?: Inputs; latest?: boolean },
): Promise<Digest> {
  const client = new RegistryClient();
  const place = parseRepository(repository);
  const digest = await pushRelease(client, place, { version, inputs });
  const { bytes, mediaType } = (await client.manifest(place, digest))!;
  const tags = [...commits.map((commit) => `sha-${commit}`), ...(latest ? ["latest"] : [])];
  for (const tag of tags) await client.putManifest(place, tag, bytes, mediaType);
  return digest;
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
  write("dev", `config:\n  policy-platform:registry: {address: "${registry}"}\n`);
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
