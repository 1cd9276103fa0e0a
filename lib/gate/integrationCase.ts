// What an integration case states. By itself, so that who only passes cases on loads nothing else.

/** One case. All paths are below `/repos`, without a slash in front. */
export interface IntegrationCase {
  /** Folder of the chart: `backend-applications/charts/app`. */
  readonly chart: string;
  /** Values files on top of the chart's own, the last one wins. */
  readonly values: readonly string[];
  /** Environment for which policies in charts are rendered. */
  readonly environment?: string;
  /** Repositories, or folders or files in them. */
  readonly policies: readonly string[];
  readonly expect: "pass" | "refused";
  /** `policy/rule` of each rule that must refuse, and of no other; of a case that passes, none. */
  readonly by: readonly string[];
  /** `1.31`: the cluster that the chart is for; without it no API is looked at. */
  readonly kubernetes?: string;
  readonly spectral?: {
    readonly ruleset: string;
    /** Default: the chart's values.yaml and `values`. */
    readonly files?: readonly string[];
  };
}
