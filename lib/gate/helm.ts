// Renders a chart by the image's own helm, and says in words that people can act on why one cannot be rendered.
import { isMap } from "yaml";
import { parseYaml } from "../policies/yaml";
import { printable } from "../printable";
import type { ExecOutcome, GateContext } from "./exec";
import { programTrouble } from "./programs";

/** One chart with its values. */
export interface ChartInput {
  /** Absolute path of the chart's folder in the image. */
  readonly chart: string;
  /** Absolute paths of values files, the last one wins. */
  readonly values: readonly string[];
  /** `1.31`: what the chart is told that the cluster is; default: helm's own. */
  readonly kubernetes?: string;
}

/** One object that a chart renders. */
export interface RenderedObject {
  /** Template that it comes from, `app/templates/deployment.yaml`; empty when helm does not say. */
  readonly source: string;
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  /** Its YAML, without the line that parts documents. */
  readonly text: string;
}

/** What helm made of a chart. */
export interface Rendering {
  /** As a user would type it. */
  readonly command: string;
  readonly text: string;
  readonly objects: readonly RenderedObject[];
  /** Why it could not be rendered, a sentence. */
  readonly failure?: string;
  /** All that helm printed. */
  readonly output: string;
}

/** Longest name of a release that helm takes. */
const maxReleaseName = 53;
/** Characters of an error shown. */
const shownError = 600;

/** `helm template`, without a network and without a cluster. */
export async function helmTemplate(context: GateContext, input: ChartInput): Promise<Rendering> {
  const argv = templateArgv(input);
  const outcome = await context.exec(argv);
  const base = { command: argv.join(" "), text: outcome.stdout, output: outcome.output };
  const refused = helmRefusal(outcome, input);
  if (refused !== undefined) return { ...base, objects: [], failure: refused };
  const { objects, problem } = renderedObjects(outcome.stdout);
  if (problem !== undefined) return { ...base, objects, failure: problem };
  if (objects.length === 0)
    return {
      ...base,
      objects,
      failure: `${input.chart} renders nothing with these values; check what switches its templates on`,
    };
  return { ...base, objects };
}

/**
 * Renders a second time, and lets the chart reach for a cluster and for names of hosts, which are not there: what was rendered
 * first must come again, without the attempt. Why it did not, a sentence; undefined when it did. Needs helm 3.13 or later.
 */
export async function whyUnsteady(
  context: GateContext,
  input: ChartInput,
  first: Rendering,
): Promise<string | undefined> {
  const outcome = await context.exec([...templateArgv(input), "--dry-run=server", "--enable-dns"]);
  const asked = /error calling (lookup|getHostByName)\b/.exec(outcome.stderr)?.[1];
  if (asked !== undefined)
    return `${input.chart} reaches for the network: it uses ${asked}, which finds nothing where a chart is rendered for many clusters; take what it asks for from values`;
  if (/invalid argument "server"|unknown flag/.test(outcome.stderr))
    return "this helm does not tell a chart that asks a cluster from one that does not; pin helm 3.13 or later";
  const refused = helmRefusal(outcome, input);
  if (refused !== undefined) return `helm renders ${input.chart} once, and not a second time: ${refused}`;
  if (outcome.stdout === first.text) return undefined;
  const { objects } = renderedObjects(outcome.stdout);
  const changed = first.objects.find(({ text }, index) => objects[index]?.text !== text);
  return `${input.chart} renders something else each time${changed ? `, ${changed.source} for one` : ""}: what is random or a date cannot be compared with a cluster; take it from values`;
}

function templateArgv({ chart, values, kubernetes }: ChartInput): string[] {
  const version = kubernetes === undefined ? [] : ["--kube-version", `v${kubernetes}.0`];
  return ["helm", "template", releaseName(chart), chart, ...values.flatMap((file) => ["-f", file]), ...version];
}

/** Release names are what users type: the chart's own folder. */
function releaseName(chart: string): string {
  const name = (chart.split("/").at(-1) ?? "")
    .toLowerCase()
    .replace(/[^a-z0-9-]/g, "-")
    .slice(0, maxReleaseName)
    .replace(/^-+|-+$/g, "");
  return name === "" ? "app" : name;
}

