// Order of dotted version numbers, as Docker, Go and Node write them. Releases of our own have lib/release/versions.ts.

/** Below 0 when `a` is older: `1.9` is older than `1.44`. What is behind the numbers (`-rc1`, `+ds1`) is ignored. */
export function compareVersions(a: string, b: string): number {
  const numbers = (text: string) => text.split(".").map((part) => Number.parseInt(part, 10) || 0);
  const [left, right] = [numbers(a), numbers(b)];
  for (let index = 0; index < Math.max(left.length, right.length); index++) {
    const difference = (left[index] ?? 0) - (right[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
