// One file out of a release archive. Nothing is ever unpacked to disk: the archive is read through, checked whole, and its
// member streamed. What no honest release holds refuses the whole archive.
import { createReadStream } from "node:fs";
import { open, stat } from "node:fs/promises";
import { Readable } from "node:stream";
import { PlatformError } from "../errors";
import { quoted } from "../printable";
import { type ArchiveReader, type Surveyed, survey } from "./archiveSurvey";
import { tarArchive } from "./tarArchive";
import { zipArchive } from "./zipArchive";

export { type DownloadOptions, download } from "./download";

/** The content of one file. */
export interface ArchiveMember {
  /** Bytes. */
  readonly size: number;
  /** As the archive or the file system says. */
  readonly executable: boolean;
  /** The content from its beginning. */
  open(): Readable;
}

/** By their first bytes. A tar without packing has its name further inside. */
const formats: readonly (readonly ["gzip" | "xz" | "zip", RegExp])[] = [
  ["gzip", /^\x1f\x8b/],
  ["xz", /^\xfd7zXZ\0/],
  ["zip", /^PK(?:\x03\x04|\x05\x06|\x07\x08)/],
];

/** Formats that are known but not read: they must not be taken for a plain file. */
const unread: readonly (readonly [string, RegExp])[] = [
  ["bzip2", /^BZh[1-9]/],
  ["zstd", /^\x28\xb5\x2f\xfd/],
  ["7z", /^7z\xbc\xaf/],
  ["Debian package", /^!<arch>\n/],
];

/**
 * The member of a zip or tar archive (packed by gzip, by xz, or not), or a plain file itself where `member` is left out. An
 * archive with a single file needs no name. Errors: `archive-unsupported`, `archive-malformed`, `archive-hostile`,
 * `archive-member`; content that is not what the archive says fails when it is read.
 */
export async function memberFromArchive(file: string, member: string | undefined): Promise<ArchiveMember> {
  const format = await formatOf(file);
  if (format === "plain") return plainFile(file, member);
  const archive = format === "zip" ? zipArchive(file) : tarArchive(file, format);
  const files = await survey(file, archive.entries());
  const name = member === undefined ? onlyFile(file, files) : plain(member);
  return { ...fileOf(file, files, name), open: () => contentOf(archive, name) };
}

/** The stream ends its source when it is left early: an archive is read under a lock, or from an open file. */
function contentOf(archive: ArchiveReader, name: string): Readable {
  return Readable.from(archive.content(name), { objectMode: false });
}

async function plainFile(file: string, member: string | undefined): Promise<ArchiveMember> {
  if (member !== undefined)
    throw problem(
      "archive-member",
      `${quoted(file)} is no archive, so it has no member ${quoted(member)}`,
      "member names a file in an archive",
      "remove the key member",
    );
  const { size, mode } = await stat(file);
  const content = () => createReadStream(file, { highWaterMark: 256 * 1024 });
  return { size, executable: (mode & 0o100) !== 0, open: content };
}

async function formatOf(file: string): Promise<"gzip" | "xz" | "zip" | "tar" | "plain"> {
  const handle = await open(file, "r");
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(512), 0, 512, 0).finally(() => handle.close());
  const head = buffer.subarray(0, bytesRead).toString("latin1");
  const other = unread.find(([, pattern]) => pattern.test(head));
  if (other !== undefined)
    throw problem(
      "archive-unsupported",
      `${quoted(file)} is a ${other[0]} archive`,
      "archives are zip, tar, tar.gz or tar.xz",
      "choose another file of that release",
    );
  const found = formats.find(([, pattern]) => pattern.test(head));
  return found?.[0] ?? (head.slice(257, 262) === "ustar" ? "tar" : "plain");
}

function fileOf(file: string, files: ReadonlyMap<string, Surveyed>, name: string): Exclude<Surveyed, "link"> {
  const found = files.get(name);
  if (found === undefined) {
    throw problem(
      "archive-member",
      `${quoted(file)} has no file ${quoted(name)}; it has ${list([...files.keys()])}`,
      "member names a file in the archive",
      "correct the key member",
    );
  }
  if (found === "link")
    throw problem(
      "archive-member",
      `${quoted(name)} in ${quoted(file)} is a link`,
      "a member is a regular file",
      "name the file that it links to",
    );
  return found;
}

function onlyFile(file: string, files: ReadonlyMap<string, Surveyed>): string {
  const names = [...files].flatMap(([name, found]) => (found === "link" ? [] : [name]));
  if (names.length === 1) return names[0]!;
  throw problem(
    "archive-member",
    `archive ${quoted(file)} has ${names.length} files: ${list(names)}`,
    "member names the one to use",
    "add the key member",
  );
}

/** At most ten names: an archive may have thousands. */
function list(names: readonly string[]): string {
  const shown = names
    .slice(0, 10)
    .map((name) => quoted(name.slice(0, 200)))
    .join(", ");
  return names.length > 10 ? `${shown} and ${names.length - 10} more` : shown;
}

function plain(member: string): string {
  return member.replace(/^(?:\.\/+)+/, "");
}

function problem(code: string, what: string, rule: string, fix: string): PlatformError {
  return new PlatformError(code, { what, rule, fix });
}
