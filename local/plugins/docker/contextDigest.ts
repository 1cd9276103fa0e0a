// The build context as one digest: the hidden input `build.contextDigest` by which a change of a file becomes a change of
// the resource. The bytes that are hashed are the official plugin's, so that the digest in a state stays true when the
// plugin is changed: Dockerfile first as "Dockerfile" with no mode, then every file by path; each is its path, its mode as
// Go prints it, the sha256 of its content and a zero byte.
import { createHash } from "node:crypto";
import { createReadStream, realpathSync, type Stats } from "node:fs";
import { lstat, readdir } from "node:fs/promises";
import { isAbsolute, join, relative } from "node:path";
import { pipeline } from "node:stream/promises";

/** A file or symbolic link of the context. */
export interface ContextFile {
  /** Relative to the context, with `/`. */
  readonly path: string;
  readonly absolute: string;
  readonly stats: Stats;
}

/** Everything in a folder that is no folder, in the order of a walk that sorts each folder by bytes of its names. */
export async function* contextFiles(folder: string, below = ""): AsyncGenerator<ContextFile> {
  const names = await readdir(join(folder, below));
  for (const name of names.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))) {
    const path = below === "" ? name : `${below}/${name}`;
    const absolute = join(folder, path);
    const stats = await lstat(absolute);
    if (stats.isDirectory()) yield* contextFiles(folder, path);
    else yield { path, absolute, stats };
  }
}

/** 64 hexadecimal characters. The mode counts: a checkout under another umask is another context. */
export async function contextDigest(context: string, dockerfile: string): Promise<string> {
  const total = createHash("sha256");
  const add = (path: string, mode: string, content: Buffer) =>
    total.update(path).update(mode).update(content).update("\0");
  add("Dockerfile", "----------", await contentHash(dockerfile));
  for await (const { path, absolute, stats } of contextFiles(context)) {
    const content = stats.isSymbolicLink()
      ? createHash("sha256").update(linkTarget(absolute)).digest()
      : stats.isFile()
        ? await contentHash(absolute)
        : createHash("sha256").digest();
    add(path, goMode(stats), content);
  }
  return total.digest("hex");
}

/** Where a link ends, relative when the context is: an absolute path would be another one in every checkout. */
function linkTarget(path: string): string {
  return isAbsolute(path) ? realpathSync(path) : relative(realpathSync("."), realpathSync(path));
}

async function contentHash(file: string): Promise<Buffer> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(file), hash);
  return hash.digest();
}

/** `-rw-r--r--`, `Lrwxrwxrwx`, `urwxr-xr-x`: fs.FileMode.String of Go, whose letters differ from those of ls. */
function goMode(stats: Stats): string {
  const { mode } = stats;
  const letters =
    (stats.isSymbolicLink() ? "L" : "") +
    (stats.isFIFO() ? "p" : "") +
    (stats.isSocket() ? "S" : "") +
    (mode & 0o4000 ? "u" : "") +
    (mode & 0o2000 ? "g" : "") +
    (mode & 0o1000 ? "t" : "");
  const bits = [..."rwxrwxrwx"].map((letter, index) => (mode & (0o400 >> index) ? letter : "-")).join("");
  return (letters === "" ? "-" : letters) + bits;
}
