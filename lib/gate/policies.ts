// The check of a repository's policies: each file alone applies rules, and the folder as users type it applies their sum.
import { outsideRules } from "../kyverno/outside";
import { sha256 } from "../oci/digest";
import { printable } from "../printable";
import { type Check, counted, failed, listed, passed, skipped } from "./check";
import type { PolicyFile } from "./exec";
import { isReadByKyverno, isTemplate, policyFiles, type ReadFile } from "./policyFiles";
import type { PolicyMemory } from "./policyMemory";
import { type AloneCount, applyNothing, countAlone, type PolicyPrograms } from "./ruleCounts";

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
  readonly memory: PolicyMemory;
  readonly limits: { readonly timeoutSeconds: number };
}

/** Seconds that Kyverno takes for each file of a folder, at the most: it reads its schemas anew for each. */
const secondsPerFile = 0.4;
/** Why a file name keeps Kyverno away. */
const unreadName = "Kyverno reads no file whose name is hidden, or ends in anything but .yaml and .yml";
/** Files beside policies that are asked about when one of them is to blame. */
const maxSuspects = 400;

/** Checks `/repos/<repository>/`. */
export async function checkRepository(repository: string, scene: Scene): Promise<CheckedPolicies> {
  const name = `policies: ${repository}`;
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
  const fresh = files.filter(({ digest }) => memory.rules(digest) === undefined);
  const asked = new Map((await countAlone(programs, fresh, limits)).map((count) => [count.path, count]));
  return files.map(({ path, digest }) => {
    const count = asked.get(path);
    if (count && count.problem === undefined) memory.learn(digest, count.rules);
    return count ?? { path, rules: memory.rules(digest)! };
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
  if (memory.rules(digest) === sum) return { output: `${typed}: ${sum} rules, known from an earlier run` };
  // Kyverno would be at it for longer than a program may take: the files are read in pieces, which add up.
  const pieces =
    beside.length * secondsPerFile > limits.timeoutSeconds ? split(beside, limits.timeoutSeconds) : [[folder]];
  const runs = await Promise.all(pieces.map((paths) => applyNothing(programs, paths, limits)));
  const output = runs.map(({ outcome }) => outcome.output).join("\n");
  const broken = runs.find(({ problem }) => problem !== undefined)?.problem;
  if (broken !== undefined) return { problem: `${typed} ${broken}`, output };
  const seen = runs.reduce((total, { result }) => total + (result.rules ?? 0), 0);
  const others = beside.filter((path) => !files.some((file) => file.path === path));
  const reasons = seen === sum && pieces.length === 1 ? new Map<string, string>() : await whyNotRead(others, scene);
  if (seen === sum && reasons.size === 0) {
    memory.learn(digest, sum);
    return { output };
  }
  const unread = files.filter(({ path }) => !isReadByKyverno(path)).map(({ path }) => path);
  const blamed = [
    ...unread.map((path) => `${path}: ${unreadName}`),
    ...[...reasons].map(([path, reason]) => `${path}${because(reason)}`),
  ];
  const charts = others.some((path) => isTemplate(path, contents))
    ? "; charts belong into a repository of their own"
    : "";
  const blame =
    blamed.length > 0
      ? `to blame: ${listed(blamed, 10)}${charts}`
      : "no single file explains it; look for two policies in one file of which kyverno reads one";
  return { problem: `${typed} sees ${seen} of ${counted(sum, "rule")}; ${blame}`, output };
}

/** What Kyverno says, at a higher verbosity, of files that it passes over; those it reads are not in the answer. */
async function whyNotRead(paths: readonly string[], { programs }: Scene): Promise<Map<string, string>> {
  if (paths.length === 0) return new Map();
  const suspects = paths.slice(0, maxSuspects);
  const argv = ["kyverno", "apply", ...suspects, "--resource", "-", "--remove-color", "-v", "3"];
  const { output } = await programs.exec(argv, { input: "", maxOutput: 16 * 1024 * 1024 });
  const plain = output.replace(/\u001b\[[0-9;]*m/g, "");
  const said = plain.matchAll(/skipping invalid YAML file error="((?:[^"\\]|\\.)*)".* path=(\S+)/g);
  return new Map([...said].map(([, reason, path]) => [path!, reason!.replace(/^.*failed to load file \S+: /, "")]));
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

function split(paths: readonly string[], seconds: number): string[][] {
  const each = Math.max(1, Math.floor(seconds / secondsPerFile / 2));
  const pieces = Math.ceil(paths.length / each);
  return Array.from({ length: pieces }, (_, index) => paths.slice(index * each, (index + 1) * each));
}

function because(reason: string | undefined): string {
  return reason === undefined ? "" : `: ${printable(reason, 200)}`;
}

function sentence(lines: readonly string[]): string {
  return lines.slice(0, 5).join("; ") + (lines.length > 5 ? `; and ${lines.length - 5} more` : "");
}
