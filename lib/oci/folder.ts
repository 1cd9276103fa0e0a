// The files of a policy folder on this machine. What of them ships is decided in tree.ts.
// The walk is synchronous: for thousands of small files that takes a fraction of the time.
import {
  createReadStream,
  type Dirent,
  lstatSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  statSync,
} from "node:fs";
import { PlatformError } from "../errors";
import { quoted } from "../printable";
import type { LayerEntry } from "./layerEntry";
import { type Kind, type Tree, treeEntries } from "./tree";

/** Files up to this size in bytes are read in one go: policies, thousands of them, are far below. */
const readAtOnce = 1024 * 1024;

/** All files of the folder that ship, as entries below `at`. Errors: `folder-missing`, and those of `treeEntries`. */
export function folderEntries(folder: string, at: string): LayerEntry[] {
  const found = statSync(folder, { throwIfNoEntry: false });
  if (found === undefined || !found.isDirectory()) {
    throw problem(
      "folder-missing",
      `policy folder ${quoted(folder)} ${found === undefined ? "does not exist" : "is no folder"}`,
      "a policy repository is a folder of files",
      "check the path in the stack's configuration",
    );
  }
  try {
    return treeEntries(folderTree(realpathSync(folder)), at);
  } catch (error) {
    const { code, path } = error as NodeJS.ErrnoException;
    if (error instanceof PlatformError || path === undefined) throw error;
    throw problem(
      "folder-entry",
      `${quoted(path)} cannot be read (${code})`,
      "everything that is shipped can be read",
      "make it readable, or leave it out with .policyignore",
    );
  }
}

function folderTree(root: string): Tree {
  return {
    shown: `policy folder ${quoted(root)}`,
    list(folder) {
      const options = { withFileTypes: true, encoding: "buffer" as BufferEncoding } as const;
      const items = readdirSync(`${root}/${folder}`, options) as unknown as Dirent<Buffer>[];
      return items.map((item) => ({ name: item.name, kind: kindOf(item) }));
    },
    kindAt(path) {
      const found = lstatSync(`${root}/${path}`, { throwIfNoEntry: false });
      return found && kindOf(found);
    },
    file(path) {
      const { size, mode } = lstatSync(`${root}/${path}`);
      const open = () => (size <= readAtOnce ? readFileSync(`${root}/${path}`) : createReadStream(`${root}/${path}`));
      return { size, executable: (mode & 0o100) !== 0, open };
    },
    read: (path) => readFileSync(`${root}/${path}`),
    linkTarget: (path) => readlinkSync(`${root}/${path}`),
  };
}

function kindOf(item: Pick<Dirent<Buffer>, "isFile" | "isDirectory" | "isSymbolicLink" | "isFIFO" | "isSocket">): Kind {
  if (item.isFile()) return "file";
  if (item.isDirectory()) return "folder";
  if (item.isSymbolicLink()) return "link";
  if (item.isFIFO()) return "named pipe";
  return item.isSocket() ? "socket" : "device";
}

function problem(code: string, what: string, rule: string, fix: string): PlatformError {
  return new PlatformError(code, { what, rule, fix });
}
