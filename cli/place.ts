// Where a verb works: the project's folder, the stack, and the stack's file. Found offline, as the engine would find them.
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { stackFileName } from "../config/problems";
import { stacksIn } from "../config/stacks";
import { PlatformError } from "../lib/errors";
import { homeFolder } from "../lib/home";

export interface Place {
  /** The folder of Pulumi.yaml. */
  readonly projectDir: string;
  readonly stack: string;
  /** `Pulumi.<stack>.yaml`, absolute; it need not be there. */
  readonly stackFile: string;
}

/** Error: `project-missing`, `stack-unnamed`. */
export function findPlace(options: { readonly cwd?: string; readonly stack?: string }): Place {
  const projectDir = projectAbove(resolve(options.cwd ?? "."));
  const stack = options.stack ?? process.env.PULUMI_STACK ?? selectedStack(projectDir);
  if (!stack) {
    const stacks = stacksIn(projectDir);
    throw new PlatformError("stack-unnamed", {
      what: "no stack is selected",
      rule: `a verb works on one stack${stacks.length > 0 ? `; here are ${stacks.join(", ")}` : ""}`,
      fix: "name it with --stack, or select it with pulumi stack select",
    });
  }
  return { projectDir, stack, stackFile: join(projectDir, stackFileName(stack)) };
}

function projectAbove(folder: string): string {
  for (let at = folder; ; at = dirname(at)) {
    if (existsSync(join(at, "Pulumi.yaml"))) return at;
    if (at === dirname(at)) break;
  }
  throw new PlatformError("project-missing", {
    what: `no Pulumi.yaml in ${folder} or above`,
    rule: "a verb works in a project",
    fix: "go to the project's folder, or name it with --cwd",
  });
}

/** What `pulumi stack select` wrote: a file named by the hash of the project file's path. */
function selectedStack(projectDir: string): string | undefined {
  const home = process.env.PULUMI_HOME || join(homeFolder(), ".pulumi");
  const hash = createHash("sha1").update(join(projectDir, "Pulumi.yaml")).digest("hex");
  try {
    const project = /^name:\s*["']?([\w.-]+)/m.exec(readFileSync(join(projectDir, "Pulumi.yaml"), "utf8"))?.[1];
    const text = readFileSync(join(home, "workspaces", `${project}-${hash}-workspace.json`), "utf8");
    const { stack, stacks = {} } = JSON.parse(text) as { stack?: string; stacks?: Record<string, string> };
    return stack ?? stacks[process.env.PULUMI_BACKEND_URL ?? ""] ?? Object.values(stacks)[0];
  } catch {
    return undefined;
  }
}
