// The tree of a commit as what ships is decided on: read from git's own objects, so nothing is ever checked out, and no
// filter, hook, submodule or line-end setting has a say. Bytes are as they are in the commit.
import { PlatformError } from "../errors";
import { contentLimits } from "../oci/limits";
import { type Kind, requireSmall, type Tree } from "../oci/tree";
import { quoted } from "../printable";
import { parseTree, readObjects, type TreeLine, treeOf, WrongObject } from "./objects";

/** Which folder of which commit. */
export interface Place {
  readonly url: string;
  readonly commit: string;
  /** Below the repository's root, without slashes at its ends; default the root. */
  readonly path?: string;
}

export interface Node {
  readonly kind: Kind;
  readonly executable: boolean;
  readonly object: string;
  readonly name: Buffer;
}

/** Everything below the folder: path → what is there; a folder's items by its path, which ends in a slash but for the root's. */
export interface Listing {
  readonly nodes: ReadonlyMap<string, Node>;
  readonly folders: ReadonlyMap<string, readonly string[]>;
}

/** A tree may name one tree many times: what is read is bounded by what it lists, not by its own size. */
const maxItems = 5 * contentLimits.folderFiles;
const maxTreeBytes = 64 * 1024 * 1024;
const maxDepth = 200;

/** How messages name it. */
export function shownPlace({ url, commit, path }: Place): string {
  return `git repository ${url} at ${commit.slice(0, 12)}${path === undefined ? "" : `, folder ${quoted(path)}`}`;
}

/** Errors: {@link WrongObject}, `git-path-missing`, `folder-too-large`. */
export async function listTree(repository: string, place: Place, signal?: AbortSignal): Promise<Listing> {
  const { commit, path } = place;
  const bytes = commit.length / 2;
  const read = async (names: readonly string[]) => {
    const found = await readObjects(repository, "tree", names, { maxBytes: maxTreeBytes, signal });
    if (found === undefined) throw tooMany(place);
    return found;
  };
  const commits = await readObjects(repository, "commit", [commit], { maxBytes: 1024 * 1024, signal });
  if (commits === undefined) throw new WrongObject("the commit is larger than 1 MiB");
  let root = treeOf(commits.get(commit)!);
  for (const step of path?.split("/") ?? []) {
    const lines = parseTree((await read([root])).get(root)!, bytes);
    const found = lines.find(({ name }) => name.toString("utf8") === step);
    if (found === undefined || kindOf(found) !== "folder") throw pathMissing(place, lines, found);
    root = found.object;
  }

  const nodes = new Map<string, Node>();
  const folders = new Map<string, string[]>();
  let level = [{ folder: "", object: root }];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > maxDepth) throw tooMany(place);
    const contents = await read(level.map(({ object }) => object));
    const next: typeof level = [];
    for (const { folder, object } of level) {
      const items: string[] = [];
      for (const line of parseTree(contents.get(object)!, bytes)) {
        const at = `${folder}${line.name.toString("latin1")}`;
        if (nodes.has(at)) throw new WrongObject(`a tree holds ${quoted(at)} twice`);
        const kind = kindOf(line);
        nodes.set(at, { kind, executable: line.mode === "100755", object: line.object, name: line.name });
        items.push(at);
        if (kind === "folder") next.push({ folder: `${at}/`, object: line.object });
      }
      folders.set(folder, items);
      if (nodes.size > maxItems) throw tooMany(place);
    }
    level = next;
  }
  return { nodes, folders };
}

/** Names of the contents of its files and links. */
export function blobsOf({ nodes }: Listing): string[] {
  const blobs = [...nodes.values()].filter(({ kind }) => kind === "file" || kind === "link");
  return [...new Set(blobs.map(({ object }) => object))];
}

/** The tree, its contents in memory. Errors: {@link WrongObject}, `folder-too-large`. */
export async function readTree(repository: string, place: Place, signal?: AbortSignal): Promise<Tree> {
  const listing = await listTree(repository, place, signal);
  const { folderBytes } = contentLimits;
  const contents = await readObjects(repository, "blob", blobsOf(listing), { maxBytes: folderBytes, signal });
  if (contents === undefined) {
    requireSmall(shownPlace(place), { files: 0, bytes: folderBytes + 1 });
    throw new Error("unreachable");
  }
  return treeOver(listing, contents, shownPlace(place));
}

/** Paths are looked up by their bytes: a name need not be text. */
function treeOver({ nodes, folders }: Listing, contents: ReadonlyMap<string, Buffer>, shown: string): Tree {
  const bytesOf = (path: string) => Buffer.from(path).toString("latin1");
  const node = (path: string) => nodes.get(bytesOf(path));
  const read = (path: string) => contents.get(node(path)!.object)!;
  return {
    shown,
    list: (folder) => folders.get(bytesOf(folder))!.map((path) => nodes.get(path)!),
    kindAt: (path) => node(path)?.kind,
    file: (path) => ({ size: read(path).length, executable: node(path)!.executable, open: () => read(path) }),
    read,
    linkTarget: (path) => read(path).toString("utf8"),
  };
}

function kindOf({ mode }: TreeLine): Kind {
  if (/^0?40000$/.test(mode)) return "folder";
  if (mode === "120000") return "link";
  return mode === "160000" ? "git submodule" : "file";
}

function pathMissing({ url, commit, path }: Place, lines: readonly TreeLine[], found?: TreeLine): PlatformError {
  const folders = lines.filter((line) => kindOf(line) === "folder").map(({ name }) => quoted(name.toString("utf8")));
  return new PlatformError("git-path-missing", {
    what: `commit ${commit.slice(0, 12)} of ${url} has no folder ${quoted(path!)}${found ? `, only a ${kindOf(found)} on the way` : ""}`,
    rule: "path names a folder of the repository, from its root",
    fix:
      folders.length > 0
        ? `correct the key path: there is ${folders.slice(0, 10).join(", ")}`
        : "leave the key path out",
  });
}

function tooMany(place: Place): PlatformError {
  return new PlatformError("folder-too-large", {
    what: `${shownPlace(place)} holds more than ${maxItems} files and folders, or more than ${maxDepth} levels of them`,
    rule: "a policy repository is small: it is read whole, at previews too",
    fix: "name the folder of the policies with the key path",
  });
}
