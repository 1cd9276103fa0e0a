// What the gate has seen of the policies that clusters are to get: each policy of the image and of its rendered charts, with what
// was done with it.
import type { PolicyDocument } from "../flux/content";
import { documentsOf } from "../flux/documents";
import { type ImagePolicy, standingOf } from "../flux/parity";
import { isPolicyKind } from "../kyverno/kinds";
import { uncheckedRules } from "../kyverno/outside";
import type { PolicyCharts } from "./charts";
import type { DeliveredCharts } from "./deliveredCharts";
import type { GateContext } from "./exec";
import { isTemplate, mayHoldPolicy } from "./policyFiles";

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
  const plain = repositories.flatMap((repository) => plainPolicies(context, repository));
  for (const environment of environments) {
    const delivered = await charts.delivered(environment, repositories, allow);
    const policies = [...plain];
    for (const repository of repositories) {
      if (!charts.environments(repository).includes(environment)) continue;
      const { contents, others } = await charts.rendered(repository, environment);
      for (const text of contents.values()) policies.push(...seen(repository, Buffer.from(text), true));
      for (const text of others) policies.push(...seen(repository, Buffer.from(text), false));
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
function plainPolicies(context: GateContext, repository: string): ImagePolicy[] {
  const applied = new Set(context.policies(repository).map(({ path }) => path));
  return [...context.files]
    .filter(([path]) => path.startsWith(`/repos/${repository}/`) && /\.ya?ml$/i.test(path))
    .filter(([path, content]) => mayHoldPolicy(content) && !isTemplate(path, context.files))
    .flatMap(([path, content]) => seen(path.slice("/repos/".length), content, applied.has(path)));
}

function seen(path: string, content: Buffer, wasApplied: boolean): ImagePolicy[] {
  const documents = documentsOf(content);
  // What is no YAML fails another check.
  if ("problem" in documents) return [];
  const unchecked = uncheckedRules(content).map(({ policy }) => policy);
  return documents
    .filter(({ apiVersion, kind }) => isPolicyKind(apiVersion, kind))
    .map((document) => ({
      ...identity(document),
      path,
      standing: standingOf(document, { wasApplied, unchecked }),
    }));
}

/** Without the document itself, which nobody asks for any more. */
function identity({
  apiVersion,
  kind,
  namespace,
  name,
  spec,
  rules,
}: Omit<PolicyDocument, "path" | "repository" | "object">) {
  return { apiVersion, kind, namespace, name, spec, rules };
}
