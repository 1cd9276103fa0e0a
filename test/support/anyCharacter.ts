// A character of Unicode for texts that are made up, the `unit` of fast-check's strings.
import fc from "fast-check";

const surrogates = { first: 0xd800, count: 0x800 };

/**
 * Any code point but surrogates, as fast-check's own unit `binary`, which builds a table of the million of them in each process that
 * uses it: a second of processor time.
 */
export const anyCharacter = fc.nat(0x10ffff - surrogates.count).map(
  (at) => String.fromCodePoint(at < surrogates.first ? at : at + surrogates.count),
  (text) => indexOf(text as string),
);

function indexOf(text: string): number {
  const point = text.codePointAt(0)!;
  if (text !== String.fromCodePoint(point)) throw new Error("not one character");
  return point < surrogates.first ? point : point - surrogates.count;
}
