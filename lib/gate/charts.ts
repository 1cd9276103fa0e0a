// Policies that are charts: rendered by the image's own helm for each environment, and held to what plain policies are held to.
import { policyCharts, valuedEnvironments, valuesFiles } from "../flux/charts";
import { sha256 } from "../oci/digest";
import { clockIn } from "./chartClock";
import { anyPod, type Counted, countAlone, isSafe, policiesOf, type RenderedPolicies } from "./chartPolicies";
import { type Check, counted, failed, listed, passed, skipped } from "./check";
import { type DeliveredCharts, deliveredCharts } from "./deliveredCharts";
import type { GateContext } from "./exec";
import { type ChartInput, helmTemplate, type Rendering, whyUnsteady } from "./helm";
import { applyJointly } from "./jointRun";
import type { PolicyMemory } from "./policyMemory";
import { notChecked } from "./programs";
import { settled } from "./settled";

/** The policy charts of an image, rendered when they are first asked for. */
export interface PolicyCharts {
  /** Absolute paths of a repository's policy charts. */
  of(repository: string): readonly string[];
  /** Environments that a repository has values for. */
  environments(repository: string): readonly string[];
  rendered(repository: string, environment: string): Promise<RenderedPolicies>;
  /**
   * The rendered files as `helm template --output-dir` writes them, for a repository's own tests:
   * `rendered/<environment>/<chart>/templates/<file>` → content. What cannot be rendered is left out.
   */
  forTests(repository: string): Promise<ReadonlyMap<string, string>>;
  /** Why charts cannot be rendered for one of the repository's environments, sentences that begin with the environment. */
  failures(repository: string): Promise<string[]>;
  /** What an environment's artifact holds of the charts of some repositories; `allow`: kinds beside policies. */
  delivered(environment: string, repositories: readonly string[], allow?: readonly string[]): Promise<DeliveredCharts>;
  /** A line for each repository with policy charts and each of the environments. */
  checks(repositories: readonly string[], environments: readonly string[]): Promise<Check[]>;
}

/** Finds the policy charts of an image; nothing is run yet. `memory`: what Kyverno said of a policy before. */
export function chartsOfImage(context: GateContext, memory?: Pick<PolicyMemory, "rules" | "learn">): PolicyCharts {
  const repositoryFiles = byRepository(context.files);
  const found = new Map<string, readonly string[]>();
  const known = new Map<string, Promise<RenderedPolicies>>();
  const counts = new Map<string, Promise<Counted>>();
  const count = (path: string, text: string) =>
    remembered(counts, text, async () => {
      const about = sha256(text);
      const rules = memory?.rules("chart", about) ?? (await countAlone(context, path));
      if (typeof rules === "number") memory?.learn("chart", about, rules);
      return rules;
    });
  const filesOf = (repository: string) => repositoryFiles.get(repository) ?? new Map<string, Buffer>();
  const of = (repository: string) =>
    remembered(found, repository, () =>
      policyCharts(filesOf(repository)).map((chart) => ["/repos", repository, chart].filter(Boolean).join("/")),
    );
  const environments = (repository: string) => valuedEnvironments(filesOf(repository).keys());
  const inputOf = ({ repository, environment, chart }: OneChart): ChartInput => ({
    chart,
    values: valuesFiles(chart, environment)
      .map((path) => `/repos/${repository}/${path}`)
      .filter((path) => context.files.has(path)),
  });
  const renderings = new Map<string, Promise<Rendering>>();
  const render = (one: OneChart) => remembered(renderings, keyOf(one), () => helmTemplate(context, inputOf(one)));
  const unsteady = new Map<string, Promise<string | undefined>>();
  /** Why what is rendered is not what will be rendered elsewhere or later. */
  const troubleOf = (one: OneChart) =>
    remembered(unsteady, keyOf(one), async () => {
      const first = await render(one);
      return first.failure ?? clockIn(context.files, one.chart) ?? (await whyUnsteady(context, inputOf(one), first));
    });
  const rendered = (repository: string, environment: string) =>
    remembered(known, `${repository}/${environment}`, async () => {
      const all = of(repository).map(async (chart) => ({
        chart,
        ...(await render({ repository, environment, chart })),
      }));
      return policiesOf(context, `rendered/${repository}/${environment}`, await settled(all), count);
    });
  const steady = async (repository: string, environment: string) => {
    const troubles = await settled(of(repository).map((chart) => troubleOf({ repository, environment, chart })));
    return troubles.find((trouble) => trouble !== undefined);
  };
  const delivered = async (environment: string, repositories: readonly string[], allow: readonly string[] = []) => {
    const all = repositories
      .filter((repository) => environments(repository).includes(environment))
      .flatMap((repository) => of(repository).map((chart) => ({ repository, environment, chart })));
    const made = await settled(
      all.map(async (one) => ({ ...one, ...(await render(one)), trouble: await troubleOf(one) })),
    );
    return deliveredCharts(made, allow);
  };
  const forTests = async (repository: string) => {
    const files = new Map<string, string>();
    if (of(repository).length === 0) return files;
    for (const environment of environments(repository)) {
      for (const chart of of(repository)) {
        const { objects } = await render({ repository, environment, chart });
        for (const { source, text } of objects.filter(({ source }) => isSafe(source))) {
          const path = `rendered/${environment}/${source}`;
          files.set(path, `${files.get(path) ?? ""}---\n${text}\n`);
        }
      }
    }
    return files;
  };
  const failures = async (repository: string) => {
    const all = environments(repository).flatMap((environment) =>
      of(repository).map((chart) => ({ environment, chart })),
    );
    const made = await Promise.all(all.map(async (one) => ({ ...one, ...(await render({ repository, ...one })) })));
    return made.flatMap(({ environment, failure }) => (failure === undefined ? [] : [`${environment}: ${failure}`]));
  };
  const checks = async (repositories: readonly string[], wanted: readonly string[]) => {
    const withCharts = repositories.filter((repository) => of(repository).length > 0);
    const lines = withCharts.flatMap((repository) =>
      wanted.length === 0
        ? [
            Promise.resolve(
              notRendered(
                `policies: ${repository} in charts`,
                of(repository),
                "no environment is configured; name them in policy-platform:artifacts.environments",
              ),
            ),
          ]
        : wanted.map((environment) => {
            const name = `policies: ${repository} for ${environment}`;
            return environments(repository).includes(environment)
              ? checkOne(context, name, rendered(repository, environment), steady(repository, environment))
              : Promise.resolve(notRendered(name, of(repository), `it has no cd/${environment}/values.yaml`));
          }),
    );
    return settled(lines);
  };
  return { of, environments, rendered, forTests, failures, delivered, checks };
}

