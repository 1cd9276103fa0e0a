// The commands of a how-to page, with what the page says they print: so that pages are tested as they are written.
import { readFileSync } from "node:fs";
import { join } from "node:path";

/** One block of commands. */
export interface PageCommand {
  /** The heading above it. */
  readonly heading: string;
  /** What a reader pastes into a shell. */
  readonly script: string;
  /** Lines of the block of text that follows, each of which the output holds; none where no block follows. */
  readonly expected: readonly string[];
  /** Of the line `(exit code N)` that ends it. */
  readonly code?: number;
}

/** The `console` blocks of a page of `docs/`, in order, each with the `text` block right below it. */
export function pageCommands(page: string): PageCommand[] {
  const text = readFileSync(join(__dirname, "..", "..", "docs", page), "utf8");
  const blocks = text.matchAll(/^## ([^\n]*)$|^( *)```console\n(.*?)^\2```\n(?:\n\2```text\n(.*?)^\2```\n)?/gms);
  let heading = "";
  return [...blocks].flatMap(([, title, indent, block, text = ""]) => {
    if (title !== undefined) heading = title;
    if (block === undefined) return [];
    const [script, output] = [block, text].map((lines) => lines.replaceAll(new RegExp(`^${indent}`, "gm"), "")) as [
      string,
      string,
    ];
    const lines = output.split("\n").filter((line) => line !== "");
    const code = /^\(exit code (\d+)\)$/.exec(lines.at(-1) ?? "")?.[1];
    return [{ heading, script, expected: lines.slice(0, code ? -1 : undefined), ...(code && { code: Number(code) }) }];
  });
}
