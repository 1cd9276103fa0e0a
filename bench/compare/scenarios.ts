// What is done to a released image, one thing after the other.
import { appendFileSync } from "node:fs";
import { join } from "node:path";
import type { ReleaseServer } from "./releases";
import type { ScenarioName } from "./results";
import { repositoryNames, type World } from "./world";

export interface Sources {
  readonly releases: ReleaseServer;
  /** Pushes a base that differs from the one before; `host/path@sha256:…`. */
  nextBase(): Promise<string>;
}

/** Makes the change; gives the policy repositories that change with it. */
type Change = (world: World, from: Sources) => Promise<readonly string[]> | readonly string[];

export const changes: Readonly<Record<ScenarioName, Change>> = {
  first: () => repositoryNames,
  policy: ({ policies }) => {
    appendFileSync(join(policies, "security-policy/policies/disallow-latest-tag.yaml"), "# reviewed\n");
    return ["security-policy"];
  },
  tool: async (world, { releases }) => {
    world.tools = { ...world.tools, helm: await releases.raised("helm") };
    return [];
  },
  base: async (world, { nextBase }) => {
    world.base = await nextBase();
    return [];
  },
  nothing: () => [],
};
