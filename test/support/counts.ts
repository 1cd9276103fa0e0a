// How often a property is tried, and how many files or tags there are where many are the point.

/** `full` times in `npm test` and in a run of one file; a tenth of it in `npm run test:fast`, which is for every few minutes. */
export function times(full: number): number {
  return process.env.POLICY_PLATFORM_FEW_VALUES === undefined ? full : Math.ceil(full / 10);
}
