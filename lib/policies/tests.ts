// What the source of a policy repository has beside what it ships: above all its tests. They never come into the image, and
// the gate puts them beside a copy of it.
import { lstatSync, readdirSync, readFileSync, realpathSync, statSync } from "node:fs";
import { join, relative } from "node:path";
import { canonicalJson } from "../canonicalJson";
import { PlatformError } from "../errors";
import { type Digest, sha256 } from "../oci/digest";
import { quoted } from "../printable";

/** A folder's left-out files. */
export interface LeftOut {
  /** Of paths and contents. */
  readonly digest: Digest;
  /** Path in the folder → content. */
  readonly files: ReadonlyMap<string, Buffer>;
}

/** Bounds: tests are text. */
const maxFiles = 50_000;
const maxBytes = 128 * 1024 * 1024;
/** Never looked at. */
const never: ReadonlySet<string> = new Set([".git", "node_modules"]);

/** Everything in a folder that does not ship. Links to files inside are read, other links and special files are not there. */
export function leftOutFiles(folder: string, shipped: Readonly<Record<string, unknown>>): LeftOut {
  const root = realpathSync(folder);
  const files = new Map<string, Buffer>();
  let bytes = 0;
  const visit = (inside: string) => {
    for (const { name } of readdirSync(join(root, inside), { withFileTypes: true })) {
      const path = inside === "" ? name : `${inside}/${name}`;
      if (never.has(name) || Object.hasOwn(shipped, path)) continue;
      const found = lstatSync(join(root, path));
      if (found.isDirectory()) visit(path);
      else if (found.isFile() || (found.isSymbolicLink() && isFileInside(root, path))) {
        const content = readFileSync(join(root, path));
        bytes += content.length;
        if (files.size >= maxFiles || bytes > maxBytes) throw tooMuch(folder);
        files.set(path, content);
      }
    }
  };
  visit("");
  const digests = Object.fromEntries([...files].map(([path, content]) => [path, sha256(content)]));
  return { digest: sha256(canonicalJson(digests)), files };
}

function isFileInside(root: string, path: string): boolean {
  const link = join(root, path);
  if (!statSync(link, { throwIfNoEntry: false })?.isFile()) return false;
  return !relative(root, realpathSync(link)).startsWith("..");
}

function tooMuch(folder: string): PlatformError {
  return new PlatformError("tests-too-large", {
    what: `policy folder ${quoted(folder)} has more than ${maxFiles} files or ${maxBytes} bytes beside what it ships`,
    rule: "tests are text, and are read at every preview",
    fix: "move what is no test out of the folder",
  });
}
