// Two commands in turns, so that whatever else the machine does meets both.
import { childProcessorSeconds, timed } from "./figure";

export interface Cost {
  /** Seconds. */
  readonly wall: number;
  /** Seconds of all cores and processes. */
  readonly processor: number;
}

export const rounds = 9;

/** Both in each round, the first one changing; a round before, not counted, warms every cache. */
export async function inTurns(sides: readonly (() => Promise<unknown>)[]): Promise<[Cost[], Cost[]]> {
  const costs: [Cost[], Cost[]] = [[], []];
  for (let round = 0; round <= rounds; round++) {
    for (const side of round % 2 === 0 ? [0, 1] : [1, 0]) {
      const before = childProcessorSeconds();
      const wall = await timed(sides[side]!);
      if (round > 0) costs[side]!.push({ wall, processor: childProcessorSeconds() - before });
    }
  }
  return costs;
}
