// The build context on its way to the engine: a tar of the folder, owned by root.
import { createReadStream } from "node:fs";
import { readlink, realpath, stat } from "node:fs/promises";
import { relative, sep } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { type Header, type Pack, pack } from "tar-stream";
import { contextFiles } from "./contextDigest";

export interface ContextTar {
  readonly tar: Readable;
  /** Name of the Dockerfile in the tar. */
  readonly dockerfile: string;
  /** The Dockerfile relative to the context, `../` in front when it is outside: the resource's output. */
  readonly relativeDockerfile: string;
}

/** The name under which a Dockerfile from outside of the context is sent along. */
const outsideName = ".dockerfile.outside";

/** Packs a context. What goes wrong while files are read comes as an error of the stream. */
export async function contextTar(context: string, dockerfile: string): Promise<ContextTar> {
  const root = await realpath(context);
  const file = await realpath(dockerfile);
  const path = relative(root, file).split(sep).join("/");
  const outside = path.startsWith("../");
  const tar = pack();
  writeAll(tar, root, outside ? file : undefined).then(
    () => tar.finalize(),
    (error: Error) => tar.destroy(error),
  );
  return {
    tar: Readable.from(tar, { objectMode: false }),
    dockerfile: outside ? outsideName : path,
    relativeDockerfile: path,
  };
}

async function writeAll(tar: Pack, root: string, outsideDockerfile: string | undefined): Promise<void> {
  for await (const { path, absolute, stats } of contextFiles(root)) {
    const header = { name: path, mode: stats.mode & 0o7777, mtime: stats.mtime, uid: 0, gid: 0 };
    if (stats.isSymbolicLink()) tar.entry({ ...header, type: "symlink", linkname: await readlink(absolute) });
    else if (stats.isFile()) await writeFile(tar, { ...header, size: stats.size }, absolute);
  }
  if (outsideDockerfile !== undefined) {
    const { size } = await stat(outsideDockerfile);
    await writeFile(tar, { name: outsideName, mode: 0o600, size }, outsideDockerfile);
  }
}

async function writeFile(tar: Pack, header: Partial<Header> & { name: string }, file: string): Promise<void> {
  await pipeline(createReadStream(file), tar.entry(header));
}
