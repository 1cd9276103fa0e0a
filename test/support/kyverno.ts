// Runs the real Kyverno CLI and reads what it prints, as the gate does.
import { accessSync, constants, existsSync, readdirSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { exec } from "../../lib/exec";
import { type ApplyCounts, parseApply } from "../../lib/kyverno/apply";
import { parseTest, type TestRow } from "../../lib/kyverno/test";

export interface TestRun {
  readonly code: number | null;
  readonly rows: readonly TestRow[];
  readonly output: string;
}

export interface ApplyRun {
  readonly code: number | null;
  readonly rules: number | undefined;
  readonly invalid: readonly string[];
  /** Empty when the last line is missing. */
  readonly counts: Partial<ApplyCounts>;
  readonly output: string;
}

/** The real CLI. */
export const kyvernoBinary = () => builtProgram("kyverno");

/** A program on PATH, else the one that the local toolchain built into the cache folder. */
export function builtProgram(name: string): string {
  const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "policy-platform");
  const candidates = [
    ...(process.env.PATH ?? "").split(delimiter).map((folder) => join(folder, name)),
    ...foldersBelow(cache, 3).map((folder) => join(folder, name)),
  ];
  const found = candidates.find(isExecutable);
  if (found === undefined) throw new Error(`no ${name} on PATH or under ${cache}; npm run local builds it`);
  return found;
}

/** `kyverno test FOLDER`, with the table of every row and check. */
export async function kyvernoTest(folder: string): Promise<TestRun> {
  const { code, stdout, stderr } = await exec(kyvernoBinary(), ["test", folder, "--remove-color"]);
  return { code, rows: parseTest(stdout).rows, output: stdout + stderr };
}

/** `kyverno apply PATH --resource -` with `resources` (YAML) on standard input. */
export async function kyvernoApply(path: string, resources: string): Promise<ApplyRun> {
  const { code, stdout, stderr } = await exec(kyvernoBinary(), ["apply", path, "--resource", "-", "--remove-color"], {
    input: resources,
  });
  const { rules, invalid, counts = {} } = parseApply(stdout);
  return { code, rules, invalid, counts, output: stdout + stderr };
}

function foldersBelow(folder: string, depth: number): string[] {
  if (depth === 0 || !existsSync(folder)) return [];
  const below = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return below.map(({ name }) => join(folder, name)).flatMap((path) => [path, ...foldersBelow(path, depth - 1)]);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
