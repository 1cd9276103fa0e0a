// Records: whether a value is one, and maps over its values that keep the keys.

/** `{a: 1}` → `{a: map(1, "a")}`. */
export function mapRecord<T, U>(
  record: Readonly<Record<string, T>>,
  map: (value: T, name: string) => U,
): Record<string, U> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, map(value, name)]));
}

/** The same for a map that is asynchronous; all values at once. */
export async function mapRecordAsync<T, U>(
  record: Readonly<Record<string, T>>,
  map: (value: T, name: string) => Promise<U>,
): Promise<Record<string, U>> {
  return Object.fromEntries(
    await Promise.all(Object.entries(record).map(async ([name, value]) => [name, await map(value, name)])),
  );
}

/** The entries whose value passes. */
export function filterRecord<T>(
  record: Readonly<Record<string, T>>,
  keep: (value: T, name: string) => boolean,
): Record<string, T> {
  return Object.fromEntries(Object.entries(record).filter(([name, value]) => keep(value, name)));
}

/** True for an object that is neither null nor a list: what JSON and YAML call a map. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
