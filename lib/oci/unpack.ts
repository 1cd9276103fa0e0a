// Unpacks gzip and xz streams in flat memory; what is cut, damaged or followed by other bytes is refused.
import { Readable } from "node:stream";
import { createGunzip } from "node:zlib";

/** Makes the error for a stream that is not of its format. */
type Wrong = (why: string) => Error;

/** The content of a gzip stream of one or more members. */
export async function* gunzipped(chunks: AsyncIterable<Buffer>, wrong: Wrong): AsyncGenerator<Buffer, void, undefined> {
  const packed = Readable.from(chunks, { objectMode: false });
  const gunzip = createGunzip();
  let bytes = 0;
  packed.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
  });
  packed.on("error", (error) => gunzip.destroy(error));
  packed.pipe(gunzip);
  try {
    yield* gunzip as AsyncIterable<Buffer>;
    // zlib stops at the first byte that begins no further member, and says nothing.
    if (gunzip.bytesWritten !== bytes) throw wrong("there are other bytes behind its end");
  } finally {
    gunzip.destroy();
    packed.destroy();
  }
}

/** The library's codes (xz.h of XZ Embedded) in words. Its memory is bounded: 64 MiB for the dictionary, what `xz -9` takes. */
const xzFaults: Readonly<Record<string, string>> = {
  3: "its dictionary is larger than 64 MiB",
  4: "its dictionary is larger than 64 MiB",
  6: "it uses a filter or a checksum other than LZMA2 with CRC32, CRC64 or none",
  8: "it is cut, or there are other bytes behind its end",
};

/** The content of an xz stream. One at a time: the library lets the next one begin when the last one was read or left. */
export async function* unxzed(chunks: AsyncIterable<Buffer>, wrong: Wrong): AsyncGenerator<Buffer, void, undefined> {
  const { XzReadableStream } = await import("xz-decompress");
  try {
    for await (const chunk of new XzReadableStream(webStream(chunks)) as unknown as AsyncIterable<Uint8Array>)
      yield Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
  } catch (error) {
    const code = /failed with error code (\d+)$/.exec(String((error as Error).message))?.[1];
    throw code === undefined ? error : wrong(xzFaults[code] ?? "its bytes are damaged");
  }
}

/** By hand, as Readable.toWeb of Node 20 throws into the void when a stream is left in the middle. */
function webStream(chunks: AsyncIterable<Uint8Array>): ReadableStream<Uint8Array> {
  const source = chunks[Symbol.asyncIterator]();
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await source.next();
      if (done === true) controller.close();
      else controller.enqueue(value);
    },
    async cancel() {
      await source.return?.();
    },
  });
}
