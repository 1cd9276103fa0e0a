// What the gate has seen of the policies that clusters are to get: each policy of the image and of its rendered charts, with what
// was done with it.
import { plainPolicies, policiesIn } from "../flux/imagePolicies";
import type { ImagePolicy } from "../flux/parity";
import type { PolicyCharts } from "./charts";
import type { DeliveredCharts } from "./deliveredCharts";
import type { GateContext } from "./exec";

/** One environment as the gate has seen it. */
export interface SeenDelivery {
  /** Of plain files and of charts, as the image has them. */
  readonly policies: readonly ImagePolicy[];
  readonly charts: DeliveredCharts;
}

/** By environment. `allow`: kinds that come out of charts beside policies. */
export async function seenDeliveries(
  context: GateContext,
  charts: PolicyCharts,
  { repositories, environments, allow }: SeenOptions,
): Promise<ReadonlyMap<string, SeenDelivery>> {
  const found = new Map<string, SeenDelivery>();
  if (environments.length === 0) return found;
  const plain = repositories.flatMap((repository) => plainIn(context, repository));
  for (const environment of environments) {
    const delivered = await charts.delivered(environment, repositories, allow);
    const policies = [...plain];
    for (const repository of repositories) {
      if (!charts.environments(repository).includes(environment)) continue;
      const { contents, others } = await charts.rendered(repository, environment);
      for (const text of contents.values()) policies.push(...policiesIn(repository, Buffer.from(text), true));
      for (const text of others) policies.push(...policiesIn(repository, Buffer.from(text), false));
    }
    found.set(environment, { policies, charts: delivered });
  }
  return found;
}

interface SeenOptions {
  /** Names. */
  readonly repositories: readonly string[];
  readonly environments: readonly string[];
  readonly allow: readonly string[];
}

/** Those outside of templates. */
function plainIn(context: GateContext, repository: string): ImagePolicy[] {
  const folder = `/repos/${repository}/`;
  const applied = new Set(context.policies(repository).map(({ path }) => path.slice(folder.length)));
  const files = [...context.files].flatMap(([path, content]): [string, Buffer][] =>
    path.startsWith(folder) ? [[path.slice(folder.length), content]] : [],
  );
  return plainPolicies(repository, new Map(files), (path) => applied.has(path));
}