/** What helm's errors mean for who wrote the chart or the case, the first that is found in what helm says. */
const meanings: readonly (readonly [RegExp, (found: RegExpExecArray, chart: string) => string])[] = [
  [
    /found in Chart\.yaml, but missing in charts\/ directory: (.*)/,
    ([, names], chart) =>
      `${chart} reaches for the network: its dependencies (${names}) are not in its charts/ folder; run helm dependency build and ship charts/`,
  ],
  [
    /no such host|dial tcp|network is unreachable|connection refused|failed to download|could not find protocol handler/,
    (found, chart) => `${chart} reaches for the network, and the gate gives it none: ${found.input}`,
  ],
  [/execution error at \((.*?)\): (.*)/, ([, place, text], chart) => `${chart} needs a value: ${text} (${place})`],
  [
    /nil pointer evaluating (?:interface \{\}|\S+?)\.(\S+)/,
    (found, chart) => `${chart} needs a value: nothing is above ${found[1]}: ${found.input}`,
  ],
  [
    /values don't meet the specifications of the schema\(s\)[^\n]*\n([\s\S]*)/,
    ([, text], chart) => `the values are not what the schema of ${chart} allows: ${text}`,
  ],
  [/open (\S+): no such file or directory/, ([, file]) => `${file} is not in the image`],
  [
    /Chart\.yaml file is missing|non-absolute URLs should be in form|path .* not found/,
    (_found, chart) => `${chart} is no chart in the image: there is no Chart.yaml`,
  ],
  [
    /chart requires kubeVersion: (.*?) which is incompatible with Kubernetes (\S+)/,
    ([, range, version], chart) => `${chart} is for Kubernetes ${range}, not for ${version}`,
  ],
  [/YAML parse error on (.*)/, ([, rest], chart) => `${chart} renders what is no YAML: ${rest}`],
];

function helmRefusal(outcome: ExecOutcome, { chart }: ChartInput): string | undefined {
  const trouble = programTrouble("helm", outcome);
  if (trouble !== undefined) return trouble;
  if (outcome.code === 0) return undefined;
  const said = outcome.stderr
    .replace(/^WARNING:.*$/gm, "")
    .replace(/^Use --debug flag.*$/gm, "")
    .trim();
  for (const [pattern, meaning] of meanings) {
    const found = pattern.exec(said);
    if (found) return printable(meaning(found, chart), shownError);
  }
  return `helm template of ${chart} ended with code ${outcome.code}: ${printable(said, shownError)}`;
}

/** The objects in what helm printed. A document begins at `---` in the first column, inside block texts too. */
export function renderedObjects(text: string): {
  readonly objects: readonly RenderedObject[];
  readonly problem?: string;
} {
  const objects: RenderedObject[] = [];
  for (const part of text.split(/^---(?=\s|$)/m)) {
    const source = /^# Source: (.*)$/m.exec(part)?.[1]?.trim() ?? "";
    const { documents, problem } = parseYaml(Buffer.from(part));
    const where = source === "" ? "a template" : source;
    if (problem)
      return { objects, problem: `${where} renders what is no YAML: ${problem.reason} (its line ${problem.line})` };
    for (const document of documents) {
      if (document.contents === null) continue;
      const at = (...path: string[]) => {
        const value: unknown = isMap(document.contents) ? document.getIn(path) : undefined;
        return typeof value === "string" ? value : "";
      };
      const object = { source, apiVersion: at("apiVersion"), kind: at("kind"), text: part.trim() };
      if (isMap(document.contents) && document.contents.items.length === 0) continue;
      if (object.apiVersion === "" || object.kind === "")
        return { objects, problem: `${where} renders what is no Kubernetes object: it has no apiVersion or no kind` };
      objects.push({ ...object, namespace: at("metadata", "namespace"), name: at("metadata", "name") });
    }
  }
  return { objects };
}
