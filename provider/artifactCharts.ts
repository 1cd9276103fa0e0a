// What helm renders for an artifact: known from before, or rendered now.
import { chartRepositories } from "../lib/flux/charts";
import { recallRendered } from "../lib/flux/renderCache";
import type { RepositoryFiles } from "../lib/flux/rendered";
import type { Digest } from "../lib/oci/digest";
import type { ArtifactInputs } from "./artifact";
import type { ResourceContext } from "./host";
import { pinned } from "./registry";

/** The inputs once something is to be rendered, with what ships of the policy repositories. */
export type ChartInputs = ArtifactInputs & { readonly render: Digest; readonly files: RepositoryFiles };

/** Path in the artifact → content. What is made of them must have the digest that the gate found: that is the caller's to check. */
export async function filesOfCharts(
  context: ResourceContext,
  { environment, render, files, image, allow = [], helm }: ChartInputs,
): Promise<ReadonlyMap<string, Buffer>> {
  const before = await recallRendered(render);
  if (before) return before;
  const { chartFiles } = await import("../lib/gate/chartFiles"); // with the engine loaded here alone
  const charts = chartRepositories(files, environment);
  const from = { image: pinned(image.repository, image.digest), environment, repositories: charts };
  return chartFiles({ ...from, allow, render, helm }, { signal: context.signal, progress: context.progress });
}
