// Objects out of a repository on this machine. Each is held to its name, which is the hash of what it holds: from a commit's
// hash down, neither the server nor the disk can put other content in their place.
import { createHash } from "node:crypto";
import { type GitOptions, git } from "./run";

/** What is wrong with what a repository holds; the caller knows where it came from. */
export class WrongObject extends Error {}

export interface ObjectOptions extends Pick<GitOptions, "signal"> {
  /** Bytes of all of them together. */
  readonly maxBytes: number;
}

/** Content by name. Errors: {@link WrongObject} for one that is missing, of another type or not what its name says, `undefined` beyond `maxBytes`. */
export async function readObjects(
  repository: string,
  type: "commit" | "tree" | "blob",
  names: readonly string[],
  { maxBytes, signal }: ObjectOptions,
): Promise<Map<string, Buffer> | undefined> {
  const wanted = [...new Set(names)];
  const found = new Map<string, Buffer>();
  if (wanted.length === 0) return found;
  const { code, stdout, stderr, stopped } = await git(["--git-dir", repository, "cat-file", "--batch"], {
    input: `${wanted.join("\n")}\n`,
    maxOutput: maxBytes + wanted.length * 128,
    timeout: 120_000,
    signal,
  });
  if (stopped === "output") return undefined;
  if (code !== 0) throw new WrongObject(`git cannot read it (${stderr.trim().split("\n").at(-1) ?? ""})`);
  let at = 0;
  for (const name of wanted) {
    const end = stdout.indexOf(0x0a, at);
    const [id, kind, size] = stdout.toString("latin1", at, end).split(" ");
    if (end < 0 || id !== name || kind === undefined) throw new WrongObject(`${type} ${name} cannot be read`);
    if (size === undefined) throw new WrongObject(`${type} ${name} is ${kind}`);
    if (kind !== type) throw new WrongObject(`${name} is a ${kind}, not a ${type}`);
    const content = stdout.subarray(end + 1, end + 1 + Number(size));
    if (hashOf(type, content, name.length) !== name) throw new WrongObject(`${type} ${name} is not what its name says`);
    found.set(name, content);
    at = end + 1 + Number(size) + 1;
  }
  return found;
}

function hashOf(type: string, content: Buffer, length: number): string {
  const hash = createHash(length === 64 ? "sha256" : "sha1");
  return hash.update(`${type} ${content.length}\0`).update(content).digest("hex");
}

/** Name of the tree of a commit. */
export function treeOf(commit: Buffer): string {
  const name = /^tree ([0-9a-f]{40}|[0-9a-f]{64})\n/.exec(commit.toString("latin1"))?.[1];
  if (name === undefined) throw new WrongObject("the commit names no tree");
  return name;
}

/** One line of a tree object. */
export interface TreeLine {
  /** `100644`, `100755`, `120000`, `160000`, `40000`. */
  readonly mode: string;
  readonly name: Buffer;
  readonly object: string;
}

/** The lines of a tree object; `hashBytes` is 20 or 32. */
export function parseTree(content: Buffer, hashBytes: number): TreeLine[] {
  const lines: TreeLine[] = [];
  for (let at = 0; at < content.length; ) {
    const space = content.indexOf(0x20, at);
    const zero = content.indexOf(0x00, space);
    const end = zero + 1 + hashBytes;
    if (space < 0 || zero < 0 || end > content.length) throw new WrongObject("a tree is cut short");
    const name = content.subarray(space + 1, zero);
    if (name.length === 0 || name.includes(0x2f) || /^\.\.?$/.test(name.toString("latin1")))
      throw new WrongObject("a tree holds a name that is none");
    lines.push({ mode: content.toString("latin1", at, space), name, object: content.toString("hex", zero + 1, end) });
    at = end;
  }
  return lines;
}
