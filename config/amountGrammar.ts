// The grammar of amounts: times and sizes, each within bounds.
import type { Grammar, Refusal } from "./grammar";
import { parseDuration, parseSize } from "./units";

/** A time-out between 1 s and 10 minutes. */
export const timeout: Grammar = {
  rule: "a time-out is a number and s, m or h, from 1s to 10m",
  example: "60s",
  refuse(text) {
    const seconds = parseDuration(text);
    if (seconds !== undefined && seconds <= 600) return undefined;
    const meant = /^[1-9]\d{0,2}$/.test(text) && Number(text) <= 600 ? `${text}s` : undefined;
    return { code: "duration-malformed", wrong: "is not such a time", ...(meant && { meant }) };
  },
};

/** Memory of a container. */
export const memory = sizeBetween("memory", { least: "16Mi", most: "64Gi", example: "512Mi" });

/** What an image may weigh. */
export const imageSize = sizeBetween("a size", { least: "1Mi", most: "64Gi", example: "400Mi" });

/** An amount of bytes between two others, both of them in order. */
function sizeBetween(
  what: string,
  { least, most, example }: { readonly least: string; readonly most: string; readonly example: string },
): Grammar {
  const bounds = { least: parseSize(least)!, most: parseSize(most)! };
  return {
    rule: `${what} is a number and Ki, Mi or Gi, from ${least} to ${most}`,
    example,
    refuse(text) {
      const meant = outOfBounds(text, bounds);
      return meant && { code: "size-malformed", wrong: "is not such a size", ...meant };
    },
  };
}

/** What is probably meant by a text that is no size within these bounds, which are in bytes; undefined for one that is. */
function outOfBounds(
  text: string,
  { least, most }: { readonly least: number; readonly most: number },
): Pick<Refusal, "meant"> | undefined {
  const inRange = (value: string) => {
    const bytes = parseSize(value);
    return bytes !== undefined && bytes >= least && bytes <= most;
  };
  if (inRange(text)) return undefined;
  const written = /^(\d+)\s*([kmg])i?b?$/i.exec(text);
  const meant = written && `${written[1]}${written[2]!.toUpperCase()}i`;
  return meant && inRange(meant) ? { meant } : {};
}
