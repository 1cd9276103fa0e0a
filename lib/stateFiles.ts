// The files beside a state in Pulumi's file backend.
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";

/**
 * Removes attribute files (`<state>.json.attrs`) that a killed engine had only begun: an empty one makes it call the whole state
 * unreadable (`failed to load checkpoint: EOF`), and one that is missing is no harm. Returns their paths below `state`.
 */
export function dropBrokenAttributes(state: string): string[] {
  const root = join(state, ".pulumi");
  const names = existsSync(root) ? readdirSync(root, { recursive: true, encoding: "utf8" }) : [];
  const broken = names.filter((name) => name.endsWith(".attrs") && !isJson(join(root, name)));
  for (const name of broken) rmSync(join(root, name), { force: true });
  return broken.sort();
}

function isJson(file: string): boolean {
  try {
    JSON.parse(readFileSync(file, "utf8"));
    return true;
  } catch (error) {
    return !(error instanceof SyntaxError); // one that cannot be read at all, or has gone meanwhile, is not ours to judge
  }
}
