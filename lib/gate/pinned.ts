// Starts the tools that the stack pins, by the paths at which the image has them: the first program of a name on PATH may be
// the base's own, and every verdict would be that one's.
import type { PolicyPrograms } from "./ruleCounts";
import type { ToolSmoke } from "./smoke";

/** Exit code of what is not there. */
const notFound = 127;

/** Programs by the names of the pinned tools; what is not pinned is not there, whatever the base has. */
export function pinnedPrograms(
  programs: PolicyPrograms,
  tools: Readonly<Record<string, Pick<ToolSmoke, "command">>>,
): PolicyPrograms {
  return {
    put: (folder, files) => programs.put(folder, files),
    exec: async ([name = "", ...rest], options) => {
      const path = Object.hasOwn(tools, name) ? tools[name]!.command[0] : undefined;
      if (path !== undefined) return programs.exec([path, ...rest], options);
      const said = `no tool ${name} is pinned\n`;
      const ended = { code: notFound, truncated: false, timedOut: false, oomKilled: false };
      return { ...ended, stdout: "", stderr: said, output: said };
    },
  };
}
