// Applies many policy files to the same resources by the image's own kyverno, and believes the result only when every rule
// and every resource was in it. A large run is divided over two programs: rules do not see each other, unless one mutates.
import { type ApplyResult, parseApply, type Refusal } from "../kyverno/apply";
import { sha256 } from "../oci/digest";
import { printable } from "../printable";
import { counted, listed } from "./check";
import type { GateContext, PolicyFile } from "./exec";
import { programTrouble } from "./programs";
import { bundle } from "./ruleCounts";
import { settled } from "./settled";

/** What was applied to what, and what came of it. */
export interface JointRun {
  readonly rules: number;
  readonly resources: number;
  /** How often a rule was satisfied. */
  readonly passes: number;
  readonly refusals: readonly Refusal[];
  /** Why the result cannot be believed, a sentence. */
  readonly failure?: string;
  readonly output: string;
}

/** The resources, and how many there are. */
export interface Resources {
  readonly yaml: string;
  readonly count: number;
}

/** Policy files times resources from which two programs are faster than one, whose start takes a quarter of a second. */
const worthDividing = 2000;

/** What else is known of the files. */
export interface JointOptions {
  /** Whether a file changes resources, and must so be seen by all others. */
  readonly mutates?: (path: string) => boolean;
  /** With it many files are given to Kyverno as one. */
  readonly content?: (path: string) => Uint8Array;
}

/** Files up to which each is given to Kyverno by itself: it reads its schemas anew for each, in a fifth of a second. */
const fewFiles = 2;

/** The same bytes as one file of several documents; that nothing is lost shows in the number of rules. */
async function bundled(
  context: GateContext,
  files: readonly PolicyFile[],
  content: (path: string) => Uint8Array,
): Promise<string> {
  const text = bundle(files.map(({ path }) => Buffer.from(content(path))));
  const name = `${sha256(text).slice("sha256:".length)}.yaml`;
  return `${await context.put("joint", new Map([[name, text]]))}/${name}`;
}

/** The rules of all files on all resources. */
export async function applyJointly(
  context: GateContext,
  files: readonly PolicyFile[],
  resources: Resources,
  options: JointOptions = {},
): Promise<JointRun> {
  const divided = files.length * resources.count >= worthDividing && !files.some(({ path }) => options.mutates?.(path));
  const runs = await settled(
    (divided ? halves(files) : [files]).map((share) => applyShare(context, share, resources, options)),
  );
  const failure = runs.find((run) => run.failure !== undefined)?.failure;
  return {
    rules: sum(runs.map(({ rules }) => rules)),
    resources: resources.count,
    passes: sum(runs.map(({ passes }) => passes)),
    refusals: runs.flatMap(({ refusals }) => refusals),
    ...(failure === undefined ? {} : { failure }),
    output: runs.map(({ output }) => output).join("\n"),
  };
}

/** Two lists of about as many rules. */
function halves(files: readonly PolicyFile[]): PolicyFile[][] {
  const shares: [PolicyFile[], PolicyFile[]] = [[], []];
  const rules = [0, 0];
  for (const file of [...files].sort((a, b) => b.rules - a.rules)) {
    const lighter = rules[0]! <= rules[1]! ? 0 : 1;
    shares[lighter].push(file);
    rules[lighter]! += file.rules;
  }
  return shares.filter((share) => share.length > 0);
}

async function applyShare(
  context: GateContext,
  files: readonly PolicyFile[],
  resources: Resources,
  { content }: JointOptions,
): Promise<JointRun> {
  const paths =
    content && files.length > fewFiles ? [await bundled(context, files, content)] : files.map(({ path }) => path);
  const argv = ["kyverno", "apply", ...paths, "--resource", "-", "--remove-color"];
  const outcome = await context.exec(argv, { input: resources.yaml });
  const result = parseApply(outcome.stdout);
  const failure = programTrouble("kyverno", outcome) ?? disbelief(result, files, resources, outcome);
  return {
    rules: result.rules ?? 0,
    resources: result.resources ?? 0,
    passes: result.counts?.pass ?? 0,
    refusals: result.refusals,
    ...(failure === undefined ? {} : { failure }),
    output: outcome.output,
  };
}

function disbelief(
  result: ApplyResult,
  files: readonly PolicyFile[],
  resources: Resources,
  outcome: { readonly code?: number; readonly output: string },
): string | undefined {
  const { rules, counts, invalid } = result;
  if (rules === undefined || counts === undefined) {
    const said = printable(outcome.output, 300);
    const line = rules === undefined ? "first" : "last";
    return `kyverno apply did not print its ${line} line (code ${outcome.code})${said === "" ? ", and nothing else" : `: ${said}`}`;
  }
  if (invalid.length > 0) return `kyverno did not apply ${listed(invalid)}: invalid, or variables are missing`;
  const expected = sum(files.map((file) => file.rules));
  if (rules !== expected)
    return `kyverno applied ${counted(rules, "rule")} of ${counted(files.length, "policy file")} together, which alone apply ${expected}`;
  if (rules === 0) return "kyverno applied no rule at all";
  if (result.resources !== resources.count)
    return `kyverno read ${result.resources} of the ${counted(resources.count, "object")} that were rendered`;
  if (counts.error > 0) return `${counted(counts.error, "rule")} ended in an error of kyverno`;
  if (counts.fail > result.refusals.length)
    return `kyverno counts ${counts.fail} refusals and names ${result.refusals.length}`;
  return undefined;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
