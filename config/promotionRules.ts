// A stack builds, or it promotes what another one built: beside a promotion, nothing that a build needs has a meaning.
import { problem, type Scene, valueAt } from "./issues";
import { type ConfigurationProblem, type Path, removeLine } from "./problems";
import type { RawConfiguration } from "./settings";

/** Keys that only a build has. */
const buildKeys: readonly Path[] = [
  ["version"],
  ["image", "user"],
  ["registry", "cleanup"],
  ["base"],
  ["tools"],
  ["policies"],
  ["gate"],
  ["artifacts"],
  ["bundles"],
  ["source"],
  ["mirrors"],
];

/** True for the configuration of a stack that promotes. */
export function promotes(raw: RawConfiguration): boolean {
  return raw.promotion !== undefined && raw.promotion !== null;
}

/** What stands beside a promotion without a meaning. The project's own default, `version: auto`, was written for stacks that build. */
export function besidePromotion(scene: Scene): ConfigurationProblem[] {
  return buildKeys.flatMap((path) => {
    const value = valueAt(scene.raw, path);
    const isDefault = path[0] === "version" && value === "auto" && scene.written(path) === undefined;
    if (value === undefined || isDefault) return [];
    const rule = "a stack builds, or promotes what another one built: its version and content come with the release";
    return [problem("promotion-beside", path, "stands beside promotion", rule, removeLine(path, scene))];
  });
}

/** The configuration without those keys: they are said once, and nothing more is asked of them. */
export function withoutBuild({ registry, image, promotion, clusters, ...others }: RawConfiguration): RawConfiguration {
  const unknown = Object.entries(others).filter(([key]) => !buildKeys.some(([first]) => first === key));
  const { user: _, ...named } = (isMap(image) ? image : {}) as Record<string, unknown>;
  return {
    ...Object.fromEntries(unknown),
    ...(registry !== undefined && { registry }),
    ...(image !== undefined && { image: isMap(image) ? named : image }),
    ...(clusters !== undefined && { clusters }),
    promotion,
  };
}

function isMap(value: unknown): boolean {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}
