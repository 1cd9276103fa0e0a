// The check of a repository's policies: each file alone applies rules, and the folder as users type it applies their sum.
import { outsideRules } from "../kyverno/outside";
import { sha256 } from "../oci/digest";
import { printable } from "../printable";
import { type Check, counted, failed, listed, passed, skipped } from "./check";
import type { PolicyFile } from "./exec";
import { isReadByKyverno, isTemplate, policyFiles, type ReadFile } from "./policyFiles";
import type { PolicyMemory } from "./policyMemory";
import { type AloneCount, applyNothing, bundle, countAlone, type PolicyPrograms } from "./ruleCounts";
import { settled } from "./settled";

/** What the check of one repository gave. */
export interface CheckedPolicies {
  readonly check: Check;
  /** For other checks; also of files that are not in order. */
  readonly files: readonly PolicyFile[];
}

interface Scene {
  readonly programs: PolicyPrograms;
  /** All files below /repos, by absolute path. */
  readonly contents: ReadonlyMap<string, Buffer>;
  /** Files below /repos whose content is not among `contents`. */
  readonly notKept: readonly string[];
  readonly memory: PolicyMemory;
  readonly limits: { readonly timeoutSeconds: number };
}

/** Seconds that Kyverno takes for each file of a folder, at the most: it reads its schemas anew for each. */
const secondsPerFile = 0.4;
/** Why a file name keeps Kyverno away. */
const unreadName = "Kyverno reads no file whose name is hidden, or ends in anything but .yaml and .yml";
/** Policies whose own reason is asked for, each by a run of its own. */
const maxExplained = 10;
/** Files that are asked about together. */
const atOnce = 200;

/** Checks `/repos/<repository>/`. */
export async function checkRepository(repository: string, scene: Scene): Promise<CheckedPolicies> {
  const name = `policies: ${repository}`;
  const unseen = scene.notKept.filter((path) => path.startsWith(`/repos/${repository}/`) && /\.ya?ml$/i.test(path));
  if (unseen.length > 0)
    return { check: failed(name, `too large for the gate, which did not read ${listed(unseen)}`), files: [] };
  const files = policyFiles(repository, scene.contents);
  if (files.length === 0) {
    return { check: skipped(name, `/repos/${repository} holds no policies outside of charts`), files: [] };
  }
  const counts = await countRemembered(files, scene);
  const wrong = counts.filter(({ problem }) => problem !== undefined);
  const known = counts.map(({ path, rules }) => ({ path, rules }));
  if (wrong.length > 0) {
    const reasons = await whyNotRead(
      wrong.map(({ path }) => path),
      scene,
    );
    for (const { path } of wrong) if (!isReadByKyverno(path) && !reasons.has(path)) reasons.set(path, unreadName);
    for (const { path } of wrong.filter((one) => !reasons.has(one.path)).slice(0, maxExplained)) {
      const reason = await whyInvalid(path, scene);
      if (reason !== undefined) reasons.set(path, reason);
    }
    const lines = wrong.map(({ path, problem }) => `${path} ${problem}${because(reasons.get(path))}`);
    return { check: failed(name, sentence(lines), lines.join("\n")), files: known };
  }
  const { problem, output } = await jointProblem(repository, files, known, scene);
  const sum = known.reduce((total, { rules }) => total + rules, 0);
  const found = `${counted(files.length, "policy file")}, ${counted(sum, "rule")}${outside(files)}`;
  const report = `${known.map(({ path, rules }) => `${rules}\t${path}`).join("\n")}\n\n${output}`;
  return {
    check: problem === undefined ? passed(name, found, report) : failed(name, problem, `${problem}\n\n${report}`),
    files: known,
  };
}

async function countRemembered(files: readonly ReadFile[], { programs, memory, limits }: Scene): Promise<AloneCount[]> {
  const fresh = files.filter(({ digest }) => memory.rules("file", digest) === undefined);
  const asked = new Map((await countAlone(programs, fresh, limits)).map((count) => [count.path, count]));
  return files.map(({ path, digest }) => {
    const count = asked.get(path);
    if (count && count.problem === undefined) memory.learn("file", digest, count.rules);
    return count ?? { path, rules: memory.rules("file", digest)! };
  });
}

