// sha256 digests, the only algorithm that is used: one content, one name.
import { createHash } from "node:crypto";

/** `sha256:` and 64 lower-case hexadecimal characters. */
export type Digest = `sha256:${string}`;

/** True for `sha256:` and 64 lower-case hexadecimal characters, nothing else: `sha512:` and upper case are refused. */
export function isDigest(text: string): text is Digest {
  return /^sha256:[a-f0-9]{64}$/.test(text);
}

/** The digest of bytes, or of a text in UTF-8. */
export function sha256(bytes: Uint8Array | string): Digest {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

/** The first 12 hexadecimal characters, without `sha256:`: for tags, folders and screens, never for identity. */
export function shortDigest(digest: string): string {
  return digest.replace(/^sha256:/, "").slice(0, 12);
}
