// `npm run bench [NAME…]`: measures and prints the figures of docs/figures.md, each with its goal; ends with 1 when one is missed.
// `compare:SCENARIO` measures one scenario of `compare` alone, and writes nothing.
// Runs on what `npm run local` has made ready. Nothing else should run on the machine: differences are taken in turns, times are not.
import { spawnSync } from "node:child_process";
import { cpus } from "node:os";
import { join } from "node:path";
import { exec } from "../lib/exec";
import type { Figure } from "./figure";

const root = join(__dirname, "..");

/** In the order in which they are printed. */
const benches: Readonly<Record<string, (part?: string) => Promise<Figure[]>>> = {
  plugin: async () => (await import("./plugin")).measure(),
  layer: () =>
    script("ociLayer.ts", "a policy repository of 5,000 YAML files as a layer image", "≤ 2 s, ≤ 150 MB resident"),
  preview: async () => [
    ...(await (await import("./preview")).measure()),
    ...(await (await import("./previewStacks")).measure()),
  ],
  edit: async () => (await import("./edit")).measure(),
  rebuild: () =>
    script("dockerRebuild.ts", "the image built again, every cache pruned", "same digest 5 of 5, ≤ 1.02 × bytes given"),
  gate: async () => (await import("./gate")).measure(),
  "gate-large": async () => (await import("./gateLarge")).measure(),
  compare: async (part) => (await import("./compare")).measure(part),
  clusters: async () => (await import("./clusters")).measure(),
  promote: async () => (await import("./promote")).measure(),
  artifact: async () => (await import("./artifact")).measure(),
  enforce: async () => (await import("./enforce")).measure(),
  local: async () => (await import("./local")).measure(),
  cluster: async () => (await import("./cluster")).measure(),
};

/** A measurement that needs a process of its own: its last lines are what was measured, its exit code is the verdict. */
async function script(file: string, what: string, goal: string): Promise<Figure[]> {
  const { code, stdout, stderr } = await exec(process.execPath, ["--import", "tsx", join(__dirname, file)], {
    cwd: root,
    env: { DOCKER_HOST: process.env.DOCKER_HOST ?? "" },
    timeout: 600_000,
  });
  const lines = `${stdout}${code === 0 ? "" : stderr}`.trim().split("\n");
  return [{ what, goal, measured: lines.slice(-2).join("; "), met: code === 0 }];
}

/** Engine, Docker, registry and tools as `npm run local` has them; what is missing is made ready. */
function enterLocalStack(): void {
  if (process.env.POLICY_PLATFORM_STACK_FILE) return; // is set in there
  const { status, stdout } = spawnSync(process.execPath, ["local/start.mjs", "env", "--json"], {
    cwd: root,
    stdio: ["ignore", "pipe", "inherit"],
    encoding: "utf8",
  });
  if (status !== 0) process.exit(1);
  Object.assign(process.env, JSON.parse(stdout));
}

async function main(names: readonly string[]): Promise<void> {
  const unknown = names.find((name) => !Object.hasOwn(benches, name.replace(/^compare:.*/, "compare")));
  if (unknown !== undefined) {
    console.error(`unknown figure ${unknown}; the figures are ${Object.keys(benches).join(", ")}; npm run bench`);
    process.exit(2);
  }
  enterLocalStack();
  console.log(`${cpus().length} × ${cpus()[0]?.model ?? "unknown processor"}\n`);
  let missed = 0;
  for (const name of names.length > 0 ? names : Object.keys(benches)) {
    const [bench = "", part] = name.split(":");
    for (const { what, goal, measured, met } of await benches[bench]!(part)) {
      console.log(`${met ? "✔" : "✗"} ${what}\n    goal      ${goal}\n    measured  ${measured}\n`);
      if (!met) missed++;
    }
  }
  console.log(missed === 0 ? "every goal met" : `${missed} missed`);
  process.exitCode = missed === 0 ? 0 : 1;
}

void main(process.argv.slice(2));
