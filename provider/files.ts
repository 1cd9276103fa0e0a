// The file list that `--diff` shows: one line per file, or per folder where there are too many to read.
import { sha256, shortDigest } from "../lib/oci/digest";
import { isUnknown, isValues, unwrapSecrets, type Value, type Values } from "./host";

const maxLines = 500;

/**
 * At most 500 entries: beyond that, every file of the deepest folders becomes one entry `folder/` with a digest of its
 * lines, folder level by level, until it fits. A function of the list alone.
 */
export function perFolder(files: Value): Value {
  if (isUnknown(files) || !isValues(files)) return files;
  let lines: Values = unwrapSecrets(files);
  while (Object.keys(lines).length > maxLines) {
    const depth = Math.max(...Object.keys(lines).map(depthOf));
    if (depth === 0) return { "./": digestOf(Object.entries(lines)) };
    lines = foldLevel(lines, depth);
  }
  return lines;
}

/** Folders that a path is in: `a.yaml` 0, `x/a.yaml` 1, and `x/`, which stands for a folder, 0. */
function depthOf(path: string): number {
  return path.replace(/\/$/, "").split("/").length - 1;
}

function foldLevel(lines: Values, depth: number): Values {
  const folders = new Map<string, [string, Value][]>();
  const kept: [string, Value][] = [];
  for (const [path, digest] of Object.entries(lines)) {
    if (depthOf(path) < depth) kept.push([path, digest]);
    else {
      const folder = `${path.replace(/\/$/, "").split("/").slice(0, -1).join("/")}/`;
      folders.set(folder, [...(folders.get(folder) ?? []), [path, digest]]);
    }
  }
  const folded = [...folders].map(([folder, entries]) => [folder, digestOf(entries)] as const);
  return Object.fromEntries([...kept, ...folded].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function digestOf(entries: readonly (readonly [string, Value])[]): string {
  const sorted = [...entries].sort(([a], [b]) => (a < b ? -1 : 1));
  return shortDigest(sha256(sorted.map(([path, digest]) => `${path} ${String(digest)}\n`).join("")));
}
