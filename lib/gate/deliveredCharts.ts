// What charts give an artifact of all that helm renders of them: policies, and kinds that the stack allows beside them.
import { filesOfChart } from "../flux/charts";
import { isPolicyKind } from "../kyverno/kinds";
import { isSafe } from "./chartPolicies";
import type { Rendering } from "./helm";

/** What the charts of some repositories give the artifact of one environment. */
export interface DeliveredCharts {
  /** Path in the artifact → content; none when `failure` is there. */
  readonly files: ReadonlyMap<string, Buffer>;
  /** What helm rendered beside it, `ConfigMap colours of /repos/a/charts/b`. */
  readonly leftOut: readonly string[];
  /** Why they are none, a sentence. */
  readonly failure?: string;
}

/** One chart as it was rendered. */
export interface RenderedChart extends Rendering {
  readonly repository: string;
  /** Absolute path. */
  readonly chart: string;
  /** Why clusters could not be compared with it, a sentence. */
  readonly trouble?: string;
}

/** Puts the files of all of them together. Tests of a chart are for whoever installs it, and are left out without a word. */
export function deliveredCharts(charts: readonly RenderedChart[], allow: readonly string[]): DeliveredCharts {
  const files = new Map<string, Buffer>();
  const leftOut: string[] = [];
  for (const { repository, chart, objects, trouble, failure } of charts) {
    const why = trouble ?? failure;
    if (why !== undefined) return { files: new Map(), leftOut: [], failure: why };
    const comesOut = ({ apiVersion, kind }: (typeof objects)[number]) =>
      isPolicyKind(apiVersion, kind) || allow.includes(kind);
    const wanted = objects.filter(comesOut);
    const unsafe = wanted.find(({ source }) => !isSafe(source));
    if (unsafe)
      return {
        files: new Map(),
        leftOut: [],
        failure: `helm names a template ${JSON.stringify(unsafe.source)} in ${chart}`,
      };
    const inside = chart.split("/").slice(3).join("/");
    for (const [path, content] of filesOfChart({ repository, chart: inside }, wanted)) files.set(path, content);
    for (const { kind, name, source } of objects.filter((object) => !comesOut(object)))
      if (!source.includes("/templates/tests/")) leftOut.push(`${kind} ${name} of ${chart}`);
  }
  return { files, leftOut };
}
