// Charts that say what time it is: two renderings of one day are equal, and those of two days are not.
import { printable } from "../printable";

/** Template functions that ask the clock. */
const asksClock = /(?:^|[\s(|])(now|ago)(?=[\s)|]|$)/;

/** The first template of a chart that uses one, a sentence; undefined when none does. `chart`: absolute path. */
export function clockIn(files: ReadonlyMap<string, Uint8Array>, chart: string): string | undefined {
  for (const [path, content] of files) {
    if (!path.startsWith(`${chart}/`) || !path.includes("/templates/")) continue;
    const name = clockOf(Buffer.from(content).toString("latin1"));
    if (name !== undefined)
      return `${printable(path)} uses ${name}: what it renders depends on the day, and cannot be compared with a cluster; take the date from values`;
  }
  return undefined;
}

/** The function that a template uses outside of comments and of quoted texts. */
function clockOf(template: string): string | undefined {
  for (const [, action = ""] of template.matchAll(/\{\{(.*?)\}\}/gs)) {
    const code = action.replace(/"(?:[^"\\\n]|\\.)*"|`[^`]*`|\/\*.*?\*\//gs, " ");
    const found = asksClock.exec(code)?.[1];
    if (found !== undefined) return found;
  }
  return undefined;
}
