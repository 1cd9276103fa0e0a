// `npm run check`: everything that needs no registry and no engine. Runs all checks, then fails if one failed.
import { spawnSync } from "node:child_process";
import { importProblems } from "./importDirection";

const colours = process.stdout.isTTY ? [] : ["--colors=off"];

const checks: readonly { name: string; run: () => boolean }[] = [
  { name: "format and lint", run: () => command("biome", "ci", "--error-on-warnings", ...colours) },
  { name: "types", run: () => command("tsc", "--noCheck", "false", "--noEmit") },
  { name: "import direction", run: () => report(importProblems(".")) },
  { name: "dead code", run: () => command("knip", "--no-progress") },
  { name: "generated files", run: () => command("tsx", "scripts/generate.ts", "--check") },
];

function command(program: string, ...args: string[]): boolean {
  return spawnSync(`node_modules/.bin/${program}`, args, { stdio: "inherit" }).status === 0;
}

function report(problems: readonly string[]): boolean {
  for (const problem of problems) console.error(problem);
  return problems.length === 0;
}

let failed = 0;
for (const { name, run } of checks) {
  const start = Date.now();
  const passed = run();
  console.log(`${passed ? "✔" : "✗"} ${name} (${((Date.now() - start) / 1000).toFixed(1)} s)`);
  if (!passed) failed++;
}
process.exitCode = failed === 0 ? 0 : 1;
