// Downloads that are kept in a cache under their checksum: verified before anything reads them where a pin names it.
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { open, stat } from "node:fs/promises";
import { join } from "node:path";
import { writeNamed } from "../cache";
import { PlatformError } from "../errors";
import { printable } from "../printable";
import { type Hop, requestFile, targetOf } from "./downloadRequest";
import { describe, transient } from "./failures";
import { contentLimits, defaultLimits, type Limits } from "./limits";
import { PartialDownload } from "./partialDownload";
import { retrying } from "./retry";
import type { Answer } from "./transport";

export interface DownloadOptions {
  /** Of the whole file, 64 hexadecimal characters in lower case. Absent: the download finds it out, as a first pin needs it. */
  readonly sha256?: string;
  /** Folder in which the file is kept under its checksum. */
  readonly to: string;
  /** Host of the address → address that takes its place, path included; the checksum keeps any mirror safe. */
  readonly mirrors?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  /** Default `contentLimits.downloadBytes`. */
  readonly maxBytes?: number;
  readonly log?: (text: string) => void;
  readonly limits?: Partial<Limits>;
}

/**
 * The path of a file with the given checksum, which is also its name there: from the cache (checked again: a disk may lie),
 * else downloaded, checked and renamed into place. A try that was cut is gone on with where the server allows it. No
 * credential is ever sent. Errors: `download-refused` (address, redirect), `download-missing` (404, 410), `download-failed`,
 * `download-not-a-file` (a web page, nothing), `download-encoded`, `download-too-large`, `checksum-mismatch`, `disk-full`.
 */
export async function download(url: string, options: DownloadOptions): Promise<string> {
  const { sha256, to, log } = options;
  if (sha256 !== undefined) {
    if (!/^[a-f0-9]{64}$/.test(sha256)) throw new TypeError(`${JSON.stringify(sha256)} is no sha256 checksum`);
    const path = join(to, sha256);
    const isFile = await stat(path).then(
      (found) => found.isFile(),
      () => false,
    );
    if (isFile && (await fileHash(path)) === sha256) return path;
  }

  const target = targetOf(url, options.mirrors ?? {});
  log?.(`downloading ${target.host}${target.pathname}`);
  const limits = { ...defaultLimits, ...options.limits };
  const end = AbortSignal.timeout(limits.downloadTime);
  const signal = options.signal ? AbortSignal.any([options.signal, end]) : end;
  const maxBytes = options.maxBytes ?? contentLimits.downloadBytes;
  const fetchTo = async (temporary: string): Promise<string> => {
    const part = new PartialDownload(await open(temporary, "wx"));
    const once = () => attempt({ target, limits, signal }, { part, sha256, maxBytes, log });
    return retrying(once, { limits, signal, log }).finally(() => part.close());
  };
  return writeNamed(to, fetchTo).catch((thrown) => {
    if (!end.aborted || options.signal?.aborted || thrown !== end.reason) throw thrown;
    throw error(
      "download-failed",
      `download of ${target.host}${target.pathname} did not end within ${Math.round(limits.downloadTime / 1000)} s`,
      "a download has a bounded time, all its tries together",
      "run again when the network is faster, or add a mirror for its host",
    );
  });
}

interface Wanted {
  readonly part: PartialDownload;
  readonly sha256?: string;
  readonly maxBytes: number;
  readonly log?: (text: string) => void;
}

/** Fetches what is missing of the file. Returns the checksum of the whole. */
async function attempt(hop: Hop, { part, sha256, maxBytes, log }: Wanted): Promise<string> {
  const answer = await requestFile(hop, part.wantedRange());
  await requireFile(answer);
  if (!(await part.begin(answer))) {
    await answer.discard();
    throw transient(failed(`${describe(answer)} does not go on where it was cut`, "run again"));
  }
  if (part.isGoingOn) log?.(`going on at ${part.size} bytes`);
  const tooLarge = () =>
    error(
      "download-too-large",
      `${describe(answer)} has more than ${maxBytes} bytes`,
      "a download has a bounded size",
      "check the address",
    );
  if (part.size + Number(answer.headers.get("content-length") ?? 0) > maxBytes) {
    await answer.discard();
    throw tooLarge();
  }
  for await (const chunk of answer.chunks()) {
    if (part.size + chunk.length > maxBytes) throw tooLarge();
    await part.add(chunk);
  }
  const found = part.checksum();
  if (found === sha256) return found;
  if (part.isWebPage || part.size === 0) throw notAFile(answer, part.size === 0 ? "nothing" : "a web page");
  if (sha256 === undefined) return found;
  const mismatch = error(
    "checksum-mismatch",
    `${describe(answer)} has the sha256 ${found}, not ${sha256}`,
    "a download is used only when it is the file that was pinned",
    "check who changed it; if the change is wanted, pin it again with policy-platform pin",
  );
  // Two parts of two files: from the beginning, it may well be right.
  if (!part.isGoingOn) throw mismatch;
  await part.restart();
  throw transient(mismatch);
}

/** What says already in its head that it is not the file. */
async function requireFile(answer: Answer): Promise<void> {
  const type = answer.headers.get("content-type") ?? "";
  const encoding = answer.headers.get("content-encoding") ?? "identity";
  if (/^(?:text\/html|application\/xhtml)/i.test(type)) {
    await answer.discard();
    throw notAFile(answer, `a web page (${printable(type)})`);
  }
  if (!/^(?:identity)?$/i.test(encoding)) {
    await answer.discard();
    throw error(
      "download-encoded",
      `${describe(answer)} gave the file in another form (content-encoding: ${printable(encoding)}), which it was asked not to`,
      "a checksum is about the file as it was published",
      "name another address of the same file, or add a mirror for its host",
    );
  }
}

function notAFile(answer: Answer, what: string): PlatformError {
  return error(
    "download-not-a-file",
    `${describe(answer)} gave ${what}`,
    "a release is a file",
    "open the address in a browser: it may ask for a login, or have moved",
  );
}

function failed(what: string, fix: string): PlatformError {
  return error("download-failed", what, "a pinned release must be where its address says", fix);
}

async function fileHash(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024 })) hash.update(chunk);
  return hash.digest("hex");
}

function error(code: string, what: string, rule: string, fix: string): PlatformError {
  return new PlatformError(code, { what, rule, fix });
}
