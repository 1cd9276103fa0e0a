// The files of a policy folder: what is shipped, what is left out, what is refused.
// Links: one to a regular file inside the folder is shipped as a copy of that file, as Flux and others drop links without a
// word. Every other link (out of the folder, absolute, broken, to a folder, to something left out) is refused with its path.
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
import { relative } from "node:path";
import ignore, { type Ignore } from "ignore";
import { PlatformError } from "../errors";
import { quoted } from "../printable";
import type { LayerEntry } from "./layer";
import { checkPath } from "./layerPath";
import { contentLimits } from "./limits";

/** Left out unless `.policyignore` brings it back with a `!` line. */
const ignoredByDefault = ["tests/", ".kyverno-test/", ".chainsaw-test/"];
/** Left out whatever `.policyignore` says. */
const neverShipped: readonly string[] = [".git", ".policyignore"];

/** Files up to this size in bytes are read in one go: policies, thousands of them, are far below. */
const readAtOnce = 1024 * 1024;

/** All files of the folder as entries below `at`, in no particular order; empty folders have none. */
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
  const root = realpathSync(folder);
  const walk: Walk = { root, at, leftOut: leftOutOf(root), entries: [], bytes: 0 };
  try {
    visit(walk, "");
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
  if (walk.entries.length === 0) {
    throw problem(
      "folder-empty",
      `policy folder ${quoted(folder)} holds nothing to ship`,
      "a policy repository holds at least one file beside its tests",
      "add a policy, or check .policyignore",
    );
  }
  return walk.entries;
}

interface Walk {
  readonly root: string;
  readonly at: string;
  readonly leftOut: (path: string, isFolder: boolean) => boolean;
  readonly entries: LayerEntry[];
  bytes: number;
}

function leftOutOf(root: string): Walk["leftOut"] {
  const own = statSync(`${root}/.policyignore`, { throwIfNoEntry: false })?.isFile()
    ? readFileSync(`${root}/.policyignore`, "utf8")
    : "";
  const rules: Ignore = ignore({ ignorecase: false })
    .add(ignoredByDefault)
    .add(own.replace(/^\uFEFF/, ""));
  return (path, isFolder) =>
    neverShipped.includes(path.split("/").at(-1)!) || rules.ignores(isFolder ? `${path}/` : path);
}

function visit(walk: Walk, folder: string): void {
  const names = readdirSync(`${walk.root}/${folder}`, { withFileTypes: true, encoding: "buffer" as BufferEncoding });
  for (const item of names as unknown as Dirent<Buffer>[]) {
    const name = item.name.toString("utf8");
    if (!Buffer.from(name).equals(item.name)) {
      const shown = `${folder}${item.name.toString("latin1").replace(/[^\x20-\x7e]/g, (byte) => `\\x${byte.charCodeAt(0).toString(16).padStart(2, "0")}`)}`;
      throw problem(
        "folder-entry",
        `name of "${shown}" in ${quoted(walk.root)} is not valid UTF-8`,
        "names in an image are UTF-8",
        "rename it",
      );
    }
    const path = `${folder}${name}`;
    if (walk.leftOut(path, item.isDirectory())) continue;
    checkPath(`${walk.at}/${path}`, path);
    if (item.isDirectory()) visit(walk, `${path}/`);
    else if (item.isFile()) add(walk, path, `${walk.root}/${path}`);
    else if (item.isSymbolicLink()) add(walk, path, linkTarget(walk, path));
    else
      throw problem(
        "folder-entry",
        `${quoted(path)} in ${quoted(walk.root)} is a ${kindOf(item)}`,
        "a policy repository holds files and folders only",
        "remove it, or leave it out with .policyignore",
      );
  }
}

function add(walk: Walk, path: string, file: string): void {
  const { size, mode } = lstatSync(file);
  walk.bytes += size;
  if (walk.entries.length >= contentLimits.folderFiles || walk.bytes > contentLimits.folderBytes) {
    throw problem(
      "folder-too-large",
      `policy folder ${quoted(walk.root)} holds more than ${walk.bytes > contentLimits.folderBytes ? `${contentLimits.folderBytes} bytes` : `${contentLimits.folderFiles} files`}`,
      "a policy repository is small: it is read at every preview",
      "check the path, or leave things out with .policyignore",
    );
  }
  walk.entries.push({
    path: `${walk.at}/${path}`,
    executable: (mode & 0o100) !== 0,
    size,
    open: () => (size <= readAtOnce ? readFileSync(file) : createReadStream(file)),
  });
}

/** The file behind a link that may be shipped as its copy. */
function linkTarget(walk: Walk, path: string): string {
  const refuse = (why: string) =>
    problem(
      "folder-entry",
      `${quoted(path)} in ${quoted(walk.root)} is a link ${why}`,
      "a link is shipped as a copy of a file in the same folder, any other link is refused",
      "replace it by a copy, or leave it out with .policyignore",
    );
  const link = `${walk.root}/${path}`;
  if (readlinkSync(link).startsWith("/")) throw refuse("to an absolute path");
  if (!leadsSomewhere(link)) throw refuse("to nothing");
  const target = realpathSync(link);
  const inner = relative(walk.root, target);
  if (inner === "" || inner === ".." || inner.startsWith("../")) throw refuse("that leaves the folder");
  if (!lstatSync(target).isFile()) throw refuse("to what is no regular file");
  const parts = inner.split("/");
  const leftOut = parts.some((_, index) => walk.leftOut(parts.slice(0, index + 1).join("/"), index < parts.length - 1));
  if (leftOut) throw refuse("to something that is left out");
  return target;
}

/** False for a broken link and for one that leads to itself. */
function leadsSomewhere(link: string): boolean {
  try {
    return statSync(link, { throwIfNoEntry: false }) !== undefined;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ELOOP") return false;
    throw error;
  }
}

function kindOf(item: Dirent<Buffer>): string {
  if (item.isFIFO()) return "named pipe";
  if (item.isSocket()) return "socket";
  return "device";
}

function problem(code: string, what: string, rule: string, fix: string): PlatformError {
  return new PlatformError(code, { what, rule, fix });
}
