// Zip archives. Their table of contents is at the end and repeats what stands before each file, so an archive can tell two
// stories: what is used of it is compared, and files may not share bytes.
// https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
import { crc32 } from "node:zlib";
import { type Entry, openPromise, type ZipFile } from "yauzl";
import { PlatformError } from "../errors";
import { quoted } from "../printable";
import { type ArchiveEntry, type ArchiveReader, malformedArchive } from "./archiveSurvey";
import { contentLimits } from "./limits";

type Wrong = (why: string) => PlatformError;

/** Bytes of a local header without its name. */
const localHeader = 30;
/** Bit of the flags: sizes and checksum stand behind the content. */
const hasDescriptor = 0x8;
/** Bits of the flags: encrypted, strongly encrypted, and with a masked header. */
const isEncrypted = 0x2041;
/** A link's target is a path. */
const longestTarget = 4096;

/** Reads a zip; of the files only the one whose content is asked for is unpacked, and links, for where they lead. */
export function zipArchive(file: string): ArchiveReader {
  const wrong: Wrong = (why) => malformedArchive(file, why);
  return {
    entries: () => reading(file, wrong, (zip) => entriesOf(zip, wrong)),
    content: (path) =>
      reading(file, wrong, async function* (zip) {
        for await (const entry of zip.eachEntry()) {
          if (plainPath(nameOf(entry)) !== path || typeOf(entry) !== "file") continue;
          yield* contentOf(zip, entry, wrong);
          return;
        }
      }),
  };
}

/** Opens and closes the file; the library's errors are about the bytes, as are zlib's. */
async function* reading<T>(
  file: string,
  wrong: Wrong,
  read: (zip: ZipFile) => AsyncIterable<T>,
): AsyncGenerator<T, void, undefined> {
  let zip: ZipFile | undefined;
  try {
    zip = await openPromise(file, { autoClose: false, decodeStrings: false });
    yield* read(zip);
  } catch (error) {
    const { syscall, message } = error as NodeJS.ErrnoException;
    throw error instanceof PlatformError || syscall !== undefined ? error : wrong(message);
  } finally {
    zip?.close();
  }
}

async function* entriesOf(zip: ZipFile, wrong: Wrong): AsyncGenerator<ArchiveEntry, void, undefined> {
  const { archiveEntries, unpackedBytes, ratio, ratioFloor } = contentLimits;
  if (zip.entryCount > archiveEntries) throw wrong(`more than ${archiveEntries} entries`);
  const places: Place[] = [];
  let bytes = 0;
  for await (const entry of zip.eachEntry()) {
    const name = nameOf(entry);
    bytes += entry.uncompressedSize;
    if (bytes > unpackedBytes) throw wrong(`it unpacks to more than ${unpackedBytes} bytes`);
    if (bytes > ratioFloor && bytes > zip.fileSize * ratio)
      throw wrong(`it unpacks to more than ${ratio} times its size`);
    requireReadable(entry, name, wrong);
    const start = entry.relativeOffsetOfLocalHeader;
    places.push({ name, start, end: start + localHeader + entry.fileNameLength + entry.compressedSize });
    const type = typeOf(entry);
    const linkname = type === "symlink" ? await targetOf(zip, entry, wrong) : undefined;
    yield {
      path: plainPath(name),
      type,
      linkname,
      executable: (modeOf(entry) & 0o100) !== 0,
      size: entry.uncompressedSize,
    };
  }
  requireApart(places, wrong);
}

interface Place {
  readonly name: string;
  readonly start: number;
  /** At the least. */
  readonly end: number;
}

/** Files that share their bytes make a bomb of a small archive: 42 KB become 5 GB without one byte being packed twice. */
function requireApart(places: Place[], wrong: Wrong): void {
  places.sort((a, b) => a.start - b.start);
  for (const [index, { name, start }] of places.entries()) {
    const before = places[index - 1];
    if (before !== undefined && before.end > start) throw wrong(`${shown(before.name)} and ${shown(name)} share bytes`);
  }
}

function requireReadable(entry: Entry, name: string, wrong: Wrong): void {
  if ((entry.generalPurposeBitFlag & isEncrypted) !== 0) throw wrong(`${shown(name)} is encrypted`);
  if (entry.compressionMethod !== 0 && entry.compressionMethod !== 8)
    throw wrong(
      `${shown(name)} is packed by method ${entry.compressionMethod}; readable are 0 (stored) and 8 (deflate)`,
    );
  // A second name in an extra field: programs disagree on which one counts.
  const unicode = entry.extraFields.find(({ id }) => id === 0x7075);
  if (unicode !== undefined && !unicode.data.subarray(5).equals(entry.fileNameRaw))
    throw wrong(`${shown(name)} has two names`);
}

/** The content, as long and with the checksum that the archive says; both are known at its end only. */
async function* contentOf(zip: ZipFile, entry: Entry, wrong: Wrong): AsyncGenerator<Buffer, void, undefined> {
  const local = await zip.readLocalFileHeaderPromise(entry);
  const told = (one: { crc32: number; compressedSize: number; uncompressedSize: number }) =>
    `${one.crc32} ${one.compressedSize} ${one.uncompressedSize}`;
  const later = (local.generalPurposeBitFlag & hasDescriptor) !== 0 || local.compressedSize === 0xffffffff;
  if (
    !local.fileName.equals(entry.fileNameRaw) ||
    local.compressionMethod !== entry.compressionMethod ||
    (local.generalPurposeBitFlag & isEncrypted) !== 0 ||
    (!later && told(local) !== told(entry))
  )
    throw wrong(`${shown(nameOf(entry))} is described in two ways`);
  let sum = 0;
  for await (const chunk of (await zip.openReadStreamPromise(entry)) as AsyncIterable<Buffer>) {
    sum = crc32(chunk, sum);
    yield chunk;
  }
  if (sum !== entry.crc32) throw wrong(`${shown(nameOf(entry))} has another checksum than the archive says`);
}

async function targetOf(zip: ZipFile, entry: Entry, wrong: Wrong): Promise<string> {
  if (entry.uncompressedSize > longestTarget)
    throw wrong(`${shown(nameOf(entry))} is a link of more than a path's length`);
  const chunks: Buffer[] = [];
  for await (const chunk of contentOf(zip, entry, wrong)) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

/** Unix mode, which the upper half of the attributes holds where a Unix program made the archive; else 0. */
function modeOf({ externalFileAttributes }: Entry): number {
  return externalFileAttributes >>> 16;
}

/** A map, as biome 2.6.8 turns octal keys of an object into other numbers. */
const types: ReadonlyMap<number, string> = new Map([
  [0o010000, "fifo"],
  [0o020000, "character-device"],
  [0o040000, "directory"],
  [0o060000, "block-device"],
  [0o120000, "symlink"],
  [0o140000, "socket"],
]);

function typeOf(entry: Entry): string {
  if (nameOf(entry).endsWith("/")) return "directory";
  return types.get(modeOf(entry) & 0o170000) ?? "file";
}

/** UTF-8, as every current program writes it, whatever the flag says; anything else shows as U+FFFD, which is refused. */
function nameOf({ fileNameRaw }: Entry): string {
  return fileNameRaw.toString();
}

function plainPath(name: string): string {
  return name.replace(/^(?:\.\/+)+/, "").replace(/\/+$/, "");
}

function shown(name: string): string {
  return quoted(name.slice(0, 200));
}
