// Policies that are charts, on their way into an artifact: which charts of a repository those are, the values of an
// environment, and the artifact's files out of what helm rendered. Their bytes are frozen as render format 1.
import { canonicalJson } from "../canonicalJson";
import { compareText } from "../compareText";
import { type Digest, sha256 } from "../oci/digest";

/** What a template of a policy says before it is rendered. */
const policyTemplate = /^\s*apiVersion:\s*["']?(?:[a-z0-9-]+\.)*kyverno\.io\//m;

/**
 * Folders of a repository's policy charts, those with a policy among their templates, by path in the repository: `""` is the
 * repository itself. A chart inside another one is part of that one. `files`: path in the repository → content.
 */
export function policyCharts(files: ReadonlyMap<string, Uint8Array>): string[] {
  const roots = [...files.keys()].flatMap((path) => /^(|.+\/)Chart\.yaml$/.exec(path)?.[1] ?? []).sort();
  const outer = roots.filter((root) => !roots.some((other) => other !== root && root.startsWith(`${other}charts/`)));
  return outer
    .filter((root) =>
      [...files].some(
        ([path, content]) =>
          path.startsWith(root) &&
          `/${path}`.includes("/templates/") &&
          policyTemplate.test(Buffer.from(content).toString("latin1")),
      ),
    )
    .map((root) => root.slice(0, -1));
}

/** Environments that a repository has values for: those with a `cd/<environment>/values.yaml`. */
export function valuedEnvironments(paths: Iterable<string>): string[] {
  const found = [...paths].flatMap((path) => /^cd\/([^/]+)\/values\.yaml$/.exec(path)?.[1] ?? []);
  return [...new Set(found)].sort();
}

/** Values of the environment for all charts, then those for this one: paths in the repository, of which any may be missing. */
export function valuesFiles(chart: string, environment: string): string[] {
  return ["values", ...chart.split("/").slice(-1).filter(Boolean)].map((name) => `cd/${environment}/${name}.yaml`);
}

/** Names of the repositories whose charts give an environment something: those with policy charts and values for it, sorted. */
export function chartRepositories(
  repositories: Readonly<Record<string, ReadonlyMap<string, Uint8Array>>>,
  environment: string,
): string[] {
  return Object.keys(repositories)
    .filter((name) => valuedEnvironments(repositories[name]!.keys()).includes(environment))
    .filter((name) => policyCharts(repositories[name]!).length > 0)
    .sort();
}

/** One object as helm printed it. */
export interface RenderedText {
  /** Template that it comes from, as helm names it: `<chart>/templates/<file>`. */
  readonly source: string;
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  /** Its YAML, with helm's line about its source or without. */
  readonly text: string;
}

/**
 * The files that one chart gives an artifact, `<repository>/<chart folder>/<template path>.yaml` → content. Each object is what
 * helm printed, byte for byte but for line ends; within a file they are in order of kind, namespace and name.
 */
export function filesOfChart(
  { repository, chart }: { readonly repository: string; readonly chart: string },
  objects: readonly RenderedText[],
): Map<string, Buffer> {
  const byFile = new Map<string, RenderedText[]>();
  for (const object of objects) {
    // The first level is the chart's own name, in place of which its folder stands: names need not be unique, folders are.
    const template = object.source.split("/").slice(1).join("/");
    const named = /\.ya?ml$/.test(template) ? template : `${template}.yaml`;
    const path = [repository, chart, named].filter((part) => part !== "").join("/");
    byFile.set(path, [...(byFile.get(path) ?? []), object]);
  }
  const files = [...byFile].map(([path, found]): [string, Buffer] => {
    const texts = found
      .map((object) => ({ key: orderKey(object), text: plainText(object.text) }))
      .sort((a, b) => compareText(a.key, b.key) || compareText(a.text, b.text));
    return [path, Buffer.from(texts.map(({ text }) => text).join("---\n"))];
  });
  return new Map(files.sort(([a], [b]) => compareText(a, b)));
}

function orderKey({ apiVersion, kind, namespace, name }: RenderedText): string {
  return [kind, namespace, name, apiVersion].join("\0");
}

/** Without helm's own line, which names a chart that nobody finds in an artifact. */
function plainText(text: string): string {
  const lines = text.replace(/\r\n?/g, "\n").replace(/^(?:\s*\n)*# Source: .*\n/, "");
  return `${lines.replace(/^(?:[ \t]*\n)+/, "").trimEnd()}\n`;
}

/** What rendered files depend on, and nothing else. */
export interface RenderInputs {
  readonly environment: string;
  /** Layer images of the repositories that have policy charts and values for the environment, by name. */
  readonly repositories: Readonly<Record<string, Digest>>;
  /** Layer image of helm. */
  readonly helm: Digest;
  /** Kinds that may come out beside policies. */
  readonly allow?: readonly string[];
}

/** Of the inputs: equal ones render equal files, so that whoever knows it need not render. */
export function renderDigest({ environment, repositories, helm, allow = [] }: RenderInputs): Digest {
  const about = { environment, format: 1, helm, repositories };
  return sha256(canonicalJson(allow.length === 0 ? about : { ...about, allow: [...new Set(allow)].sort() }));
}