/** Runs the folder as users type it; says what is wrong with what they would see. */
async function jointProblem(
  repository: string,
  files: readonly ReadFile[],
  counts: readonly PolicyFile[],
  scene: Scene,
): Promise<{ readonly problem?: string; readonly output: string }> {
  const { programs, contents, memory, limits } = scene;
  const folder = `/repos/${repository}/`;
  const typed = `kyverno apply ${folder}`;
  const beside = [...contents.keys()].filter((path) => path.startsWith(folder) && isReadByKyverno(path));
  const sum = counts.reduce((total, { rules }) => total + rules, 0);
  const digest = folderDigest(folder, contents);
  if (memory.rules("folder", digest) === sum) return { output: `${typed}: ${sum} rules, known from an earlier run` };
  const others = beside.filter((path) => !files.some((file) => file.path === path));
  // Kyverno would be at it for longer than a program may take: each policy file is known, and what stands beside them is asked about.
  const tooMany = beside.length * secondsPerFile > limits.timeoutSeconds;
  const run = tooMany ? undefined : await applyNothing(programs, [folder], limits);
  if (run?.problem !== undefined) return { problem: `${typed} ${run.problem}`, output: run.outcome.output };
  const dropped = tooMany ? await dropping(others, files, scene) : others;
  const seen = run ? run.result.rules! : dropped.length > 0 ? 0 : sum - rulesOf(unreadable(files), counts);
  const output =
    run?.outcome.output ?? `${typed}: ${beside.length} files are too many to be read as typed in the time of a check`;
  if (seen === sum) {
    memory.learn("folder", digest, sum);
    return { output };
  }
  const reasons = await whyNotRead(dropped, scene);
  const blamed = [
    ...unreadable(files).map((path) => `${path}: ${unreadName}`),
    ...[...reasons].map(([path, reason]) => `${path}${because(reason)}`),
  ];
  const charts = others.some((path) => isTemplate(path, contents))
    ? "; charts belong into a repository of their own"
    : "";
  const blame =
    blamed.length > 0
      ? `to blame: ${listed(blamed, 10)}${charts}`
      : tooMany && dropped.length > 0
        ? `kyverno was not heard to the end, or drops what it is given with ${listed(dropped)}, and does not say why`
        : "no single file explains it; look for two policies in one file of which kyverno reads one";
  return { problem: `${typed} sees ${seen} of ${counted(sum, "rule")}; ${blame}`, output };
}

/** Those of some files beside policies that make Kyverno drop what it is given with them, in groups that do. */
async function dropping(paths: readonly string[], files: readonly ReadFile[], scene: Scene): Promise<string[]> {
  const { programs, contents, limits } = scene;
  const canary = files.find(({ path }) => isReadByKyverno(path));
  if (!canary) return [];
  const groups = groupsOf(paths);
  const bundles = groups.map((group, index): [string, Buffer] => [
    `${index}.yaml`,
    bundle([canary.content, ...group.map((path) => contents.get(path)!)]),
  ]);
  const folder = await programs.put("beside", new Map(bundles));
  const alone = await applyNothing(programs, [canary.path], limits);
  const found = await settled(
    groups.map(async (group, index) => {
      const { result, problem } = await applyNothing(programs, [`${folder}/${index}.yaml`], limits);
      // A run that breaks off says nothing for its group.
      const proven = alone.problem === undefined && problem === undefined && result.rules === alone.result.rules;
      return proven ? [] : group;
    }),
  );
  return found.flat();
}

function unreadable(files: readonly ReadFile[]): string[] {
  return files.map(({ path }) => path).filter((path) => !isReadByKyverno(path));
}

function rulesOf(paths: readonly string[], counts: readonly PolicyFile[]): number {
  return counts.filter(({ path }) => paths.includes(path)).reduce((sum, { rules }) => sum + rules, 0);
}

/** What Kyverno says, at a higher verbosity, of files that it passes over; those it reads are not in the answer. */
async function whyNotRead(paths: readonly string[], { programs }: Scene): Promise<Map<string, string>> {
  const answers = groupsOf(paths).map(async (group) => {
    const argv = ["kyverno", "apply", ...group, "--resource", "-", "--remove-color", "-v", "3"];
    return (await programs.exec(argv, { input: "", maxOutput: 16 * 1024 * 1024 })).output;
  });
  const plain = (await Promise.all(answers)).join("\n").replace(/\u001b\[[0-9;]*m/g, "");
  // Paths with spaces stand in quotes.
  const said = plain.matchAll(/skipping invalid YAML file error="((?:[^"\\]|\\.)*)".* path=(?:"([^"]*)"|(\S+))/g);
  return new Map(
    [...said].map(([, reason, quoted, bare]) => {
      const path = quoted ?? bare!;
      return [path, reason!.replace(`failed to load file ${path}: `, "")];
    }),
  );
}

function groupsOf(paths: readonly string[]): string[][] {
  return Array.from({ length: Math.ceil(paths.length / atOnce) }, (_, index) =>
    paths.slice(index * atOnce, (index + 1) * atOnce),
  );
}

/** What Kyverno says of a policy that it reads and does not apply. */
async function whyInvalid(path: string, { programs }: Scene): Promise<string | undefined> {
  const argv = ["kyverno", "apply", path, "--resource", "-", "--remove-color", "-v", "2"];
  const { output } = await programs.exec(argv, { input: "" });
  return /policy validation error error="((?:[^"\\]|\\.)*)"/.exec(output.replace(/\u001b\[[0-9;]*m/g, ""))?.[1];
}

/** Rules that need a network or a cluster are in Kyverno's count and cannot be checked here. */
function outside(files: readonly ReadFile[]): string {
  const rules = files.flatMap(({ content }) => outsideRules(content));
  if (rules.length === 0) return "";
  return `; cannot be checked here: ${listed(rules.map(({ policy, rule, needs }) => `${policy}/${rule} (${needs})`))}`;
}

function folderDigest(folder: string, contents: ReadonlyMap<string, Buffer>) {
  const inside = [...contents].filter(([path]) => path.startsWith(folder) && /\.ya?ml$/.test(path));
  return sha256(JSON.stringify(inside.map(([path, content]) => [path.slice(folder.length), sha256(content)]).sort()));
}

function because(reason: string | undefined): string {
  return reason === undefined ? "" : `: ${printable(reason, 200)}`;
}

function sentence(lines: readonly string[]): string {
  return lines.slice(0, 5).join("; ") + (lines.length > 5 ? `; and ${lines.length - 5} more` : "");
}
