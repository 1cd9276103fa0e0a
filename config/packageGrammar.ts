// The grammar of packages: names and versions of the two package managers that a base may have. They become arguments of a
// package manager, so nothing passes that it would take for an option, a range, a pattern or a modifier.
import type { PackageManager } from "../lib/base/packages";
import type { Grammar, Refusal } from "./grammar";

/** Of one package manager. */
export interface PackageGrammar {
  readonly name: Grammar;
  readonly version: Grammar;
}

const ranged = /^[\^~<>=!]|[*]|\.[xX]$|\s|\|\||^(latest|stable|any|current|newest|x)$/i;

function version(rule: string, example: string, pattern: RegExp): Grammar {
  const refuse = (text: string): Refusal | undefined => {
    if (pattern.test(text) && text.length <= 100) return undefined;
    const bare = text.replace(/^=+\s*|^\s+|\s+$/g, "");
    const meant = bare !== text && refuse(bare) === undefined ? bare : undefined;
    if (ranged.test(text) && meant === undefined) return { code: "version-moving", wrong: "is a moving version" };
    return { code: "version-malformed", wrong: "is not a whole version", ...(meant && { meant }) };
  };
  return { rule, example, refuse };
}

function name(rule: string, example: string, pattern: RegExp): Grammar {
  return {
    rule,
    example,
    refuse(text) {
      if (pattern.test(text)) return undefined;
      const meant = text.toLowerCase().replace(/[=:@<>~ ].*$/, "");
      return { code: "name-malformed", wrong: "is not a package's name", ...(pattern.test(meant) && { meant }) };
    },
  };
}

/** By package manager. */
export const packageGrammars: Readonly<Record<PackageManager, PackageGrammar>> = {
  apk: {
    name: name(
      "an apk package's name is letters, digits, + . _ and -, and begins with a letter or a digit; its version stands behind the colon",
      "bash",
      /^[A-Za-z0-9][A-Za-z0-9+._-]{0,99}$/,
    ),
    version: version(
      'an apk package has one exact version with its revision, quoted: "5.2.37-r0"',
      "5.2.37-r0",
      /^\d+(\.\d+)*[a-z]?(_(alpha|beta|pre|rc|cvs|svn|git|hg|p)\d*)*(~[0-9a-f]+)?-r\d+$/,
    ),
  },
  apt: {
    name: name(
      "an apt package's name is lower-case letters, digits, + . and -, and begins with a letter or a digit; its version stands behind the colon",
      "bash",
      /^[a-z0-9][a-z0-9+.-]{0,98}[a-z0-9+.]$/,
    ),
    // At the end apt takes + and - for "install" and "remove".
    version: version(
      'an apt package has one exact version with its revision, quoted, as apt-cache madison prints it: "5.2.15-2+b7"',
      "5.2.15-2+b7",
      /^(\d+:)?\d([A-Za-z0-9.+~-]*[A-Za-z0-9])?$/,
    ),
  },
};
