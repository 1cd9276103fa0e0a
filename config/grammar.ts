// The grammar of every text in the configuration: what it may be, and how a wrong one is mended. Addresses, packages, paths and
// amounts have files of their own.
// All but folders and smoke checks, which reach no Dockerfile and no shell, admit printable ASCII without quotes, `$`,
// back-slashes and white space alone: nothing that passes can inject an instruction, a word or a step of a path.
import { quoted } from "./problems";

/** Why a text is refused. */
export interface Refusal {
  readonly code: string;
  /** What is wrong with it, without key and value: `is a moving version`. */
  readonly wrong: string;
  /** The value that is most probably meant. */
  readonly meant?: string;
  /** `policy-platform pin` finds the value: from what stands there, or when it is told a version or tag. */
  readonly pin?: "as-is" | "to-version";
  /** Nothing can stand in its place. */
  readonly remove?: true;
}

/** One kind of text. */
export interface Grammar {
  /** One sentence for the reference and for every error. */
  readonly rule: string;
  /** What to write, as an example of a whole value. */
  readonly example: string;
  /** Undefined for a text that is in order. */
  refuse(text: string): Refusal | undefined;
}

const moving = /^(latest|stable|main|master|head|edge|nightly|current|next|dev|\*|x)$|^[\^~<>=]|\.[*xX]$|\s|\|\|/i;

/** Version of a release: `auto`, or semantic versioning's three numbers behind a `v`. */
export const releaseVersion: Grammar = {
  rule: 'the version to release is "auto" or "vMAJOR.MINOR.PATCH" without leading zeros',
  example: "auto",
  refuse(text) {
    const number = "(0|[1-9]\\d{0,8})";
    if (text === "auto" || new RegExp(`^v${number}\\.${number}\\.${number}$`).test(text)) return undefined;
    const short = /^v?(\d{1,9})(?:\.(\d{1,9}))?(?:\.(\d{1,9}))?$/.exec(text);
    const meant = short?.slice(1, 4).map((part) => Number(part ?? 0));
    return { code: "version-malformed", wrong: "is not a version", ...(meant && { meant: `v${meant.join(".")}` }) };
  },
};

/** Version of a tool, as the tool prints it. */
export const toolVersion: Grammar = {
  rule: 'a tool has one exact version, quoted, as the tool prints it: "1.13.2"',
  example: "1.13.2",
  refuse(text) {
    if (/^\d{1,9}(\.\d{1,9}){1,3}([-+][0-9A-Za-z.+-]{1,40})?$/.test(text)) return undefined;
    if (moving.test(text)) return { code: "version-moving", wrong: "is a moving version", pin: "to-version" };
    const bare = /^[v=]+(\d.*)$/.exec(text)?.[1];
    const meant = bare !== undefined && toolVersion.refuse(bare) === undefined ? bare : undefined;
    return { code: "version-malformed", wrong: "is not a version", ...(meant && { meant }) };
  },
};

/** Kinds of Kubernetes objects. */
export const objectKind: Grammar = {
  rule: "a kind is a word of letters and digits that begins with a capital letter, of at most 63",
  example: "ConfigMap",
  refuse(text) {
    if (/^[A-Z][A-Za-z0-9]{0,62}$/.test(text)) return undefined;
    const meant = text.slice(0, 1).toUpperCase() + text.slice(1);
    const isMeant = /^[A-Z][A-Za-z0-9]{0,62}$/.test(meant);
    return { code: "kind-malformed", wrong: "is not a kind", ...(isMeant && { meant }) };
  },
};

/** Names of tools, policy repositories and the image: also stage names, folders and levels of a repository's path. */
export const entryName: Grammar = {
  rule: "a name is 1 to 63 of a-z, 0-9 and -, and begins and ends with a letter or a digit",
  example: "security-policy",
  refuse(text) {
    if (/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(text)) return undefined;
    const words =
      text
        .slice(0, 200)
        .toLowerCase()
        .match(/[a-z0-9]+/g) ?? [];
    const meant = words.join("-").slice(0, 63).replace(/-$/, "");
    return { code: "name-malformed", wrong: "is not a name", ...(meant && { meant }) };
  },
};

