// Which stacks a project has, by their files.
import { existsSync, readdirSync } from "node:fs";

/** Names of the stacks whose files are in a folder, sorted; none where there is no such folder. */
export function stacksIn(folder: string): string[] {
  const files = existsSync(folder) ? readdirSync(folder) : [];
  return files.flatMap((file) => /^Pulumi\.(.+)\.yaml$/.exec(file)?.[1] ?? []).sort();
}
