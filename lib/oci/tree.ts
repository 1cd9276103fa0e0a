// What of a policy repository is shipped, what is left out and what is refused, wherever its files are: in a folder, in a git
// commit or in an image. One walk for all three, so that equal content gives equal layer images.
// Links: one to a regular file inside the tree is shipped as a copy of that file, as Flux and others drop links without a
// word. Every other link (out of the tree, absolute, broken, to a folder, to something left out) is refused with its path.
import type { Readable } from "node:stream";
import ignore, { type Ignore } from "ignore";
import { PlatformError } from "../errors";
import { quoted } from "../printable";
import type { LayerEntry } from "./layerEntry";
import { checkPath } from "./layerPath";
import { contentLimits } from "./limits";

/** What stands at a path. */
export type Kind = "folder" | "file" | "link" | "named pipe" | "socket" | "device" | "git submodule";

export interface TreeItem {
  /** As it is stored: it may be no text at all. */
  readonly name: Buffer;
  readonly kind: Kind;
}

export interface TreeFile {
  readonly size: number;
  readonly executable: boolean;
  /** The content, each time from its beginning. */
  open(): Readable | Buffer;
}

/** Files and folders below one root. Paths are relative to it, without a slash in front; a folder's ends in one, but for the root, `""`. */
export interface Tree {
  /** For messages: `policy folder "/x"`. */
  readonly shown: string;
  list(folder: string): readonly TreeItem[];
  /** Undefined where there is nothing; links are not followed. */
  kindAt(path: string): Kind | undefined;
  /** Of a regular file. */
  file(path: string): TreeFile;
  /** Of a regular file. */
  read(path: string): Buffer;
  linkTarget(path: string): string;
}

/** Left out unless `.policyignore` brings it back with a `!` line. */
const ignoredByDefault = ["tests/", ".kyverno-test/", ".chainsaw-test/"];
/** Left out whatever `.policyignore` says. */
const neverShipped: readonly string[] = [".git", ".policyignore"];

/** Links that one link may lead over. */
const maxHops = 40;

/**
 * The files that ship, as entries below `at`, in no particular order; empty folders have none.
 * Errors: `folder-empty`, `folder-too-large`, `folder-entry`, `layer-path`.
 */
export function treeEntries(tree: Tree, at: string): LayerEntry[] {
  const walk: Walk = { tree, at, leftOut: leftOutOf(tree), entries: [], bytes: 0 };
  visit(walk, "");
  if (walk.entries.length > 0) return walk.entries;
  throw problem(
    "folder-empty",
    `${tree.shown} holds nothing to ship`,
    "a policy repository holds at least one file beside its tests",
    "add a policy, or check .policyignore",
  );
}

/** Refuses a tree that passes a bound. Error: `folder-too-large`. */
export function requireSmall(
  shown: string,
  { files, bytes }: { readonly files: number; readonly bytes: number },
): void {
  const { folderFiles, folderBytes } = contentLimits;
  if (files <= folderFiles && bytes <= folderBytes) return;
  throw problem(
    "folder-too-large",
    `${shown} holds more than ${bytes > folderBytes ? `${folderBytes / 2 ** 20} MiB` : `${folderFiles} files`}`,
    "a policy repository is small: it is read whole, at previews too",
    "check the path, or leave things out with .policyignore",
  );
}

interface Walk {
  readonly tree: Tree;
  readonly at: string;
  readonly leftOut: (path: string, isFolder: boolean) => boolean;
  readonly entries: LayerEntry[];
  bytes: number;
}

function leftOutOf(tree: Tree): Walk["leftOut"] {
  const kind = tree.kindAt(".policyignore");
  const own = kind === "file" ? ".policyignore" : kind === "link" ? followed(tree, ".policyignore") : undefined;
  const text = own === undefined ? "" : tree.read(own).toString("utf8");
  const rules: Ignore = ignore({ ignorecase: false })
    .add(ignoredByDefault)
    .add(text.replace(/^\uFEFF/, ""));
  return (path, isFolder) =>
    neverShipped.includes(path.split("/").at(-1)!) || rules.ignores(isFolder ? `${path}/` : path);
}

