// What the source of a policy repository has beside what it ships: above all its tests. They never come into the image, and
// the gate puts them beside a copy of it.
import { lstatSync, readdirSync, readFileSync, realpathSync, statSync } from "node:fs";
import { join, relative, sep } from "node:path";
import ignore from "ignore";
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
/** Names that are never looked at, nor behind a link. */
export const neverTests: ReadonlySet<string> = new Set([".git", "node_modules"]);

/** Folders that hold tests and are left out without a word in `.policyignore`. */
const testFolders: ReadonlySet<string> = new Set(["tests", ".kyverno-test", ".chainsaw-test"]);

/**
 * Tells which folders, by path in `root`, its `.policyignore` takes out with all that is in them: the tests of policies that do
 * not ship are of no concern. One that only names files, or a folder of tests, takes out no test.
 */
export function takenOut(root: string): (folder: string) => boolean {
  const file = join(root, ".policyignore");
  return takenOutBy(statSync(file, { throwIfNoEntry: false })?.isFile() ? readFileSync(file, "utf8") : "");
}

/** The same by the text of a `.policyignore`, wherever that is. */
export function takenOutBy(policyignore: string): (folder: string) => boolean {
  const rules = ignore({ ignorecase: false }).add(policyignore.replace(/^\uFEFF/, ""));
  return (folder) => !folder.split(sep).some((step) => testFolders.has(step)) && rules.ignores(`${folder}/`);
}

/**
 * Everything in a folder that does not ship, but for what `takenOut` names. Links to files inside are read, other links and special
 * files are not there.
 */
export function leftOutFiles(folder: string, shipped: Readonly<Record<string, unknown>>): LeftOut {
  const root = realpathSync(folder);
  const files = new Map<string, Buffer>();
  const isTakenOut = takenOut(root);
  let bytes = 0;
  const visit = (inside: string) => {
    for (const { name } of readdirSync(join(root, inside), { withFileTypes: true })) {
      const path = inside === "" ? name : `${inside}/${name}`;
      if (neverTests.has(name) || Object.hasOwn(shipped, path)) continue;
      const found = lstatSync(join(root, path));
      if (found.isDirectory()) {
        if (!isTakenOut(path)) visit(path);
      } else if (found.isFile() || (found.isSymbolicLink() && isFileInside(root, path))) {
        // Before it is read: what lies beside policies may be larger than all memory.
        bytes += statSync(join(root, path)).size;
        if (files.size >= maxFiles || bytes > maxBytes) throw tooMuch(folder);
        files.set(path, readFileSync(join(root, path)));
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
  const steps = relative(root, realpathSync(link)).split(sep);
  return steps[0] !== ".." && !steps.some((step) => neverTests.has(step));
}

function tooMuch(folder: string): PlatformError {
  return new PlatformError("tests-too-large", {
    what: `policy folder ${quoted(folder)} has more than ${maxFiles} files or ${maxBytes} bytes beside what it ships`,
    rule: "tests are text, and are read at every preview",
    fix: "move what is no test out of the folder",
  });
}
