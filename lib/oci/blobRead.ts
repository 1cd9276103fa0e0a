// Blobs as streams that go on where a connection broke off (RFC 9110, 14: range requests), checked to the last byte.
import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { badAnswer, transientHint } from "./failures";
import { waitAfter } from "./retry";
import type { Session } from "./session";
import type { Answer } from "./transport";
import { type Expected, verified } from "./verified";

/** Asks for a blob from byte `start` on; the answer is 200 or 206. */
export type AskBlob = (start: number) => Promise<Answer>;

/**
 * A stream of the blob whose first answer is given. When the connection breaks it asks for the rest, at most
 * `limits.attempts` times in all. It fails before its last chunk when the bytes are not those of `expected`.
 */
export function blobReader(session: Session, first: Answer, expected: Expected, ask: AskBlob): Readable {
  const chunks = verified(resumed(session, first, ask), expected, (why) => badAnswer(first, why));
  return Readable.from(chunks, { objectMode: false });
}

async function* resumed(
  { limits, signal, attempt }: Session,
  first: Answer,
  ask: AskBlob,
): AsyncGenerator<Uint8Array, void, undefined> {
  let chunks = first.chunks();
  let seen = 0;
  let breaks = 0;
  try {
    for (;;) {
      const next = await chunks.next().catch((error: unknown) => {
        if (transientHint(error) === undefined || ++breaks >= limits.attempts) throw error;
        return undefined;
      });
      if (next === undefined) {
        await sleep(waitAfter(breaks, undefined, limits), undefined, { signal }).catch(() => signal?.throwIfAborted());
        const from = seen;
        chunks = rest(await attempt(() => ask(from)), from);
      } else if (next.done === true) return;
      else {
        seen += next.value.length;
        yield next.value;
      }
    }
  } finally {
    await chunks.return();
  }
}

/** What comes after the first `start` bytes; a registry that knows no ranges sends them once more. */
async function* rest(answer: Answer, start: number): AsyncGenerator<Uint8Array, void, undefined> {
  const range = /^bytes ([0-9]+)-/.exec(answer.headers.get("content-range") ?? "")?.[1];
  if (answer.status === 206 && Number(range) !== start) {
    await answer.discard();
    throw badAnswer(answer, "another part of the blob than the one asked for");
  }
  let skip = answer.status === 206 ? 0 : start;
  for await (const chunk of answer.chunks()) {
    const kept = chunk.subarray(Math.min(skip, chunk.length));
    skip -= chunk.length - kept.length;
    if (kept.length > 0) yield kept;
  }
}