function visit(walk: Walk, folder: string): void {
  const { tree, at, leftOut } = walk;
  for (const { name, kind } of tree.list(folder)) {
    const path = `${folder}${textOf(tree, folder, name)}`;
    if (leftOut(path, kind === "folder" || kind === "git submodule")) continue;
    checkPath(`${at}/${path}`, path);
    if (kind === "folder") visit(walk, `${path}/`);
    else if (kind === "file") add(walk, path, path);
    else if (kind === "link") add(walk, path, linkedFile(walk, path));
    else {
      throw problem(
        "folder-entry",
        `${quoted(path)} in ${tree.shown} is a ${kind}`,
        "a policy repository holds files and folders only",
        "remove it, or leave it out with .policyignore",
      );
    }
  }
}

function textOf(tree: Tree, folder: string, name: Buffer): string {
  const text = name.toString("utf8");
  if (Buffer.from(text).equals(name)) return text;
  const bytes = name
    .toString("latin1")
    .replace(/[^\x20-\x7e]/g, (byte) => `\\x${byte.charCodeAt(0).toString(16).padStart(2, "0")}`);
  throw problem(
    "folder-entry",
    `name of "${folder}${bytes}" in ${tree.shown} is not valid UTF-8`,
    "names in an image are UTF-8",
    "rename it",
  );
}

function add(walk: Walk, path: string, source: string): void {
  const { size, executable, open } = walk.tree.file(source);
  walk.bytes += size;
  requireSmall(walk.tree.shown, { files: walk.entries.length + 1, bytes: walk.bytes });
  walk.entries.push({ path: `${walk.at}/${path}`, executable, size, open });
}

/** The file behind a link that may be shipped as its copy. */
function linkedFile({ tree, leftOut }: Walk, path: string): string {
  const target = followed(tree, path);
  const parts = target.split("/");
  const isLeftOut = parts.some((_, index) => leftOut(parts.slice(0, index + 1).join("/"), index < parts.length - 1));
  if (isLeftOut) throw badLink(tree, path, "to something that is left out");
  return target;
}

/** The regular file that a link leads to, by the rules of the file system, but never out of the tree. */
function followed(tree: Tree, path: string): string {
  const refuse = (why: string) => badLink(tree, path, why);
  const steps = path.split("/");
  const at: string[] = [];
  for (let hops = 0; steps.length > 0; ) {
    const step = steps.shift()!;
    if (step === "" || step === ".") continue;
    if (step === "..") {
      if (at.pop() === undefined) throw refuse("that leaves the folder");
      continue;
    }
    const next = [...at, step].join("/");
    const kind = tree.kindAt(next);
    if (kind === undefined || (kind === "file" && steps.length > 0)) throw refuse("to nothing");
    if (kind !== "link") at.push(step);
    else {
      const target = tree.linkTarget(next);
      if (target.startsWith("/")) throw refuse("to an absolute path");
      if (++hops > maxHops) throw refuse("to nothing");
      steps.unshift(...target.split("/"));
    }
  }
  if (at.length === 0) throw refuse("that leaves the folder");
  const found = at.join("/");
  if (tree.kindAt(found) !== "file") throw refuse("to what is no regular file");
  return found;
}

/** The regular file that a link leads to; undefined for one that ships nowhere. */
export function fileBehind(tree: Tree, path: string): string | undefined {
  try {
    return followed(tree, path);
  } catch {
    return undefined;
  }
}

function badLink(tree: Tree, path: string, why: string): PlatformError {
  return problem(
    "folder-entry",
    `${quoted(path)} in ${tree.shown} is a link ${why}`,
    "a link is shipped as a copy of a file in the same folder, any other link is refused",
    "replace it by a copy, or leave it out with .policyignore",
  );
}

function problem(code: string, what: string, rule: string, fix: string): PlatformError {
  return new PlatformError(code, { what, rule, fix });
}
