// What `promote` finds in the registry of the stack that it goes to: the part of it that the program decides by.
import type { PromotionSettings } from "../config/settings";
import { parseRepository } from "../lib/oci/reference";
import { planPromotion } from "../lib/plan/promotion";
import type { ChosenRelease } from "../lib/promotion/choose";
import { isUncreated } from "../lib/registry/created";
import { uncreatedLine } from "../lib/registry/declaredClient";
import { repositoryNames } from "../lib/registry/names";
import { stackClient } from "../lib/registry/stackClient";
import { compareReleases, versionTags } from "../lib/release/versions";
import type { Place } from "./place";
import { narrate } from "./screen";
import { stackResources } from "./stackState";

export interface PlannedPromotion {
  /** The release goes back, which was asked for. */
  readonly rollback: boolean;
  /** What the program will say of it. */
  readonly notes: readonly string[];
}

/** Reads and writes nothing. Errors: those of {@link planPromotion}, of going back above all, where that was not asked for. */
export async function planned(
  settings: PromotionSettings,
  release: ChosenRelease,
  { source, target, mayGoBack }: { readonly source: Place; readonly target: Place; readonly mayGoBack: boolean },
): Promise<PlannedPromotion> {
  const { stack } = target;
  const to = repositoryNames(settings.registry).releases(settings.image.name);
  narrate("doing", `reading ${to}`);
  const resources = await stackResources(target);
  const registry = isUncreated(settings.registry, resources) ? uncreated(settings.registry) : settings.registry;
  const [highest] = versionTags(await stackClient(registry).tags(parseRepository(to)));
  const isBack = highest !== undefined && compareReleases(release.version, highest) < 0;
  const rollback = isBack && mayGoBack;
  if (mayGoBack && !isBack)
    narrate("doing", `--rollback is not needed: ${release.version} is below no version of ${to}`);
  const { lines } = await planPromotion(
    { ...settings, registry, promotion: { ...settings.promotion, ...release, rollback } },
    { stack, source: () => source.stack, state: async () => resources },
  );
  return { rollback, notes: lines };
}

/** The first promotion is written before the first `up`, which needs it. */
function uncreated(registry: PromotionSettings["registry"]) {
  const said = new Set<string>();
  return {
    ...registry,
    uncreated: (repository: string) => {
      if (!said.has(repository)) narrate("doing", uncreatedLine(repository));
      said.add(repository);
    },
  };
}
