// A figure as it is printed, and the little statistics behind it.
import { readFileSync } from "node:fs";

export interface Figure {
  /** What was measured. */
  readonly what: string;
  readonly goal: string;
  /** The value with its spread. */
  readonly measured: string;
  readonly met: boolean;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** `0.31 s (0.22 to 0.45)`: the median, the least and the most. */
export function seconds(values: readonly number[], sign = ""): string {
  const text = (value: number) => value.toFixed(2);
  return `${sign}${text(median(values))} s (${text(Math.min(...values))} to ${text(Math.max(...values))})`;
}

/** `12,345 bytes` */
export function bytes(count: number): string {
  return `${count.toLocaleString("en")} bytes`;
}

/** Processor seconds of all children that have ended so far, theirs included; Linux counts them in hundredths. */
export function childProcessorSeconds(): number {
  const fields = readFileSync("/proc/self/stat", "utf8").split(") ").at(-1)!.split(" ");
  return (Number(fields[13]) + Number(fields[14])) / 100;
}

/** Seconds that some work takes. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}
