// What every archive is held to, whatever its format: names that lead nowhere else, each once, within bounds.
import { posix } from "node:path";
import { PlatformError } from "../errors";
import { quoted } from "../printable";
import { contentLimits } from "./limits";

/** One entry as its archive describes it. */
export interface ArchiveEntry {
  /** Without `./` in front or slash at the end. */
  readonly path: string;
  /** `file`, `directory`, `symlink`, `link`; anything else is refused by this name. */
  readonly type: string;
  /** Of links. */
  readonly linkname?: string | null;
  readonly executable: boolean;
  /** Bytes. */
  readonly size: number;
}

/** A format's reader; each call reads the archive anew. Both throw `archive-malformed` for what is not of the format. */
export interface ArchiveReader {
  entries(): AsyncIterable<ArchiveEntry>;
  /** The content of the file with that path, of which `entries` has told. */
  content(path: string): AsyncIterable<Buffer>;
}

/** A regular file, or that there is a link of that name. */
export type Surveyed = { readonly size: number; readonly executable: boolean } | "link";

/** Reads all entries and refuses the archive for anything hostile anywhere in it. Errors: `archive-hostile`, `archive-malformed`. */
export async function survey(file: string, entries: AsyncIterable<ArchiveEntry>): Promise<Map<string, Surveyed>> {
  const files = new Map<string, Surveyed>();
  let nameBytes = 0;
  for await (const entry of entries) {
    nameBytes += Buffer.byteLength(entry.path) + Buffer.byteLength(entry.linkname ?? "");
    if (nameBytes > contentLimits.archiveNameBytes)
      throw malformedArchive(file, `its names have more than ${contentLimits.archiveNameBytes} bytes`);
    const why = hostility(entry) ?? (files.has(entry.path) ? "is there twice" : undefined);
    if (why !== undefined) {
      throw new PlatformError("archive-hostile", {
        what: `entry ${quoted(entry.path.slice(0, 200))} of ${quoted(file)} ${why}`,
        rule: "a release archive holds files, folders and links within itself, each once, with plain names",
        fix: "do not use this archive; find out where it comes from",
      });
    }
    if (entry.type === "directory") continue;
    files.set(entry.path, isLink(entry) ? "link" : { size: entry.size, executable: entry.executable });
  }
  return files;
}

/** The error for bytes that are not of their format, or pass its bounds. */
export function malformedArchive(file: string, why: string): PlatformError {
  return new PlatformError("archive-malformed", {
    what: `archive ${quoted(file)} cannot be read: ${why}`,
    rule: "an archive is a zip or a tar, packed by gzip, by xz or not, of bounded size",
    fix: "check the address and the checksum that it is pinned by",
  });
}

function hostility(entry: ArchiveEntry): string | undefined {
  const { path, type } = entry;
  if (path.includes("\ufffd")) return "has a name that is no UTF-8";
  if (/[\p{Cc}\\]/u.test(path)) return "has a control character or backslash in its name";
  if (Buffer.byteLength(path) > contentLimits.pathBytes)
    return `has a name of more than ${contentLimits.pathBytes} bytes`;
  if (path.startsWith("/") || /^[A-Za-z]:/.test(path) || path.split("/").includes(".."))
    return "leads out of the archive";
  if (isLink(entry)) return linksOut(entry) ? "links out of the archive" : undefined;
  return ["directory", "file", "contiguous-file"].includes(type) ? undefined : `is a ${type}`;
}

function isLink({ type }: ArchiveEntry): boolean {
  return type === "symlink" || type === "link";
}

function linksOut({ path, type, linkname }: ArchiveEntry): boolean {
  const target = linkname ?? "";
  const inner = posix.normalize(type === "link" ? target : posix.join(posix.dirname(path), target));
  return target.startsWith("/") || target.includes("\\") || inner === ".." || inner.startsWith("../");
}
