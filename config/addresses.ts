// The grammar of what is found somewhere: images, digests, downloads, hosts.
import { PlatformError } from "../lib/errors";
import { gitUrlProblem, gitUrlRule } from "../lib/git/url";
import { isDigest } from "../lib/oci/digest";
import { isLoopback } from "../lib/oci/hosts";
import { parsePinned, parseReference, type Reference } from "../lib/oci/reference";
import type { Grammar, Refusal } from "./grammar";

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
      const unpinned = parsed(text.includes("@") ? text.slice(0, text.indexOf("@")) : text);
      if (!unpinned) return { code: error.code, wrong: "is not an image reference" };
      const pin = unpinned.tag === undefined ? "to-version" : "as-is";
      return error.code === "reference-unpinned"
        ? { code: error.code, wrong: "has no digest", pin }
        : { code: "digest-malformed", wrong: "has a malformed digest", pin };
    }
  },
};

function parsed(text: string): Reference | undefined {
  try {
    return parseReference(text);
  } catch {
    return undefined;
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
      ...(isDigest(meant) ? { meant } : { pin: "as-is" }),
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
      ...(hex(meant) ? { meant } : { pin: "as-is" }),
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
      return { code: "url-moving", wrong: "is a moving URL", pin: "as-is" };
    }
    return undefined;
  },
};

/** Where a policy repository is cloned from. */
export const gitUrl: Grammar = {
  rule: gitUrlRule,
  example: "https://git.example.com/team/policies.git",
  refuse: gitUrlProblem,
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

/** Host of downloads, the key of a mirror. */
export const hostName: Grammar = {
  rule: "a mirror stands for a host: host[:port] in lower case",
  example: "github.com",
  refuse: (text) =>
    /^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*(:\d{1,5})?$/.test(text) && text.length <= 253
      ? undefined
      : { code: "host-malformed", wrong: "is not a host" },
};
