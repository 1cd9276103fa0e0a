// `npm run local` in this checkout: again, when everything is there already; and what its first run recorded of itself.
import { join } from "node:path";
import { exec } from "../lib/exec";
import { layoutOf } from "../local/layout";
import { type Memory, readMemory } from "../local/memory";
import { duration } from "../local/steps";
import { expectSuccess } from "../test/support/project";
import { type Figure, median, seconds, timed } from "./figure";

const rounds = 3;
const allowedSeconds = 10;
const allowedFirstMinutes = 15;
const root = join(__dirname, "..");

export async function measure(): Promise<Figure[]> {
  const run = () =>
    expectSuccess(exec("npm", ["run", "local", "--", "--no-cluster"], { cwd: root, timeout: 1_800_000 }));
  await run();
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) times.push(await timed(run));
  const { firstRun } = readMemory(layoutOf(root).memoryFile);
  return [
    {
      what: "npm run local again, nothing to do",
      goal: `≤ ${allowedSeconds} s`,
      measured: `${seconds(times)}, ${rounds} rounds`,
      met: median(times) <= allowedSeconds,
    },
    ...(firstRun ? [firstFigure(firstRun)] : []),
  ];
}

/** Cold only where its steps say that programs were built: in a second checkout of a machine the cache folder is warm. */
function firstFigure({ milliseconds, steps }: NonNullable<Memory["firstRun"]>): Figure {
  const built = steps.filter(({ outcome }) => outcome === "built from Go modules");
  const parts = built.map((step) => `${step.name} ${duration(step.milliseconds)}`);
  return {
    what: `npm run local, first run in this checkout, ${built.length > 0 ? "cold" : "cache folder warm"}`,
    goal: `image tagged in ≤ ${allowedFirstMinutes} min`,
    measured: [duration(milliseconds), ...parts].join("; "),
    met: milliseconds <= allowedFirstMinutes * 60_000,
  };
}
