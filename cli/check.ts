// policy-platform check: everything that is wrong with a stack's configuration, offline.
import { resolve } from "node:path";
import { valueAt } from "../config/issues";
import { fromStackFile, type StackFile } from "../config/load";
import { problemsOf } from "../config/parse";
import { type ConfigurationProblem, keyPath, stackFileName } from "../config/problems";
import type { RawConfiguration } from "../config/settings";
import { unpinnedDigests } from "../config/unpinned";
import { messageOf, PlatformError } from "../lib/errors";
import { isDigest } from "../lib/oci/digest";
import { folderLayerImage } from "../lib/oci/layer";
import { type CheckedRepository, checkPolicies } from "../lib/policies/check";
import { memoryFile } from "../lib/policies/memory";
import { policyRules } from "../lib/policies/rules";
import { rememberedPolicies } from "../lib/sources/shippedPolicies";
import type { Place } from "./place";
import { answer, exitCodes, narrate, type Output } from "./screen";

export async function check(place: Place, output: Output): Promise<number> {
  const file = stackFileName(place.stack);
  narrate("doing", `checking ${file}`);
  const read = fromStackFile(place.stackFile, place.stack);
  if (read.environments.length > 0) {
    narrate("doing", `keys that may come from ${read.environments.join(", ")} are not missed here`);
  }
  const keys = configurationProblems(read, place);
  const files = await policyProblems(read.raw, place.projectDir);
  const problems = [...keys, ...files.filter(({ key }) => !keys.some((said) => said.key === key))];
  const valid = problems.length === 0;
  const lines = problems.map(({ what, rule, fix }, index) => `${index + 1}. ${what}; ${rule}; ${fix}`);
  const unpinned = unpinnedDigests(read.raw, place);
  for (const { what, rule, fix } of unpinned) narrate("doing", `${what}; ${rule}; ${fix}`);
  narrate(valid ? "done" : "failed", valid ? `${file} is in order` : `${file}: ${count(problems.length)}`);
  answer(output, { stack: place.stack, file, valid, problems, unpinned }, lines);
  return valid ? exitCodes.ok : exitCodes.invalid;
}

function count(problems: number): string {
  return problems === 1 ? "1 error" : `${problems} errors`;
}

/** An environment may supply what the file does not have. */
function configurationProblems({ raw, environments }: StackFile, { stack, projectDir }: Place) {
  const problems = problemsOf(raw, { stack, projectDir });
  return environments.length > 0 ? problems.filter(({ code }) => code !== "key-missing") : problems;
}

/** What is wrong inside the folders; whether they are there at all is the configuration's own business. */
async function policyProblems(raw: RawConfiguration, projectDir: string): Promise<ConfigurationProblem[]> {
  const policies = raw.policies !== null && typeof raw.policies === "object" ? Object.entries(raw.policies) : [];
  const read = await Promise.all(
    policies.map(([name, entry]) => {
      const folder = (entry as { folder?: unknown } | null)?.folder;
      if (!/^[a-z0-9-]{1,63}$/.test(name)) return [];
      if (folder === undefined) return readMemory(name, entry, projectDir);
      return typeof folder === "string" && folder !== "" ? readFolder(name, folder, projectDir) : [];
    }),
  );
  const repositories = read.flat().flatMap((one) => ("files" in one ? one : []));
  const { problems, notes } = await checkPolicies(repositories, { kyverno: pinnedKyverno(raw) });
  for (const note of notes) narrate("doing", note);
  const wrong = problems.map(({ code, repository, file, line, reason }) => {
    const { key, shown } = repositories[repository]!;
    return { key, code, what: `${key}: ${shown}/${file}:${line}: ${reason}`, ...policyRules[code] };
  });
  return [...read.flat().flatMap((one) => ("files" in one ? [] : one)), ...wrong];
}

/** The version of the tool that is to read the policies, where one is given. */
function pinnedKyverno(raw: RawConfiguration): string | undefined {
  const version = valueAt(raw, ["tools", "kyverno", "version"]);
  return typeof version === "string" ? version : undefined;
}

/** A layer image is not read from here, but what an earlier preview found in it counts. */
async function readMemory(
  name: string,
  entry: unknown,
  projectDir: string,
): Promise<(CheckedRepository & { key: string })[]> {
  const pin = valueAt(entry, ["digest"]) ?? valueAt(entry, ["git", "digest"]) ?? valueAt(entry, ["image"]);
  const own = String(pin).split("@").at(-1)!;
  const known = isDigest(own) ? await rememberedPolicies(projectDir, name, own) : undefined;
  return known ? [{ ...known, key: keyPath(["policies", name]) }] : [];
}

async function readFolder(
  name: string,
  written: string,
  projectDir: string,
): Promise<[(CheckedRepository & { key: string }) | ConfigurationProblem]> {
  const key = keyPath(["policies", name, "folder"]);
  const source = resolve(projectDir, written);
  try {
    const { files } = await folderLayerImage(source, { at: `/repos/${name}` });
    return [{ key, shown: written, files, source, memory: memoryFile(projectDir, name) }];
  } catch (error) {
    if (!(error instanceof PlatformError)) throw error;
    return [{ ...error.problem, key, code: error.code, what: `${key}: ${messageOf(error).split("; ")[0]}` }];
  }
}
