// The engine's progress streams: JSON documents one after the other, status 200 even when they tell of a failure.
import type { Readable } from "node:stream";

/** One line of a build, push or pull. */
export interface ProgressLine {
  readonly id?: string;
  readonly status?: string;
  readonly stream?: string;
  readonly progressDetail?: { readonly current?: number; readonly total?: number };
  readonly error?: string;
  readonly errorDetail?: { readonly code?: number; readonly message?: string };
  readonly aux?: unknown;
}

/** Longest line that is taken; a build trace carries one log chunk each, far below. */
const maxLine = 64 * 1024 * 1024;

/** The documents of a stream in order; an empty line is skipped. Throws when a line is no JSON or far too long. */
export async function* jsonLines(stream: Readable): AsyncGenerator<ProgressLine> {
  let rest: Buffer[] = [];
  let restSize = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    let from = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, from)) {
      const line = Buffer.concat([...rest, chunk.subarray(from, end)]).toString();
      rest = [];
      restSize = 0;
      from = end + 1;
      if (line.trim() !== "") yield JSON.parse(line) as ProgressLine;
    }
    rest.push(chunk.subarray(from));
    restSize += chunk.length - from;
    if (restSize > maxLine) throw new Error(`a line of the Docker engine is longer than ${maxLine} bytes`);
  }
  const line = Buffer.concat(rest).toString();
  if (line.trim() !== "") yield JSON.parse(line) as ProgressLine;
}
