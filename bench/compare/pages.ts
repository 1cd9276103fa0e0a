// The pages of docs/ that are drawn of the comparison's kept results.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { page } from "./page";
import { plot } from "./plot";
import type { Comparison } from "./results";

/** Paths from the checkout's root. */
export const resultsFile = "bench/results/comparison.json";

/** By path; each draws the page of the checkout at `root`. */
export const comparisonPages: Readonly<Record<string, (root: string) => string>> = {
  "docs/comparison.md": (root) => page(readResults(root)),
  "docs/comparison.svg": (root) => plot(readResults(root)),
};

function readResults(root: string): Comparison {
  return JSON.parse(readFileSync(join(root, resultsFile), "utf8")) as Comparison;
}
