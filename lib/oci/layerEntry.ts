// One file of a layer, whatever it is read from.
import type { Readable } from "node:stream";
import type { Digest } from "./digest";

/** One file of a layer. */
export interface LayerEntry {
  /** Absolute in the image: `/repos/x/a.yaml`. */
  readonly path: string;
  /** True: mode 0755, else 0644. */
  readonly executable: boolean;
  /** Bytes. */
  readonly size: number;
  /** The content, each time from its beginning. */
  open(): Readable | Buffer;
  /** The content's digest where it is known: other content is refused. */
  readonly sha256?: Digest;
}
