// The order of texts that is the same on every machine: by code units, in no language.

/** For `sort`: negative, zero or positive. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
