// Reads tar streams, packed by gzip, by xz or not, of which nothing is trusted: sizes, counts and ratios are bounded.
import { Readable } from "node:stream";
import { extract, type Header } from "tar-stream";
import { PlatformError } from "../errors";
import { contentLimits } from "./limits";
import { gunzipped, unxzed } from "./unpack";

/** One entry; its content can be read until the next one is asked for. */
export interface TarEntry {
  /** As written, without `./` in front or slash at the end. */
  readonly path: string;
  readonly type: Header["type"];
  readonly linkname?: string | null;
  readonly executable: boolean;
  readonly size: number;
  readonly content: AsyncIterable<Buffer>;
}

export interface ReadTarOptions {
  readonly packing: "none" | "gzip" | "xz";
  /** Default `contentLimits.entries`. */
  readonly maxEntries?: number;
  /** Makes the error for a stream that is no proper tar or passes a bound. */
  readonly wrong: (why: string) => Error;
}

/** The entries in order. The source is read to its end, or destroyed when the reader stops early or fails. */
export async function* readTar(
  source: Readable,
  { packing, maxEntries = contentLimits.entries, wrong }: ReadTarOptions,
): AsyncGenerator<TarEntry, void, undefined> {
  const packed = { bytes: 0 };
  const counted = countBytes(source, packed);
  const plain = packing === "gzip" ? gunzipped(counted, wrong) : packing === "xz" ? unxzed(counted, wrong) : counted;
  const unpacked = Readable.from(bounded(plain, packed, wrong), { objectMode: false });
  const parser = extract();
  unpacked.on("error", (error) => parser.destroy(error));
  unpacked.pipe(parser);
  let entries = 0;
  try {
    for await (const entry of parser) {
      if (++entries > maxEntries) throw wrong(`more than ${maxEntries} entries`);
      const { name, type, linkname, mode, size } = entry.header;
      yield {
        path: plainPath(name),
        type,
        linkname,
        executable: ((mode ?? 0) & 0o100) !== 0,
        size: size ?? 0,
        content: entry as unknown as AsyncIterable<Buffer>,
      };
      entry.resume();
    }
  } catch (error) {
    // tar-stream and zlib throw plain errors at malformed bytes; ours, and those of the source, say more.
    throw error instanceof PlatformError || !isFormatError(error) ? error : wrong(inWords(error.message));
  } finally {
    unpacked.destroy();
    source.destroy();
  }
}

function inWords(message: string): string {
  return message.startsWith("Invalid tar header") ? "what it holds is no tar, or a damaged one" : message;
}

function isFormatError(error: unknown): error is Error {
  if (!(error instanceof Error)) return false;
  const { code } = error as NodeJS.ErrnoException;
  return code?.startsWith("Z_") === true || /^(?:Invalid|Unexpected|Pax|unexpected|Header exceeds)/.test(error.message);
}

async function* countBytes(source: Readable, packed: { bytes: number }): AsyncGenerator<Buffer, void, undefined> {
  for await (const chunk of source as AsyncIterable<Buffer>) {
    packed.bytes += chunk.length;
    yield chunk;
  }
}

async function* bounded(
  chunks: AsyncIterable<Buffer>,
  packed: { readonly bytes: number },
  wrong: (why: string) => Error,
): AsyncGenerator<Buffer, void, undefined> {
  const { unpackedBytes, ratio, ratioFloor } = contentLimits;
  let bytes = 0;
  for await (const chunk of chunks) {
    bytes += chunk.length;
    if (bytes > unpackedBytes) throw wrong(`it unpacks to more than ${unpackedBytes} bytes`);
    if (bytes > ratioFloor && bytes > packed.bytes * ratio)
      throw wrong(`it unpacks to more than ${ratio} times its size`);
    yield chunk;
  }
}

function plainPath(name: string): string {
  return name.replace(/^(?:\.\/+)+/, "").replace(/\/+$/, "");
}
