// A download on its way to the disk, which may be cut and gone on with.
import { createHash, type Hash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import type { Answer } from "./transport";

/** Below this, to go on saves nothing. */
const worthGoingOn = 64 * 1024;
/** Kept of the beginning, to tell a web page. */
const headBytes = 512;

/** What of a file is on the disk, and how the rest can be asked for. */
export class PartialDownload {
  #size = 0;
  #hash: Hash = createHash("sha256");
  #head = Buffer.alloc(0);
  /** Names these very bytes on the server; undefined where it names none, or does not give parts. */
  #etag: string | undefined;
  #goingOn = false;

  constructor(private readonly file: FileHandle) {}

  /** Bytes that are there. */
  get size(): number {
    return this.#size;
  }

  /** Whether the bytes come from more than one answer. */
  get isGoingOn(): boolean {
    return this.#goingOn;
  }

  /** By its first bytes, whatever the server calls it. */
  get isWebPage(): boolean {
    return /^\s*(?:<!doctype html|<html|<head|<\?xml)/i.test(this.#head.toString("latin1"));
  }

  /** Headers that ask for the rest, if it is still of the same file (RFC 9110, 13.1.5); none to ask for the whole. */
  wantedRange(): Readonly<Record<string, string>> {
    return this.#etag !== undefined && this.#size >= worthGoingOn
      ? { range: `bytes=${this.#size}-`, "if-range": this.#etag }
      : {};
  }

  /** Makes ready for the body of an answer, the whole file or its rest; false where it is neither. */
  async begin(answer: Answer): Promise<boolean> {
    if (answer.status !== 206) await this.restart();
    else if (answer.headers.get("content-range")?.startsWith(`bytes ${this.#size}-`)) this.#goingOn = true;
    else {
      await this.restart();
      return false;
    }
    const etag = answer.headers.get("etag") ?? "";
    const givesParts = answer.status === 206 || answer.headers.get("accept-ranges") === "bytes";
    // A weak one (`W/"…"`) may name other bytes too.
    this.#etag = givesParts && /^"[\x21\x23-\x7e]+"$/.test(etag) ? etag : undefined;
    return true;
  }

  async add(chunk: Uint8Array): Promise<void> {
    if (this.#head.length < headBytes)
      this.#head = Buffer.concat([this.#head, chunk.subarray(0, headBytes - this.#head.length)]);
    // At its place: a write that was cut leaves no gap and no byte too many.
    for (let done = 0; done < chunk.length; )
      done += (await this.file.write(chunk, done, chunk.length - done, this.#size + done)).bytesWritten;
    this.#hash.update(chunk);
    this.#size += chunk.length;
  }

  /** Of all bytes that are there. */
  checksum(): string {
    return this.#hash.copy().digest("hex");
  }

  /** Forgets what is there. */
  async restart(): Promise<void> {
    await this.file.truncate(0);
    this.#size = 0;
    this.#hash = createHash("sha256");
    this.#head = Buffer.alloc(0);
    this.#etag = undefined;
    this.#goingOn = false;
  }

  close(): Promise<void> {
    return this.file.close();
  }
}
