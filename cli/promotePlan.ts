// What `promote` finds in the registry of the stack that it goes to: the part of it that the program decides by.
import type { PromotionSettings } from "../config/settings";
import type { RegistryClient } from "../lib/oci/client";
import type { Digest } from "../lib/oci/digest";
import { planPromotion } from "../lib/plan/promotion";
import type { ChosenRelease } from "../lib/promotion/choose";
import { repositoryNames } from "../lib/registry/names";
import type { Place } from "./place";
import { narrate } from "./screen";

export interface PlannedPromotion {
  /** The release goes back, which was asked for. */
  readonly rollback: boolean;
  /** What the program will say of it. */
  readonly notes: readonly string[];
}

export interface Promoting {
  readonly source: Place;
  readonly target: Place;
  readonly mayGoBack: boolean;
  /** The resources in the target's own state, by URN. */
  readonly state: () => Promise<unknown>;
}

/** Reads and writes nothing. Errors: those of {@link planPromotion}, of going back above all, where that was not asked for. */
export async function planned(
  client: RegistryClient,
  settings: PromotionSettings,
  release: ChosenRelease & { readonly artifacts: Readonly<Record<string, Digest>> },
  { source, target, mayGoBack, state }: Promoting,
): Promise<PlannedPromotion> {
  const { stack } = target;
  const to = repositoryNames(settings.registry).releases(settings.image.name);
  narrate("doing", `reading ${to}`);
  const { lines, isBack } = await planPromotion(
    client,
    { ...settings, promotion: { ...settings.promotion, ...release, rollback: false } },
    { stack, source: () => source.stack, state, mayGoBack },
  );
  if (mayGoBack && !isBack)
    narrate("doing", `--rollback is not needed: ${release.version} is below no version of ${to}`);
  return { rollback: isBack, notes: lines };
}
