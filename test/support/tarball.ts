// Tar archives of any shape, hostile ones included, for tests.
import { type Header, pack } from "tar-stream";

export type TarItem = Partial<Header> & { readonly name: string; readonly content?: string | Buffer };

/** Written by tar-stream, so that our reader is not tested against our own writer. */
export async function tarball(...items: readonly TarItem[]): Promise<Buffer> {
  const writer = pack();
  const chunks: Buffer[] = [];
  const done = (async () => {
    for await (const chunk of writer) chunks.push(chunk as Buffer);
  })();
  for (const { content = "", ...header } of items) writer.entry(header, Buffer.from(content));
  writer.finalize();
  await done;
  return Buffer.concat(chunks);
}
