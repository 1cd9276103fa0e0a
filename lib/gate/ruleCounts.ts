// How many rules `kyverno apply` sees in each policy file alone. One program for each file costs a quarter of a second, so
// many files are asked about together, and a sum that is as it must be stands for each of them (decision 82).
import { type ApplyResult, parseApply } from "../kyverno/apply";
import { printable } from "../printable";
import { listed } from "./check";
import { type ExecOutcome, endedBy, type ProgramOptions } from "./exec";
import type { ReadFile } from "./policyFiles";
import { settled } from "./settled";

/** What the container does for this. */
export interface PolicyPrograms {
  exec(argv: readonly string[], options?: ProgramOptions): Promise<ExecOutcome>;
  put(folder: string, files: ReadonlyMap<string, Buffer | string>): Promise<string>;
}

/** One file alone. */
export interface AloneCount {
  readonly path: string;
  readonly rules: number;
  /** Why it is not in order, the end of a sentence about it. */
  readonly problem?: string;
}

interface Limits {
  readonly timeoutSeconds: number;
}

/** Files up to which each is simply run alone. */
const fewFiles = 24;
/** Files, and bytes, that are asked about together. */
const groupFiles = 256;
const groupBytes = 4 * 1024 * 1024;

/** Each file's count, in the order of the files. */
export async function countAlone(
  programs: PolicyPrograms,
  files: readonly ReadFile[],
  limits: Limits,
): Promise<AloneCount[]> {
  if (files.length <= fewFiles) return settled(files.map((file) => alone(programs, file, limits)));
  const sums = await settled(grouped(files).map((group, index) => countGroup(programs, group, limits, `${index}`)));
  const counted = new Map(sums.flatMap((sum) => sum.alone).map((count) => [count.path, count]));
  const likely = sums.flatMap((sum) => sum.likely);
  const proven = await settled(grouped(likely).map((group, index) => proveGroup(programs, group, limits, `h${index}`)));
  for (const count of proven.flat()) counted.set(count.path, count);
  return files.map(({ path }) => counted.get(path)!);
}

/** `kyverno apply PATHS --resource -` on no resource at all: loads and validates policies. */
export async function applyNothing(
  programs: Pick<PolicyPrograms, "exec">,
  paths: readonly string[],
  limits: Limits,
): Promise<{ readonly result: ApplyResult; readonly outcome: ExecOutcome; readonly problem?: string }> {
  const outcome = await programs.exec(["kyverno", "apply", ...paths, "--resource", "-", "--remove-color"], {
    input: "",
  });
  const result = parseApply(outcome.stdout);
  const problem = endedBy(outcome, limits) ?? incomplete(result, outcome);
  return { result, outcome, ...(problem === undefined ? {} : { problem }) };
}

/** What keeps a run from being believed whatever its exit code is. */
export function incomplete(result: ApplyResult, outcome: ExecOutcome): string | undefined {
  if (result.rules === undefined || result.counts === undefined) {
    const said = printable(outcome.output, 300);
    const line = result.rules === undefined ? "first" : "last";
    return `did not print the ${line} line of kyverno apply (code ${outcome.code})${said === "" ? ", and nothing else" : `: ${said}`}`;
  }
  if (result.invalid.length > 0)
    return `has policies that kyverno does not apply as they are invalid: ${listed(result.invalid)}`;
  if (result.counts.error > 0) return `gave ${result.counts.error} errors`;
  return undefined;
}

async function alone(programs: PolicyPrograms, file: ReadFile, limits: Limits): Promise<AloneCount> {
  const { result, problem } = await applyNothing(programs, [file.path], limits);
  const rules = result.rules ?? 0;
  const found = problem ?? tooFew(file, rules);
  return { path: file.path, rules, ...(found === undefined ? {} : { problem: found }) };
}

function tooFew({ written }: ReadFile, rules: number): string | undefined {
  if (rules === 0) return "applies no rule at all";
  return rules < written ? `applies ${rules} of its ${written} rules` : undefined;
}

/** Files whose sum is what it is likely to be; a group whose sum is not is divided, down to single files. */
async function countGroup(
  programs: PolicyPrograms,
  group: readonly ReadFile[],
  limits: Limits,
  name: string,
): Promise<{ readonly likely: readonly ReadFile[]; readonly alone: readonly AloneCount[] }> {
  if (group.length <= fewFiles / 3)
    return { likely: [], alone: await settled(group.map((file) => alone(programs, file, limits))) };
  if (await sumsAre(programs, [group], limits, name)) return { likely: group, alone: [] };
  const middle = Math.ceil(group.length / 2);
  const parts = await settled(
    [group.slice(0, middle), group.slice(middle)].map((part, index) =>
      countGroup(programs, part, limits, `${name}.${index}`),
    ),
  );
  return { likely: parts.flatMap((part) => part.likely), alone: parts.flatMap((part) => part.alone) };
}

/**
 * The group, and halves of it such that any two files are apart in one of them: one, two or three wrong guesses show in one
 * of the sums, whatever they are. By the digests of the files, so that equal files are judged equally, by whatever name.
 */
export function samplesOf(group: readonly ReadFile[]): ReadFile[][] {
  const inOrder = [...group].sort((a, b) => (a.digest < b.digest ? -1 : a.digest > b.digest ? 1 : 0));
  const bits = Math.ceil(Math.log2(Math.max(1, group.length)));
  // With the sum of all, each half also tells the sum of the other one.
  return [
    inOrder,
    ...Array.from({ length: bits }, (_, bit) => inOrder.filter((_file, index) => ((index >> bit) & 1) === 1)),
  ];
}

/** Errors in a sum can make up for each other; in halves of it they do not for long. */
async function proveGroup(
  programs: PolicyPrograms,
  group: readonly ReadFile[],
  limits: Limits,
  name: string,
): Promise<AloneCount[]> {
  const samples = samplesOf(group);
  const good = group.every((file) => tooFew(file, file.likely) === undefined);
  if (good && (await sumsAre(programs, samples, limits, name)))
    return group.map(({ path, likely }) => ({ path, rules: likely }));
  return settled(group.map((file) => alone(programs, file, limits)));
}

async function sumsAre(
  programs: PolicyPrograms,
  samples: readonly (readonly ReadFile[])[],
  limits: Limits,
  name: string,
): Promise<boolean> {
  const bundles = samples.map(
    (sample, index) => [`${index}.yaml`, bundle(sample.map(({ content }) => content))] as const,
  );
  const folder = await programs.put(`bundles/${name}`, new Map(bundles));
  const good = await settled(
    samples.map(async (sample, index) => {
      const { result, problem } = await applyNothing(programs, [`${folder}/${index}.yaml`], limits);
      return problem === undefined && result.rules === sample.reduce((sum, { likely }) => sum + likely, 0);
    }),
  );
  return good.every(Boolean);
}

function grouped(files: readonly ReadFile[]): ReadFile[][] {
  if (files.length === 0) return [];
  const groups: ReadFile[][] = [[]];
  let bytes = 0;
  for (const file of files) {
    bytes += file.content.length;
    if (groups.at(-1)!.length >= groupFiles || (bytes > groupBytes && groups.at(-1)!.length > 0)) {
      groups.push([]);
      bytes = file.content.length;
    }
    groups.at(-1)!.push(file);
  }
  return groups;
}

/** The bytes of several files as one file of several documents. */
export function bundle(contents: readonly Buffer[]): Buffer {
  return Buffer.concat(contents.flatMap((content) => [content, Buffer.from("\n---\n")]));
}
