// Which paths a layer may hold, and which may stand beside each other.
import { PlatformError } from "../errors";
import { quoted } from "../printable";
import { contentLimits } from "./limits";

/**
 * Refuses what some file system, shell or registry reader would read otherwise: relative parts, control characters,
 * backslashes, text that is no Unicode, overlong names. `shown` is what the user knows the file as. Error: `layer-path`.
 */
export function checkPath(path: string, shown: string = path): void {
  if (!path.startsWith("/") || path.length < 2) throw refused(shown, "it is not an absolute path in the image");
  const names = path.slice(1).split("/");
  if (names.some((name) => name === "" || name === "." || name === ".."))
    throw refused(shown, "it holds an empty part, . or ..");
  if (/[\p{Cc}\u2028\u2029]/u.test(path)) throw refused(shown, "it holds a control character");
  if (path.includes("\\")) throw refused(shown, "it holds a backslash");
  if (Buffer.from(path).toString() !== path) throw refused(shown, "it is not valid Unicode");
  if (names.some((name) => name.startsWith(".wh.")))
    throw refused(shown, "names that begin with .wh. delete files in images");
  if (names.some((name) => Buffer.byteLength(name) > contentLimits.nameBytes))
    throw refused(shown, `a name in it is longer than ${contentLimits.nameBytes} bytes`);
  if (Buffer.byteLength(path) > contentLimits.pathBytes)
    throw refused(shown, `it is longer than ${contentLimits.pathBytes} bytes`);
}

/**
 * All folders above the files, each once; refuses a path that is there twice, a file where a folder must be, and names that
 * differ in case or in Unicode normalisation only, as some file systems hold but one of them. Error: `layer-collision`.
 */
export function parentFolders(paths: readonly string[]): string[] {
  const seen = new Map<string, string>();
  const folders = new Set<string>();
  const note = (path: string) => {
    const key = path.normalize("NFC").toLowerCase().normalize("NFC");
    const other = seen.get(key);
    if (other !== undefined) throw collision(other, path);
    seen.set(key, path);
  };
  for (const path of paths) note(path);
  for (const path of paths) {
    for (let slash = path.lastIndexOf("/"); slash > 0; slash = path.lastIndexOf("/", slash - 1)) {
      const folder = path.slice(0, slash);
      if (folders.has(folder)) break;
      folders.add(folder);
      note(folder);
    }
  }
  return [...folders];
}

function refused(path: string, why: string): PlatformError {
  return new PlatformError("layer-path", {
    what: `path ${quoted(path)} cannot be part of an image: ${why}`,
    rule: "paths in an image are plain, absolute and the same for every reader",
    fix: "rename it, or leave it out with .policyignore",
  });
}

function collision(one: string, other: string): PlatformError {
  const [first, second] = [one, other].sort();
  return new PlatformError("layer-collision", {
    what:
      first === second
        ? `path ${quoted(one)} is there twice, or both as file and as folder`
        : `paths ${quoted(first!)} and ${quoted(second!)} differ in case or in Unicode normalisation only`,
    rule: "each path in an image is one file on every file system",
    fix: "rename one of them, or leave it out with .policyignore",
  });
}
