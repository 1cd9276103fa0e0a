// Waiting for several programs of the gate.

/** `Promise.all` that waits for all of them, also when one throws: nothing may run on behind an error. */
export async function settled<T extends readonly unknown[] | []>(
  work: T,
): Promise<{ -readonly [Index in keyof T]: Awaited<T[Index]> }> {
  await Promise.allSettled(work);
  return Promise.all(work);
}
