// What the program's start is compared with: a project with the same packages and the same plugins, whose program is empty
// but for starting them.
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ExecResult, exec } from "../lib/exec";
import { expectSuccess } from "../test/support/project";

const root = join(__dirname, "..");
const linked = ["Pulumi.yaml", "tsconfig.json", "package.json", "node_modules", "dist"];

/** An explicit provider starts its plugin, checks and configures it, and declares nothing else. */
const program = (plugins: readonly string[]) => `import * as pulumi from "@pulumi/pulumi";

class Plugin extends pulumi.ProviderResource {}

${plugins.map((plugin) => `new Plugin("${plugin}", "${plugin}");\n`).join("")}`;

export interface EmptyProject {
  /** Runs `pulumi <args>` on its stack; throws unless it ends well. */
  pulumi(...args: string[]): Promise<ExecResult>;
  remove(): void;
}

/** `env` is that of the project it is compared with; only where the state is differs. `plugins`: those that its stack needs. */
export async function createEmptyProject(
  env: Readonly<Record<string, string>>,
  plugins: readonly string[] = ["docker", "policychain"],
): Promise<EmptyProject> {
  const dir = mkdtempSync(join(tmpdir(), "policy-platform-empty-"));
  for (const name of linked) symlinkSync(join(root, name), join(dir, name));
  mkdirSync(join(dir, "state"));
  writeFileSync(join(dir, "index.ts"), program(plugins));
  const own = { ...env, PULUMI_BACKEND_URL: `file://${join(dir, "state")}` };
  const pulumi = (...args: string[]) =>
    expectSuccess(exec("pulumi", [...args, "--non-interactive", "--color", "never"], { cwd: dir, env: own }));
  await pulumi("stack", "init", "local");
  await pulumi("up", "--yes", "--skip-preview", "-s", "local");
  return { pulumi: (...args) => pulumi(...args, "-s", "local"), remove: () => rmSync(dir, { recursive: true }) };
}