interface OneChart {
  readonly repository: string;
  readonly environment: string;
  /** Absolute path. */
  readonly chart: string;
}

function keyOf({ environment, chart }: OneChart): string {
  return `${environment} ${chart}`;
}

function remembered<T>(known: Map<string, T>, key: string, make: () => T): T {
  const found = known.get(key) ?? make();
  known.set(key, found);
  return found;
}

/** `/repos/<name>/<path>` → by name, path → content. */
function byRepository(files: GateContext["files"]): ReadonlyMap<string, ReadonlyMap<string, Buffer>> {
  const found = new Map<string, Map<string, Buffer>>();
  for (const [path, content] of files) {
    const [, name, inside] = /^\/repos\/([^/]+)\/(.+)$/s.exec(path) ?? [];
    if (name === undefined) continue;
    found.set(name, (found.get(name) ?? new Map<string, Buffer>()).set(inside!, content));
  }
  return found;
}

function notRendered(name: string, charts: readonly string[], why: string): Check {
  return skipped(
    name,
    `${listed(charts)} ${charts.length === 1 ? "is" : "are"} not rendered, so its policies are not checked: ${why}`,
  );
}

async function checkOne(
  context: GateContext,
  name: string,
  rendering: Promise<RenderedPolicies>,
  steady: Promise<string | undefined>,
): Promise<Check> {
  const [{ files, contents, charts, outside, failure }, trouble] = await settled([rendering, steady]);
  if (failure !== undefined || trouble !== undefined) return failed(name, failure ?? trouble!);
  const unchecked = notChecked(outside);
  if (files.length === 0)
    return unchecked === ""
      ? failed(name, "its policy charts render no policy with these values")
      : skipped(name, `nothing of it can be checked${unchecked}`);
  const content = (path: string) => Buffer.from(contents.get(path) ?? "");
  const joint = await applyJointly(context, files, anyPod, { content });
  if (joint.failure !== undefined) return failed(name, joint.failure, joint.output);
  const policies = `${counted(files.length, "policy", "policies")} of ${counted(new Set(charts.values()).size, "chart")}`;
  return passed(name, `${counted(joint.rules, "rule")} in ${policies}${unchecked}`, joint.output);
}
