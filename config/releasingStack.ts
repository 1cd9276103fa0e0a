// Which stack of the project releases to a repository, as the stack files beside this one say it.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { PlatformError } from "../lib/errors";
import { fromStackFile } from "./load";
import { releasePlace } from "./releasePlace";

/** The only stack of the project that builds into `releases` (`host/path`); undefined where none does, or several do. */
export function releasingStack(releases: string, projectDir: string): string | undefined {
  const stacks = readdirSync(projectDir).flatMap((file) => /^Pulumi\.(.+)\.yaml$/.exec(file)?.[1] ?? []);
  const found = stacks.filter((stack) => releasesOf(projectDir, stack) === releases);
  return found.length === 1 ? found[0] : undefined;
}

/** Where a stack that builds puts its releases; undefined where its file does not say it in order. */
function releasesOf(projectDir: string, stack: string): string | undefined {
  try {
    const { raw } = fromStackFile(join(projectDir, `Pulumi.${stack}.yaml`), stack);
    return raw.promotion === undefined ? releasePlace(raw, { stack, projectDir }) : undefined;
  } catch (error) {
    if (error instanceof PlatformError) return undefined;
    throw error;
  }
}
