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
}

/** The most that is read of a folder, and of it the most that is kept: policies are text. */
const maxListing = 2 * 1024 * 1024 * 1024;
const maxKept = 256 * 1024 * 1024;
/** Files above are listed and not kept. */
const maxContent = 8 * 1024 * 1024;

/** Reads an archive whose names begin with the folder's own name. `what` names it in an error. */
export async function readFiles(archive: Readable, folder: string, what: string): Promise<ImageFiles> {
  const parent = folder.slice(0, folder.lastIndexOf("/") + 1);
  const paths: string[] = [];
  const contents = new Map<string, Buffer>();
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
      if (type === "file" && size <= maxContent && kept + size <= maxKept) {
        kept += size;
        contents.set(parent + name, await buffer(entry));
      } else entry.resume();
    }
  } finally {
    archive.destroy();
  }
  return { paths: paths.sort(), contents };
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
