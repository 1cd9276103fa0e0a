// What helm rendered, by the digest of what it was rendered from: the gate renders anyway, and whoever publishes need not do it again.
import { readFile, rm, writeFile } from "node:fs/promises";
import { cacheFolder, writeByRename } from "../cache";
import { canonicalJson } from "../canonicalJson";
import { type Digest, sha256 } from "../oci/digest";

interface Rendered {
  /** Of the files: half a file or one that was touched is none. */
  readonly digest: Digest;
  /** Path in the artifact → text. */
  readonly files: Readonly<Record<string, string>>;
}

/** The files that `render`, a digest of inputs, stands for; undefined where nobody rendered them on this machine. */
export async function recallRendered(render: Digest): Promise<ReadonlyMap<string, Buffer> | undefined> {
  try {
    const { digest, files } = JSON.parse(await readFile(fileOf(render), "utf8")) as Rendered;
    if (sha256(canonicalJson(files)) !== digest) return undefined;
    return new Map(Object.entries(files).map(([path, text]) => [path, Buffer.from(text)]));
  } catch {
    return undefined;
  }
}

/** A memory that cannot be written is no error: it only saves work. */
export async function rememberRendered(render: Digest, files: ReadonlyMap<string, Buffer>): Promise<void> {
  const texts = Object.fromEntries([...files].map(([path, content]) => [path, content.toString("utf8")]));
  const rendered: Rendered = { digest: sha256(canonicalJson(texts)), files: texts };
  const write = (temporary: string) => writeFile(temporary, JSON.stringify(rendered));
  await writeByRename(fileOf(render), write).catch(() => undefined);
}

/** For what was not equal to what the gate rendered: it is rendered again. */
export async function forgetRendered(render: Digest): Promise<void> {
  await rm(fileOf(render), { force: true });
}

function fileOf(render: Digest): string {
  return cacheFolder("rendered", `${render.slice("sha256:".length)}.json`);
}
