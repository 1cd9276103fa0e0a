// Canonical JSON: sorted keys, no white space. Every document whose bytes are hashed goes through here.

/** A value that JSON can hold. `undefined` properties are left out, as JSON.stringify does. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json | undefined };

/** Keys sorted by UTF-16 code unit at every depth, no white space, no trailing newline. */
export function canonicalJson(value: Json): string {
  return JSON.stringify(value, (_key, item: unknown) =>
    item !== null && typeof item === "object" && !Array.isArray(item)
      ? Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)))
      : item,
  );
}
