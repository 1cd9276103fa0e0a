// What a stack's own state holds: the outputs of its resources.

/** One resource of the state. */
export interface StateResource {
  readonly urn: string;
  readonly outputs: Readonly<Record<string, unknown>>;
}

/**
 * Those of one type among `resources`, which are `{type, outputs}` by URN, as the engine's function
 * `pulumi:pulumi:readStackResourceOutputs` answers; undefined, a state that was not read, has none.
 */
export function resourcesOfType(resources: unknown, type: string): StateResource[] {
  const entries = Object.entries((resources ?? {}) as Record<string, { type?: string; outputs?: object } | null>);
  return entries.flatMap(([urn, one]) => (one?.type === type ? [{ urn, outputs: { ...one.outputs } }] : []));
}
