// The grammar of every text in the configuration: what it may be, and how a wrong one is mended.
// All of them admit printable ASCII without quotes, `$`, back-slashes or white space, so nothing that passes can inject
// a Dockerfile instruction, a shell word or a path.
import { PlatformError } from "../lib/errors";
import { isDigest } from "../lib/oci/digest";
import { parsePinned, parseReference } from "../lib/oci/reference";
import { quoted } from "./problems";
import { parseDuration, parseSize } from "./units";

/** Why a text is refused. */
export interface Refusal {
  readonly code: string;
  /** What is wrong with it, without key and value: `is a moving version`. */
  readonly wrong: string;
  /** The value that is most probably meant. */
  readonly meant?: string;
  /** True when `policy-platform pin` finds the value that is missing. */
  readonly pin?: boolean;
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
    if (moving.test(text)) return { code: "version-moving", wrong: "is a moving version", pin: true };
    const bare = /^[v=]+(\d.*)$/.exec(text)?.[1];
    const meant = bare !== undefined && toolVersion.refuse(bare) === undefined ? bare : undefined;
    return { code: "version-malformed", wrong: "is not a version", ...(meant && { meant }) };
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

/** Registry host, with a path where the registry asks for one. */
export const registryAddress: Grammar = {
  rule: "a registry's address is host[:port][/path], without a scheme, a tag or a closing slash",
  example: "registry.example.com/platform",
  refuse(text) {
    const holds = (address: string) => {
      try {
        const { tag, digest, registry, path } = parseReference(`${address}/x`);
        return tag === undefined && digest === undefined && `${registry}/${path}` === `${address}/x`;
      } catch {
        return false;
      }
    };
    if (holds(text)) return undefined;
    const meant = text
      .replace(/^[a-z]+:\/\//i, "")
      .replace(/\/+$/, "")
      .toLowerCase();
    return { code: "address-malformed", wrong: "is not a registry's address", ...(holds(meant) && { meant }) };
  },
};

/** An image by digest. */
export const pinnedImage: Grammar = {
  rule: "an image is pinned by digest: host/path[:tag]@sha256:<64 hex>, as a tag can move",
  example: "registry.example.com/layers/base@sha256:<64 hex>",
  refuse(text) {
    try {
      parsePinned(text);
      return undefined;
    } catch (error) {
      if (!(error instanceof PlatformError)) throw error;
      if (error.code === "reference-unpinned") return { code: error.code, wrong: "has no digest", pin: true };
      const brokenDigest = text.includes("@") && isReference(text.slice(0, text.indexOf("@")));
      if (brokenDigest) return { code: "digest-malformed", wrong: "has a malformed digest", pin: true };
      return { code: error.code, wrong: "is not an image reference" };
    }
  },
};

function isReference(text: string): boolean {
  try {
    parseReference(text);
    return true;
  } catch {
    return false;
  }
}

/** Digest of a layer image. */
export const digest: Grammar = {
  rule: "a digest is sha256: and 64 hexadecimal characters in lower case",
  example: "sha256:<64 hex>",
  refuse(text) {
    if (isDigest(text)) return undefined;
    const meant = text.includes(":") ? text.toLowerCase() : `sha256:${text.toLowerCase()}`;
    return {
      code: "digest-malformed",
      wrong: lengthOf(text, "digest"),
      ...(isDigest(meant) ? { meant } : { pin: true }),
    };
  },
};

/** Checksum of a download. */
export const checksum: Grammar = {
  rule: "a checksum is 64 hexadecimal characters in lower case, the SHA-256 of the downloaded file",
  example: "<64 hex>",
  refuse(text) {
    const hex = (value: string) => /^[0-9a-f]{64}$/.test(value);
    if (hex(text)) return undefined;
    const meant = text.toLowerCase().replace(/^sha256:/, "");
    return {
      code: "checksum-malformed",
      wrong: lengthOf(text, "checksum"),
      ...(hex(meant) ? { meant } : { pin: true }),
    };
  },
};

function lengthOf(text: string, noun: string): string {
  const hex = text.replace(/^sha256:/, "");
  return /^[0-9a-f]*$/i.test(hex) && hex.length !== 64
    ? `is a ${noun} of ${hex.length} characters, not 64`
    : `is not a ${noun}`;
}

/** Where a release is downloaded. */
export const downloadUrl: Grammar = {
  rule: "a download is an https URL without a user, a password or a fragment, of one fixed release",
  example: "https://downloads.example.com/tool/v1.2.3/tool_linux_amd64.tar.gz",
  refuse(text) {
    const url = parseUrl(text);
    if (url?.username !== "" || url.password !== "" || url.hash !== "") return badUrl(text, url);
    if (url.protocol !== "https:" && !isLoopback(url.hostname)) return { code: "url-malformed", wrong: "is not https" };
    if (/\/(latest|nightly|main|master|HEAD)(\/|$)/.test(url.pathname)) {
      return { code: "url-moving", wrong: "is a moving URL", pin: true };
    }
    return undefined;
  },
};

/** What stands in for a host of downloads. */
export const mirrorUrl: Grammar = {
  rule: "a mirror is an http or https URL without a user, a password, a query or a fragment; checksums keep it safe",
  example: "https://mirror.example.com/github",
  refuse(text) {
    const url = parseUrl(text);
    const plain = url && url.username === "" && url.password === "" && url.hash === "" && url.search === "";
    return plain && /^https?:$/.test(url.protocol) ? undefined : badUrl(text, url);
  },
};

function parseUrl(text: string): URL | undefined {
  return /^https?:\/\/[A-Za-z0-9\-._~:/?#[\]@!&()*+,;=%]{1,2000}$/.test(text) && URL.canParse(text)
    ? new URL(text)
    : undefined;
}

function badUrl(text: string, url: URL | undefined): Refusal {
  const credentials = url !== undefined && (url.username !== "" || url.password !== "");
  return credentials || /^[a-z]+:\/\/[^/]*@/i.test(text)
    ? { code: "url-credentials", wrong: "holds a user or a password" }
    : { code: "url-malformed", wrong: "is not such a URL" };
}

/** Loopback addresses, where plain http never leaves the machine. */
function isLoopback(host: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(host);
}

/** Host of downloads, the key of a mirror. */
export const hostName: Grammar = {
  rule: "a mirror stands for a host: host[:port] in lower case",
  example: "github.com",
  refuse: (text) =>
    /^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*(:\d{1,5})?$/.test(text) && text.length <= 253
      ? undefined
      : { code: "host-malformed", wrong: "is not a host" },
};

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

/** One word of a command. */
export const commandWord: Grammar = {
  rule: "a command is a list of words of printable ASCII, started without a shell",
  example: "version",
  refuse: (text) =>
    /^[\x20-\x7e]{1,200}$/.test(text) ? undefined : { code: "command-malformed", wrong: "is not such a word" },
};

/** What a tool prints; group 1 is the version. */
export const expectation: Grammar = {
  rule: "an expectation is a regular expression of at most 200 characters whose first group is the version",
  example: "version v?(\\S+)",
  refuse(text) {
    if (!/^[\x20-\x7e]{1,200}$/.test(text))
      return { code: "expectation-malformed", wrong: "is not such an expression" };
    try {
      const groups = (new RegExp(`${text}|`).exec("")?.length ?? 1) - 1;
      return groups >= 1 ? undefined : { code: "expectation-malformed", wrong: "has no group" };
    } catch {
      return { code: "expectation-malformed", wrong: `is no regular expression: ${quoted(text)}` };
    }
  },
};

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

/** Memory between 16Mi and 64Gi. */
export const memory: Grammar = {
  rule: "memory is a number and Ki, Mi or Gi, from 16Mi to 64Gi",
  example: "512Mi",
  refuse(text) {
    const inRange = (value: string) => {
      const bytes = parseSize(value);
      return bytes !== undefined && bytes >= 2 ** 24 && bytes <= 2 ** 36;
    };
    if (inRange(text)) return undefined;
    const meant = /^(\d+)\s*([kmg])i?b?$/i.exec(text);
    const written = meant && `${meant[1]}${meant[2]!.toUpperCase()}i`;
    return {
      code: "size-malformed",
      wrong: "is not such a size",
      ...(written && inRange(written) && { meant: written }),
    };
  },
};
