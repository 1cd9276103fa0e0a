// The grammar of texts below `clusters`: names of Kubernetes objects, times, ranges of versions, and where Kyverno comes from.
import { gitUrlProblem } from "../lib/git/url";
import { parsePinned } from "../lib/oci/reference";
import type { Grammar } from "./grammar";
import { folderPath, innerFolder } from "./pathGrammar";
import { parseDuration } from "./units";

/** File with a cluster's address and login. */
export const kubeconfigPath: Grammar = {
  ...folderPath,
  rule: "a kubeconfig is a path of printable characters, best relative to the project",
  example: ".local/kubeconfig",
};

/** Folder of the project that is written. */
export const renderFolder: Grammar = {
  ...innerFolder,
  rule: "a folder is in the project: a path of plain names, without a slash in front and without . and .. steps",
  example: "clusters/dev",
};

/** Name of an object that may have dots: Secrets, policies. */
export const objectName: Grammar = {
  rule: "an object's name is 1 to 253 of a-z, 0-9, - and ., and begins and ends with a letter or a digit",
  example: "registry-login",
  refuse: (text) =>
    /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/.test(text)
      ? undefined
      : { code: "name-malformed", wrong: "is not the name of an object" },
};

/** A context of a kubeconfig; cloud command lines make them of slashes, colons and at signs. */
export const contextName: Grammar = {
  rule: "a context is 1 to 253 characters of printable ASCII without white space, as the kubeconfig names it",
  example: "dev",
  refuse: (text) =>
    /^[\x21-\x7e]{1,253}$/.test(text)
      ? undefined
      : { code: "context-malformed", wrong: "is not the name of a context" },
};

/** A time between two bounds in seconds. */
function time(noun: string, example: string, least: string, most: string): Grammar {
  const [from, to] = [parseDuration(least)!, parseDuration(most)!];
  const holds = (text: string) => {
    const seconds = parseDuration(text);
    return seconds !== undefined && seconds >= from && seconds <= to;
  };
  return {
    rule: `${noun} is a number and s, m or h, from ${least} to ${most}`,
    example,
    refuse(text) {
      if (holds(text)) return undefined;
      const meant = holds(`${text}s`) ? `${text}s` : undefined;
      return { code: "duration-malformed", wrong: "is not such a time", ...(meant && { meant }) };
    },
  };
}

export const interval = time("an interval", "10m", "10s", "24h");
export const wait = time("a time-out", "2m", "10s", "1h");

const number = "(?:0|[1-9]\\d{0,8})";
const version = `v?${number}(?:\\.(?:${number}(?:\\.(?:${number}|[xX*]))?|[xX*](?:\\.[xX*])?))?`;
const comparator = `(?:[~^=]|[<>]=?)? ?${version}`;
const group = `(?:\\*|${version} - ${version}|${comparator}(?: ${comparator})*)`;
const range = new RegExp(`^${group}(?: \\|\\| ${group}){0,7}$`);

/**
 * What Flux (Masterminds) and npm read as the same range, and nothing else: a comma, `!=` and `=>` are the one's alone, and a
 * prerelease or a part left out by `x` in the middle means something else in each.
 */
export const semverRange: Grammar = {
  rule: 'a range is one that Go and npm read alike: comparators (^ ~ < <= > >= =) with a space between, x for a part at the end, " || " between alternatives; no comma, no !=, no prerelease',
  example: "1.x",
  refuse(text) {
    const holds = (one: string) => one.length <= 200 && range.test(one);
    if (holds(text)) return undefined;
    const meant = text
      .slice(0, 200)
      .replaceAll("=>", ">=")
      .replaceAll("=<", "<=")
      .replaceAll("~>", "~")
      .replace(/\s*\|\|\s*/g, " || ")
      .replace(/[\s,]+/g, " ")
      .trim();
    return { code: "range-malformed", wrong: "is not such a range", ...(holds(meant) && { meant }) };
  },
};

/** Path in the artifact. */
export const artifactPath: Grammar = {
  rule: "a path in an artifact begins with ./ and is of plain names, without .. steps",
  example: "./",
  refuse(text) {
    const holds = (path: string) =>
      /^\.\/(?:(?!\.{1,2}(?:\/|$))[A-Za-z0-9._+@-]+(?:\/|$))*$/.test(path) && path.length <= 200;
    if (holds(text)) return undefined;
    const meant = `./${text.replace(/^(?:\.?\/)+/, "")}`;
    return { code: "path-malformed", wrong: "is not such a path", ...(holds(meant) && { meant }) };
  },
};

/** Kyverno's chart. */
export const pinnedChart: Grammar = {
  rule: "a chart is pinned by digest, oci://host/path/kyverno@sha256:<64 hex>, as a version's tag can move",
  example: "oci://registry.example.com/charts/kyverno@sha256:<64 hex>",
  refuse(text) {
    const holds = (one: string) => {
      try {
        return one.startsWith("oci://") && parsePinned(one.slice("oci://".length)).tag === undefined;
      } catch {
        return false;
      }
    };
    if (holds(text)) return undefined;
    const bare = `oci://${text.replace(/^[a-z]+:\/\//i, "").replace(/:[^/@]*@/, "@")}`;
    return { code: "chart-unpinned", wrong: "is not such a chart", ...(holds(bare) && { meant: bare }) };
  },
};

/** Where Flux clones Kyverno from; its source-controller knows no short form of ssh. */
export const fluxGitUrl: Grammar = {
  rule: "a git URL that Flux clones is https:// or ssh://, without a password",
  example: "https://git.example.com/mirrors/kyverno",
  refuse(text) {
    const refusal = gitUrlProblem(text);
    if (refusal) return refusal;
    return /^(https|ssh):\/\//.test(text)
      ? undefined
      : { code: "url-malformed", wrong: "is neither https:// nor ssh://" };
  },
};
