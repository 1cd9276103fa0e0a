// Files of a container as the engine hands them out, and files for it: tars both ways, bounded.
import type { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { extract } from "tar-stream";
import { tarEnd, tarHeader, tarPadding } from "../oci/tar";

/** What stands below a folder of an image. */
export interface ImageFiles {
  /** Absolute paths of everything that is not a folder, in order. */
  readonly paths: readonly string[];
  /** Absolute path → content of the regular files up to {@link maxContent}. */
  readonly contents: ReadonlyMap<string, Buffer>;
  /** Absolute paths of the regular files that are too large, or too many, to be kept: what they hold is not known. */
  readonly notKept: readonly string[];
}

/** The most that is read of a folder, and of it the most that is kept: policies are text. */
const maxListing = 2 * 1024 * 1024 * 1024;
const maxKept = 256 * 1024 * 1024;
/** Files above are listed and not kept. */
const maxContent = 8 * 1024 * 1024;

/** Bytes of one file and of all files that are kept. */
export interface KeptBounds {
  readonly each: number;
  readonly all: number;
}

/** Reads an archive whose names begin with the folder's own name. `what` names it in an error. */
export async function readFiles(
  archive: Readable,
  folder: string,
  what: string,
  bounds: KeptBounds = { each: maxContent, all: maxKept },
): Promise<ImageFiles> {
  const parent = folder.slice(0, folder.lastIndexOf("/") + 1);
  const paths: string[] = [];
  const contents = new Map<string, Buffer>();
  const notKept: string[] = [];
  let bytes = 0;
  let kept = 0;
  const entries = extract();
  archive.on("error", (error) => entries.destroy(error));
  archive.pipe(entries);
  try {
    for await (const entry of entries) {
      const { name, size = 0, type } = entry.header;
      bytes += size;
      if (bytes > maxListing) throw new Error(`${folder} of ${what} holds more than ${maxListing} bytes`);
      if (type !== "directory") paths.push(parent + name);
      if (type === "file" && size <= bounds.each && kept + size <= bounds.all) {
        kept += size;
        contents.set(parent + name, await buffer(entry));
      } else {
        if (type === "file") notKept.push(parent + name);
        entry.resume();
      }
    }
  } finally {
    archive.destroy();
  }
  return { paths: paths.sort(), contents, notKept: notKept.sort() };
}

/** A tar of files by name. */
export function tarOf(files: ReadonlyMap<string, Buffer | string>): Buffer {
  const parts: Buffer[] = [];
  for (const [name, content] of files) {
    const bytes = Buffer.from(content);
    parts.push(
      tarHeader({ name, type: "file", executable: false, size: bytes.length }),
      bytes,
      tarPadding(bytes.length),
    );
  }
  return Buffer.concat([...parts, tarEnd]);
}
