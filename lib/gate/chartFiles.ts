// The files that charts of policies give an artifact, for whoever publishes it where nobody has left them: rendered by the helm
// inside the image, without a network.
import { PlatformError } from "../errors";
import { rememberRendered } from "../flux/renderCache";
import type { Digest } from "../oci/digest";
import { catalogue } from "../pins/catalogue";
import { chartsOfImage } from "./charts";
import { usualLimits } from "./limits";
import { pinnedPrograms } from "./pinned";
import type { PullOptions } from "./pulled";

/** Which files. */
export interface ChartRequest {
  /** `host/path@sha256:…`, which holds repositories and helm. */
  readonly image: string;
  readonly environment: string;
  /** Names of the policy repositories of the image. */
  readonly repositories: readonly string[];
  /** Kinds that may come out beside policies. Default: none. */
  readonly allow?: readonly string[];
  /** Digest of what the files depend on: `renderDigest` in lib/flux/charts.ts. */
  readonly render: Digest;
  /** Absolute path of helm in the image. Default: where helm is unless its stack says otherwise. */
  readonly helm?: string;
}

/**
 * Path in the artifact → content. What is made of them must have the digest that the gate found: that is the caller's to check.
 * Errors: `artifact-charts`, and those of the engine and the registry.
 */
export async function chartFiles(
  request: ChartRequest,
  options: PullOptions = {},
): Promise<ReadonlyMap<string, Buffer>> {
  options.progress?.(`rendering the charts for ${request.environment} by the image's helm`);
  const files = await renderInImage(request, options);
  await rememberRendered(request.render, files);
  return files;
}

async function renderInImage(
  { image, environment, repositories, allow, helm = catalogue.helm!.path }: ChartRequest,
  options: PullOptions,
): Promise<ReadonlyMap<string, Buffer>> {
  // Loaded here: mostly nothing is rendered.
  const [{ DockerEngine }, { withContainer }] = await Promise.all([import("../docker/engine"), import("./pulled")]);
  const about = { image, limits: usualLimits.checks };
  return withContainer(DockerEngine.fromEnvironment(), about, options, async (container) => {
    const refused = (why: string) =>
      new PlatformError("artifact-charts", {
        what: `the charts of policies in ${image} give no artifact for ${environment}: ${why}`,
        rule: "charts are rendered by the image's own helm, without a network, to what the gate has seen",
        fix: "mend the chart or its values, then run pulumi up again",
      });
    const failure = await container.start();
    if (failure !== undefined) throw refused(`the image does not start: ${failure}`);
    const { contents } = await container.files("/repos");
    const { exec, put } = pinnedPrograms(container, { helm: { command: [helm] } });
    const charts = chartsOfImage({
      exec,
      put,
      policies: () => [],
      files: contents,
      has: (path) => contents.has(path),
    });
    const found = await charts.delivered(environment, repositories, allow);
    if (found.failure !== undefined) throw refused(found.failure);
    return found.files;
  });
}
