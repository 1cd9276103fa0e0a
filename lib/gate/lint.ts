// What pluto and spectral say of a chart: the APIs that it uses against a version of Kubernetes, its values against a ruleset.
import { printable } from "../printable";
import { counted, listed } from "./check";
import type { ExecOutcome, GateContext } from "./exec";
import { programTrouble } from "./programs";

/** What one of them found. */
export interface Lint {
  /** What is wrong, a sentence; undefined when nothing is. */
  readonly problem?: string;
  /** For the line of a case that passes. */
  readonly good: string;
  readonly output: string;
  /** As a user would type it. */
  readonly command: string;
}

/** Findings shown of each. */
const shown = 3;
/** Of spectral: 0 is an error, 1 a warning, which does not fail a case; a document it has no rule for does. */
const spectralError = 0;
/** pluto 5 ends with 2, 3 or 4 where it found something. */
const plutoCodes: readonly (number | undefined)[] = [0, 2, 3, 4];

/** Objects whose API is deprecated or removed in `kubernetes` (`1.31`). The list of them is in pluto itself: no network. */
export async function plutoLint(context: GateContext, objects: string, kubernetes: string): Promise<Lint> {
  const target = `v${kubernetes}.0`;
  const argv = [
    "pluto",
    "detect",
    "-",
    "-o",
    "json",
    "--no-footer",
    "--components",
    "k8s",
    "--target-versions",
    `k8s=${target}`,
  ];
  const outcome = await context.exec(argv, { input: objects });
  const base = {
    command: argv.join(" "),
    output: outcome.output,
    good: `no API that Kubernetes ${kubernetes} deprecates`,
  };
  const found = plutoFindings(outcome, target);
  if (typeof found === "string") return { ...base, problem: found };
  if (found.length === 0) return base;
  return {
    ...base,
    problem: `APIs that Kubernetes ${kubernetes} deprecates or no longer has: ${listed(found, shown)}`,
  };
}

function plutoFindings(outcome: ExecOutcome, target: string): string[] | string {
  const trouble = programTrouble("pluto", outcome);
  if (trouble !== undefined) return trouble;
  const answer = firstJson(outcome.stdout) as PlutoAnswer | undefined;
  if (!plutoCodes.includes(outcome.code) || answer?.["target-versions"]?.k8s !== target)
    return `pluto looked at nothing (code ${outcome.code}): ${printable(outcome.output, 300)}`;
  const items = Array.isArray(answer.items) ? answer.items : [];
  return items.map(({ name, api, removed }) => {
    const how = removed ? `removed in ${api?.["removed-in"]}` : `deprecated in ${api?.["deprecated-in"]}`;
    const instead = api?.["replacement-api"] ? `, use ${api["replacement-api"]}` : "";
    return `${api?.kind} ${name} of ${api?.version} (${how}${instead})`;
  });
}

interface PlutoAnswer {
  readonly "target-versions"?: { readonly k8s?: string };
  readonly items?: readonly {
    readonly name?: string;
    readonly removed?: boolean;
    readonly api?: Readonly<Record<string, string>>;
  }[];
}

/** Values files under a ruleset; both are absolute paths in the image. */
export async function spectralLint(context: GateContext, ruleset: string, files: readonly string[]): Promise<Lint> {
  const argv = ["spectral", "lint", "--ruleset", ruleset, "--format", "json", "--fail-on-unmatched-globs", ...files];
  const outcome = await context.exec(argv);
  const base = {
    command: argv.join(" "),
    output: outcome.output,
    good: `spectral finds nothing in ${counted(files.length, "file")}`,
  };
  const trouble = programTrouble("spectral", outcome);
  if (trouble !== undefined) return { ...base, problem: trouble };
  const findings = firstJson(outcome.stdout);
  if ((outcome.code !== 0 && outcome.code !== 1) || !Array.isArray(findings))
    return { ...base, problem: `spectral looked at nothing (code ${outcome.code}): ${printable(outcome.output, 300)}` };
  const all = findings as readonly SpectralFinding[];
  const bad = all.filter(({ severity, code }) => severity === spectralError || code === "unrecognized-format");
  if (bad.length > 0) return { ...base, problem: `spectral: ${listed(bad.map(sentence), shown)}` };
  if (outcome.code !== 0) return { ...base, problem: `spectral ended with code ${outcome.code} and names no error` };
  return all.length === 0 ? base : { ...base, good: `spectral warns of ${listed(all.map(sentence), shown)}` };
}

interface SpectralFinding {
  readonly code?: string;
  readonly message?: string;
  readonly severity?: number;
  readonly source?: string;
  readonly range?: { readonly start?: { readonly line?: number } };
}

function sentence({ code, message, source, range }: SpectralFinding): string {
  return `${source}:${(range?.start?.line ?? 0) + 1}: ${code}: ${printable(message ?? "", 300)}`;
}

/** The JSON value that a text begins with: spectral says `[]No results…`. */
function firstJson(text: string): unknown {
  for (const candidate of [text, text.slice(0, text.lastIndexOf("]") + 1), text.slice(0, text.lastIndexOf("}") + 1)]) {
    try {
      return JSON.parse(candidate);
    } catch {
      // Not up to there.
    }
  }
  return undefined;
}
