// The settings of the stack that a verb works on, its folders found from wherever the verb was typed.
import { resolve } from "node:path";
import { fromStackFile } from "../config/load";
import { parseSettings, type Settings } from "../config/settings";
import { mapRecord } from "../lib/record";
import type { Place } from "./place";

/** With folders absolute: the program runs in its project's folder, a verb runs anywhere. Errors: those of `parseSettings`. */
export function stackSettings({ stack, projectDir, stackFile }: Place): Settings {
  const { policies, ...rest } = parseSettings(fromStackFile(stackFile, stack).raw, { stack, projectDir });
  const placed = mapRecord(policies, (source) =>
    source.folder === undefined ? source : { ...source, folder: resolve(projectDir, source.folder) },
  );
  return { ...rest, policies: placed };
}
