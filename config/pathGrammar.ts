// The grammar of paths: in the image, in archives, in repositories, and of folders here.
import type { Grammar } from "./grammar";

const pathSegment = "[A-Za-z0-9_+@-][A-Za-z0-9._+@-]*";

/** Where a tool stands in the image. */
export const imagePath: Grammar = {
  rule: "a path in the image is absolute, of plain names, and outside /repos, /proc, /sys and /dev",
  example: "/usr/local/bin/kyverno",
  refuse: (text) =>
    new RegExp(`^(/${pathSegment})+$`).test(text) && text.length <= 100 && !/^\/(repos|proc|sys|dev)(\/|$)/.test(text)
      ? undefined
      : { code: "path-malformed", wrong: "is not such a path" },
};

/** A file inside an archive or a foreign image. */
export const memberPath: Grammar = {
  rule: "a member is a path of plain names, without . and .. steps",
  example: "bin/tool",
  refuse: (text) =>
    new RegExp(`^/?${pathSegment}(/${pathSegment})*$`).test(text) && text.length <= 200
      ? undefined
      : { code: "path-malformed", wrong: "is not such a path" },
};

/** The folder of a policy repository. */
export const folderPath: Grammar = {
  rule: "a folder is a path of printable characters, best relative to the project",
  example: "policies/security-policy",
  refuse: (text) =>
    /^[^\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]{1,1000}$/u.test(text)
      ? undefined
      : { code: "path-malformed", wrong: "is not a path" },
};

const plainNames = "(?!\\.{1,2}(?:/|$))[A-Za-z0-9._+@-]+";

/** The folder of a git repository that is taken. */
export const innerFolder: Grammar = {
  rule: "a folder in a repository is a path of plain names, without a slash in front and without . and .. steps",
  example: "policies",
  refuse(text) {
    const holds = (path: string) => new RegExp(`^${plainNames}(?:/${plainNames})*$`).test(path) && path.length <= 200;
    if (holds(text) && !text.startsWith("-")) return undefined;
    const meant = text.replace(/^(?:\.?\/)+|\/+$/g, "");
    return { code: "path-malformed", wrong: "is not such a path", ...(holds(meant) && { meant }) };
  },
};

/** The folder of a foreign image that is taken. */
export const imageFolder: Grammar = {
  rule: "a folder in an image is an absolute path of plain names, without . and .. steps",
  example: "/repos/security-policy",
  refuse(text) {
    const holds = (path: string) => new RegExp(`^(?:/${plainNames})+$`).test(path) && path.length <= 200;
    if (holds(text) || text === "/") return undefined;
    const meant = `/${text.replace(/^(?:\.?\/)+|\/+$/g, "")}`;
    return { code: "path-malformed", wrong: "is not such a path", ...(holds(meant) && { meant }) };
  },
};

/** A file or folder of a policy repository, as it stands in the image. */
export const repositoryPath: Grammar = {
  rule: "a path begins with the name of a policy repository, below /repos, and has no slash in front and no . and .. steps",
  example: "backend-applications/charts/app",
  refuse(text) {
    const holds = (path: string) =>
      new RegExp(`^${plainNames}(?:/${plainNames})*$`).test(path) && path.length <= 200 && !path.startsWith("-");
    if (holds(text)) return undefined;
    const meant = text.replace(/^\/repos\/|^(?:\.?\/)+/, "").replace(/\/+$/, "");
    return { code: "path-malformed", wrong: "is not such a path", ...(holds(meant) && { meant }) };
  },
};
