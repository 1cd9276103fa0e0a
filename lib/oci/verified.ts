// Bytes on their way are compared with the digest and size they were announced with.
import { createHash } from "node:crypto";
import type { Digest } from "./digest";

/** The exact content that is expected. */
export interface Expected {
  readonly digest: Digest;
  readonly size: number;
}

/**
 * Passes chunks on and throws what `wrong` makes as soon as they cannot be the expected content. The last chunk is held back
 * until all bytes are known to be right, so that a wrong body is never sent on whole.
 */
export async function* verified(
  chunks: AsyncIterable<Uint8Array>,
  { digest, size }: Expected,
  wrong: (why: string) => Error,
): AsyncGenerator<Uint8Array, void, undefined> {
  const hash = createHash("sha256");
  let seen = 0;
  let held: Uint8Array | undefined;
  for await (const chunk of chunks) {
    seen += chunk.length;
    if (seen > size) throw wrong(`more than the ${size} bytes it should have`);
    hash.update(chunk);
    if (held !== undefined) yield held;
    held = chunk;
  }
  const found = `sha256:${hash.digest("hex")}`;
  if (seen !== size) throw wrong(`${seen} bytes instead of ${size}`);
  if (found !== digest) throw wrong(`its bytes have the digest ${found}, not ${digest}`);
  if (held !== undefined) yield held;
}
