// What helm renders for an artifact: known from before, or rendered now.
import { chartRepositories } from "../lib/flux/charts";
import { type RepositoryFiles, renderedBefore } from "../lib/flux/rendered";
import type { RegistryClient } from "../lib/oci/client";
import type { Digest } from "../lib/oci/digest";
import { parseRepository } from "../lib/oci/reference";
import type { ArtifactInputs } from "./artifact";
import type { ResourceContext } from "./host";
import { pinned } from "./registry";

/** The inputs once something is to be rendered, with what ships of the policy repositories. */
export type ChartInputs = ArtifactInputs & { readonly render: Digest; readonly files: RepositoryFiles };

/** Path in the artifact → content. */
export async function renderedFiles(
  context: ResourceContext,
  client: RegistryClient,
  { repository, environment, render, files, image, allow = [], helm }: ChartInputs,
): Promise<ReadonlyMap<string, Buffer>> {
  const charts = chartRepositories(files, environment);
  const home = parseRepository(repository);
  const before = await renderedBefore(client, { render, charts, repositories: files, home });
  if (before) return before;
  const { chartFiles } = await import("../lib/gate/chartFiles"); // with the engine loaded here alone
  const from = { image: pinned(image.repository, image.digest), environment, repositories: charts };
  return chartFiles({ ...from, allow, render, helm }, { signal: context.signal, progress: context.progress });
}
