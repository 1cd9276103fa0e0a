// Canonical JSON: sorted keys, no white space. Every document whose bytes are hashed goes through here.

/** A value that JSON can hold. `undefined` properties are left out, as JSON.stringify does. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json | undefined };

/**
 * Keys sorted by UTF-16 code unit at every depth, no white space, no trailing newline.
 * Written out by hand: an object with keys such as "10" and "9" would have them in numeric order whatever it is built from.
 */
export function canonicalJson(value: Json): string {
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  if (isList(value)) return `[${value.map(canonicalJson).join(",")}]`;
  const members = Object.keys(value)
    .sort()
    .flatMap((key) => (value[key] === undefined ? [] : [`${JSON.stringify(key)}:${canonicalJson(value[key])}`]));
  return `{${members.join(",")}}`;
}

function isList(value: object): value is readonly Json[] {
  return Array.isArray(value);
}
