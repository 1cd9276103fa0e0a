// The settings of the building stack that a verb works on, its folders found from wherever the verb was typed.
import { resolve } from "node:path";
import { fromStackFile } from "../config/load";
import { parseBuildSettings } from "../config/parse";
import type { BuildSettings } from "../config/settings";
import { mapRecord } from "../lib/record";
import type { Place } from "./place";

/** With folders absolute: the program runs in its project's folder, a verb runs anywhere. Errors: those of `parseBuildSettings`. */
export function stackSettings({ stack, projectDir, stackFile }: Place): BuildSettings {
  const { policies, ...rest } = parseBuildSettings(fromStackFile(stackFile, stack).raw, { stack, projectDir });
  const placed = mapRecord(policies, (source) =>
    source.folder === undefined ? source : { ...source, folder: resolve(projectDir, source.folder) },
  );
  return { ...rest, policies: placed };
}
