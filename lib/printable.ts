// Text of others, made safe for a screen: nothing that a terminal acts on or hides, no line breaks, no megabytes.

/** Cut to at most `most` characters, the ellipsis included. */
export function cut(text: string, most: number): string {
  // No half of a surrogate pair is left at the end.
  return text.length > most ? `${text.slice(0, most - 1).replace(/[\ud800-\udbff]$/, "")}…` : text;
}

/** For text that is read: on one line, colours and whatever else cannot be seen away, at most `most` characters. */
export function printable(text: string, most = 200): string {
  const line = text
    .replace(/\x1b\[[0-9;]*[A-Za-z]/g, "")
    .replace(/[\p{C}\s]+/gu, " ")
    .trim();
  return cut(line, most);
}

/** For text that must be told exactly, such as a path: between quotes, with everything escaped that cannot be seen. */
export function quoted(text: string): string {
  return escaped(text, /[\p{C}\p{Zl}\p{Zp}]/gu);
}

/** For a value that somebody typed: between quotes, ASCII alone, so that no letter passes for another. */
export function quotedAscii(text: string): string {
  return escaped(text, /[^\x20-\x7e]/gu);
}

function escaped(text: string, hidden: RegExp): string {
  const unit = (code: string) => `\\u${code.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return JSON.stringify(text).replace(hidden, (character) => character.split("").map(unit).join(""));
}
