// Words of a shell line, made from text of others so that the shell sees exactly that text.
import { PlatformError } from "../errors";
import { quotedAscii } from "../printable";

/** The word as a POSIX shell reads it: bare where nothing in it means anything to the shell, else between single quotes. */
export function shellWord(text: string): string {
  return /^[A-Za-z0-9_./:=@%+,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** A command line of these words. */
export function shellLine(words: readonly string[]): string {
  return words.map(shellWord).join(" ");
}

const longest = 500;

/**
 * A path in the application's checkout, as `./…`, so that it is never taken for an option, a chart of some repository or an
 * address. Error: `ci-option` for one that leaves the checkout, and for characters that helm's and GitHub's own grammar would read.
 */
export function checkoutPath(option: string, text: string): string {
  const parts = text.split("/").filter((part) => part !== "" && part !== ".");
  const refused = text.startsWith("/") || parts.includes("..") || unsafe(text);
  if (refused) throw wrong(option, text, "it is a path below the folder that is checked out, of plain characters");
  return parts.length === 0 ? "." : `./${parts.join("/")}`;
}

/** A path in the image: `security-policy` or `security-policy/policies` is below `/repos`. Error: `ci-option`. */
export function imagePath(option: string, text: string): string {
  const below = text.replace(/^\/repos\//, "").replace(/\/+$/, "");
  const parts = below.split("/");
  if (!/^[a-z0-9-]+$/.test(parts[0]!) || parts.some((part) => /^\.{0,2}$/.test(part)) || unsafe(below))
    throw wrong(option, text, "it names a policy repository of the image, or a path in one");
  return `/repos/${below}`;
}

/** Error: `ci-option`. */
export function wrong(option: string, value: string, rule: string): PlatformError {
  return new PlatformError("ci-option", {
    what: `${option} ${quotedAscii(value.slice(0, longest))} cannot be used`,
    rule,
    fix: "policy-platform render ci --help",
  });
}

/** Control characters; `,` and `"`, which helm reads as a list; `\`; and `${{`, which GitHub fills in before any shell. */
function unsafe(text: string): boolean {
  return text === "" || text.length > longest || /[\p{C}\p{Zl}\p{Zp},"\\]|\$\{\{/u.test(text);
}
