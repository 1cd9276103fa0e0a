// This program beside the script that people use today: five scenarios, both sides in one run, through one counting proxy.
// A whole run writes bench/results/comparison.json and draws docs/comparison.md and docs/comparison.svg of it.
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { dirname, join } from "node:path";
import { figures } from "./compare/figures";
import { comparisonPages, resultsFile } from "./compare/pages";
import { type Row, type ScenarioName, size, time, titles } from "./compare/results";
import { changes } from "./compare/scenarios";
import { startStand } from "./compare/stand";
import type { Figure } from "./figure";

const root = join(__dirname, "..");

/** `only`: one scenario, measured after a first release; nothing is written then. */
export async function measure(only?: string): Promise<Figure[]> {
  const names = Object.keys(titles) as ScenarioName[];
  if (only !== undefined && !names.includes(only as ScenarioName))
    throw new Error(`unknown scenario ${only}; the scenarios are ${names.join(", ")}; npm run bench compare:policy`);
  const machine = `${cpus().length} × ${cpus()[0]?.model ?? "unknown processor"}, load ${loadavg()[0]!.toFixed(1)} before`;
  const rows = await measureRows(names, only as ScenarioName | undefined);
  const comparison = { measured: new Date().toISOString().slice(0, 10), machine, rows };
  if (only === undefined) {
    mkdirSync(dirname(join(root, resultsFile)), { recursive: true });
    writeFileSync(join(root, resultsFile), `${JSON.stringify(comparison, undefined, 2)}\n`);
    for (const [path, draw] of Object.entries(comparisonPages)) writeFileSync(join(root, path), draw(root));
  }
  return figures(comparison);
}

async function measureRows(names: readonly ScenarioName[], only: ScenarioName | undefined): Promise<Row[]> {
  const stand = await startStand();
  const rows: Row[] = [];
  try {
    for (const scenario of names) {
      if (only !== undefined && scenario !== "first" && scenario !== only) continue;
      const changed = await changes[scenario](stand.world, stand);
      const row = { scenario, script: await stand.byScript(changed), pulumi: await stand.byPulumi() };
      console.log(`  ${titles[scenario]}`);
      for (const side of ["script", "pulumi"] as const) {
        const { up, down, seconds } = row[side];
        console.log(`    ${side.padEnd(7)} ${time(seconds)}, ${size(up)} up, ${size(down)} down`);
      }
      if (only === undefined || scenario === only) rows.push(row);
    }
    return rows;
  } finally {
    await stand.stop();
  }
}