/** User and group that the image's commands run as. */
export const imageUser: Grammar = {
  rule: "a user is uid:gid in numbers, as runners cannot look names up",
  example: "65532:65532",
  refuse(text) {
    const ids = /^(0|[1-9]\d{0,9}):(0|[1-9]\d{0,9})$/.exec(text);
    if (ids?.slice(1).every((id) => Number(id) < 2 ** 32 - 1)) return undefined;
    const meant = text === "root" ? "0:0" : /^\d{1,9}$/.test(text) ? `${Number(text)}:${Number(text)}` : undefined;
    return { code: "user-malformed", wrong: "is not a user", ...(meant && { meant }) };
  },
};

/** A commit where there is no git to ask. */
export const commit: Grammar = {
  rule: "a source is a commit: 12 to 64 hexadecimal characters in lower case",
  example: "0123456789abcdef0123456789abcdef01234567",
  refuse: (text) =>
    /^[0-9a-f]{12,64}$/.test(text) ? undefined : { code: "commit-malformed", wrong: "is not a commit" },
};

/** The commit that a git source is pinned by. */
export const pinnedCommit: Grammar = {
  rule: "a git source is pinned by a whole commit hash: 40 (SHA-256: 64) hexadecimal characters in lower case, as a branch or a tag can move",
  example: "<40 hex>",
  refuse(text) {
    const whole = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/;
    if (whole.test(text)) return undefined;
    const meant = text.toLowerCase();
    if (whole.test(meant)) return { code: "commit-malformed", wrong: "is a commit in capitals", meant };
    if (/^[0-9a-f]{4,64}$/i.test(text))
      return { code: "commit-short", wrong: "is a part of a commit hash", pin: "as-is" };
    return isRefName(text)
      ? { code: "commit-moving", wrong: "is a branch or a tag, not a commit", pin: "as-is" }
      : { code: "commit-malformed", wrong: "is not a commit", pin: "to-version" };
  },
};

/** A branch or tag that git and its command line take as it is: no option, no pattern, no expression (git-check-ref-format). */
export function isRefName(text: string): boolean {
  return /^[A-Za-z0-9_][A-Za-z0-9._/+#=-]{0,199}$/.test(text) && !/\.\.|\/\/|\/\.|\.lock(\/|$)|[./]$/.test(text);
}

/** One argument of a tool. */
export const argument: Grammar = {
  rule: "arguments are a list of at most 20 texts of printable ASCII, given to the tool without a shell",
  example: "version",
  refuse: (text) =>
    /^[\x20-\x7e]{1,200}$/.test(text) ? undefined : { code: "argument-malformed", wrong: "is not such a text" },
};

/** What a tool prints; group 1 is the version, or the whole match holds it. */
export const expectation: Grammar = {
  rule: "an expectation is a regular expression of at most 200 characters; its first group, if it has one, is the version",
  example: "version v?(\\S+)",
  refuse(text) {
    if (!/^[\x20-\x7e]{1,200}$/.test(text))
      return { code: "expectation-malformed", wrong: "is not such an expression" };
    try {
      new RegExp(text, "m");
      return undefined;
    } catch {
      return { code: "expectation-malformed", wrong: `is no regular expression: ${quoted(text)}` };
    }
  },
};

/** A rule of a policy. */
export const policyRule: Grammar = {
  rule: "a rule is named by its policy and itself, policy/rule, as the policy names it",
  example: "disallow-latest-tag/image-tag",
  refuse: (text) =>
    /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?\/[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$/.test(text)
      ? undefined
      : { code: "rule-malformed", wrong: "is no rule" },
};

/** A version of Kubernetes that a chart is for. */
export const kubernetesVersion: Grammar = {
  rule: 'a version of Kubernetes is quoted and of two numbers: "1.31"',
  example: "1.31",
  refuse(text) {
    if (/^1\.(0|[1-9]\d?)$/.test(text)) return undefined;
    const meant = /^v?(1\.\d{1,2})\.\d+$/.exec(text)?.[1] ?? /^v(1\.\d{1,2})$/.exec(text)?.[1];
    return { code: "version-malformed", wrong: "is not such a version", ...(meant !== undefined && { meant }) };
  },
};
