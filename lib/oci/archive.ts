// One file out of a release archive. Nothing is ever unpacked to disk: the archive is read through, checked whole, and its
// member streamed. What no honest release holds refuses the whole archive.
import { createReadStream } from "node:fs";
import { open, stat } from "node:fs/promises";
import { posix } from "node:path";
import { Readable } from "node:stream";
import { PlatformError } from "../errors";
import { quoted } from "../printable";
import { readTar, type TarEntry } from "./tarReader";

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

/** Formats that are known but not read: they must not be taken for a plain file. By their first bytes. */
const unread: readonly (readonly [string, RegExp])[] = [
  ["zip", /^PK(?:\x03\x04|\x05\x06)/],
  ["xz", /^\xfd7zXZ/],
  ["bzip2", /^BZh[1-9]/],
  ["zstd", /^\x28\xb5\x2f\xfd/],
  ["7z", /^7z\xbc\xaf/],
  ["Debian package", /^!<arch>\n/],
];

/**
 * The member of a tar or tar.gz archive, or a plain file itself where `member` is left out. An archive with a single file needs
 * no name. Errors: `archive-unsupported`, `archive-malformed`, `archive-hostile`, `archive-member`.
 */
export async function memberFromArchive(file: string, member: string | undefined): Promise<ArchiveMember> {
  const format = await formatOf(file);
  if (format === "plain") {
    if (member !== undefined)
      throw problem(
        "archive-member",
        `${quoted(file)} is no archive, so it has no member ${quoted(member)}`,
        "member names a file in an archive",
        "remove the key member",
      );
    const { size, mode } = await stat(file);
    return {
      size,
      executable: (mode & 0o100) !== 0,
      open: () => createReadStream(file, { highWaterMark: 256 * 1024 }),
    };
  }
  const archive: Archive = { file, gzip: format === "gzip" };
  const files = await survey(archive);
  const name = member === undefined ? onlyFile(file, files) : plain(member);
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
  return { ...found, open: () => Readable.from(contentOf(archive, name), { objectMode: false }) };
}

interface Archive {
  readonly file: string;
  readonly gzip: boolean;
}

type Surveyed = { readonly size: number; readonly executable: boolean } | "link";

/** Reads the whole archive once and refuses it for anything hostile anywhere in it. */
async function survey(archive: Archive): Promise<Map<string, Surveyed>> {
  const files = new Map<string, Surveyed>();
  const hostile = (entry: TarEntry, why: string) =>
    problem(
      "archive-hostile",
      `entry ${quoted(entry.path)} of ${quoted(archive.file)} ${why}`,
      "a release archive holds files, folders and links within itself, each once",
      "do not use this archive; find out where it comes from",
    );
  for await (const entry of entriesOf(archive)) {
    const name = entry.path;
    if (/[\p{Cc}\\]/u.test(name)) throw hostile(entry, "has a control character or backslash in its name");
    if (name.startsWith("/") || name.split("/").includes("..")) throw hostile(entry, "leads out of the archive");
    if (entry.type === "directory") continue;
    if (entry.type === "symlink" || entry.type === "link") {
      const target = entry.linkname ?? "";
      const inner = posix.normalize(entry.type === "link" ? target : posix.join(posix.dirname(name), target));
      if (target.startsWith("/") || inner === ".." || inner.startsWith("../"))
        throw hostile(entry, "links out of the archive");
    } else if (entry.type !== "file" && entry.type !== "contiguous-file") throw hostile(entry, `is a ${entry.type}`);
    if (files.has(name)) throw hostile(entry, "is there twice");
    files.set(
      name,
      entry.type === "symlink" || entry.type === "link" ? "link" : { size: entry.size, executable: entry.executable },
    );
  }
  return files;
}

async function* contentOf(archive: Archive, name: string): AsyncGenerator<Buffer, void, undefined> {
  for await (const entry of entriesOf(archive)) {
    if (entry.path !== name || entry.type === "directory") continue;
    yield* entry.content;
    return;
  }
}

function entriesOf({ file, gzip }: Archive): AsyncGenerator<TarEntry, void, undefined> {
  const wrong = (why: string) =>
    problem(
      "archive-malformed",
      `archive ${quoted(file)} cannot be read: ${why}`,
      "an archive is a tar, packed by gzip or not, of bounded size",
      "check the address and the checksum that it is pinned by",
    );
  return readTar(createReadStream(file, { highWaterMark: 256 * 1024 }), { gzip, wrong });
}

async function formatOf(file: string): Promise<"gzip" | "tar" | "plain"> {
  const handle = await open(file, "r");
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(512), 0, 512, 0).finally(() => handle.close());
  const head = buffer.subarray(0, bytesRead).toString("latin1");
  const other = unread.find(([, pattern]) => pattern.test(head));
  if (other !== undefined)
    throw problem(
      "archive-unsupported",
      `${quoted(file)} is a ${other[0]} archive`,
      "archives are tar or tar.gz",
      "choose another file of that release",
    );
  if (head.startsWith("\x1f\x8b")) return "gzip";
  return head.slice(257, 262) === "ustar" ? "tar" : "plain";
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
  const shown = names.slice(0, 10).map(quoted).join(", ");
  return names.length > 10 ? `${shown} and ${names.length - 10} more` : shown;
}

function plain(member: string): string {
  return member.replace(/^(?:\.\/+)+/, "");
}

function problem(code: string, what: string, rule: string, fix: string): PlatformError {
  return new PlatformError(code, { what, rule, fix });
}
