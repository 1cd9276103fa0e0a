// Downloads that are kept in a cache under their checksum: verified before anything reads them where a pin names it.
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { open, stat } from "node:fs/promises";
import { join } from "node:path";
import { writeNamed } from "../cache";
import { PlatformError } from "../errors";
import { printable } from "../printable";
import { describe, transient, transientHint } from "./failures";
import { isLoopback, refuseHop } from "./hosts";
import { contentLimits, defaultLimits, type Limits } from "./limits";
import { parseRetryAfter, retrying } from "./retry";
import { type Answer, send } from "./transport";

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
 * else downloaded, checked and renamed into place. No credential is ever sent. Errors: `download-refused` (address, redirect), `download-missing` (404, 410),
 * `download-failed`, `download-not-a-file` (a web page), `download-too-large`, `checksum-mismatch`, `disk-full`.
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

  const target = mirrored(url, options.mirrors ?? {});
  log?.(`downloading ${target.host}${target.pathname}`);
  const limits = { ...defaultLimits, ...options.limits };
  const job: Job = {
    target,
    sha256,
    limits,
    maxBytes: options.maxBytes ?? contentLimits.downloadBytes,
    signal: options.signal,
  };
  return retrying(() => writeNamed(to, (temporary) => fetchTo(job, temporary)), {
    limits,
    signal: options.signal,
    log,
  });
}

/**
 * The first address that a page redirects to and that `until` takes; undefined when it leads nowhere such. Only heads are read, and no
 * other host is asked. Errors: `download-refused`, `download-failed`.
 */
export async function redirectedTo(
  url: string,
  until: (target: URL) => boolean,
  options: Pick<DownloadOptions, "mirrors" | "signal" | "limits"> = {},
): Promise<URL | undefined> {
  const { signal } = options;
  const limits = { ...defaultLimits, ...options.limits };
  const first = mirrored(url, options.mirrors ?? {});
  const locationOf = async (at: URL) => {
    const answer = await send({ method: "GET", url: at, headers: { accept: "text/html" }, limits, signal }).catch(
      (thrown) => {
        throw asDownload(thrown, at);
      },
    );
    await answer.discard();
    if (answer.status === 429 || answer.status >= 500) throw failed(answer);
    const location = answer.status >= 300 && answer.status <= 399 ? answer.headers.get("location") : null;
    return location !== null && URL.canParse(location, at.href) ? new URL(location, at) : undefined;
  };
  let at: URL | undefined = first;
  for (let hops = 0; at?.host === first.host && hops <= limits.redirects; hops++) {
    const from: URL = at;
    at = await retrying(() => locationOf(from), { limits, signal });
    if (at && until(at)) return at;
  }
  return undefined;
}

interface Job {
  readonly target: URL;
  readonly sha256?: string;
  readonly limits: Limits;
  readonly maxBytes: number;
  readonly signal?: AbortSignal;
}

function mirrored(url: string, mirrors: Readonly<Record<string, string>>): URL {
  if (!URL.canParse(url)) throw refused(url, "it is no address");
  const original = new URL(url);
  const mirror = Object.hasOwn(mirrors, original.host) ? mirrors[original.host] : undefined;
  const problem = refuseHop(new URL("http://localhost"), original, []);
  if (mirror === undefined && problem !== undefined) throw refused(url, problem);
  if (mirror === undefined) return original;
  if (!URL.canParse(mirror)) throw refused(mirror, "the mirror is no address");
  const target = new URL(mirror);
  if (!/^https?:$/.test(target.protocol) || target.username !== "" || target.password !== "")
    throw refused(mirror, "the mirror is no plain http or https address");
  target.pathname = `${target.pathname.replace(/\/$/, "")}${original.pathname}`;
  target.search = original.search;
  return target;
}

/** Returns the checksum of what was written. */
async function fetchTo(job: Job, temporary: string): Promise<string> {
  const { sha256, maxBytes } = job;
  const answer = await follow(job);
  const type = answer.headers.get("content-type") ?? "";
  if (/^(?:text\/html|application\/xhtml)/i.test(type)) {
    await answer.discard();
    throw error(
      "download-not-a-file",
      `${describe(answer)} gave a web page (${printable(type)})`,
      "a release is a file",
      "open the address in a browser: it may ask for a login, or have moved",
    );
  }
  const length = Number(answer.headers.get("content-length") ?? 0);
  const hash = createHash("sha256");
  let size = 0;
  const tooLarge = () =>
    error(
      "download-too-large",
      `${describe(answer)} has more than ${maxBytes} bytes`,
      "a download has a bounded size",
      "check the address",
    );
  if (length > maxBytes) {
    await answer.discard();
    throw tooLarge();
  }
  const file = await open(temporary, "wx");
  try {
    for await (const chunk of answer.chunks()) {
      size += chunk.length;
      if (size > maxBytes) throw tooLarge();
      hash.update(chunk);
      await file.writeFile(chunk);
    }
  } catch (thrown) {
    throw asDownload(thrown, answer.url);
  } finally {
    await file.close();
  }
  const found = hash.digest("hex");
  if (sha256 !== undefined && found !== sha256) {
    throw error(
      "checksum-mismatch",
      `${describe(answer)} has the sha256 ${found}, not ${sha256}`,
      "a download is used only when it is the file that was pinned",
      "check who changed it; if the change is wanted, pin it again with policy-platform pin",
    );
  }
  return found;
}

/** The answer with the file; a redirect to another host must be https, unless this machine is where we came from. */
async function follow({ target, limits, signal }: Job): Promise<Answer> {
  let url = target;
  for (let hops = 0; hops <= 2 * limits.redirects; hops++) {
    const answer = await send({ method: "GET", url, headers: { accept: "*/*" }, limits, signal }).catch((thrown) => {
      throw asDownload(thrown, url);
    });
    const location = answer.headers.get("location");
    if (answer.status === 200) return answer;
    await answer.discard();
    if (answer.status < 300 || answer.status > 399 || location === null) throw failed(answer);
    if (!URL.canParse(location, url.href)) throw refused(url.href, "it redirects to what is no address");
    const next = new URL(location, url);
    const problem = next.host === url.host && next.protocol === url.protocol ? undefined : refuseHop(url, next, []);
    if (problem !== undefined) throw refused(next.href, problem);
    url = next;
  }
  throw refused(target.href, "it redirects without end");
}

function failed(answer: Answer): PlatformError {
  const { status } = answer;
  const what = `${describe(answer)} answered ${status}`;
  if (status === 404 || status === 410)
    return error(
      "download-missing",
      what,
      "a pinned release must be where its address says",
      "check the address, or add a mirror for its host",
    );
  const failure = error(
    "download-failed",
    what,
    "a pinned release must be where its address says",
    "run again later, or add a mirror for its host",
  );
  const passing = status === 408 || status === 429 || status >= 500;
  return passing ? transient(failure, { retryAfter: parseRetryAfter(answer.headers.get("retry-after")) }) : failure;
}

/** The transport speaks of registries; here the other side is whoever keeps a release. */
function asDownload(thrown: unknown, url: URL): unknown {
  if (!(thrown instanceof PlatformError) || thrown.code !== "registry-unavailable") return thrown;
  const { what } = thrown.problem;
  const fix = isLoopback(url.host)
    ? "check that something listens there"
    : `check that ${url.host} can be reached from here, or add a mirror for it`;
  const failure = new PlatformError(
    "download-failed",
    { what, rule: "a pinned release must be where its address says", fix },
    { cause: thrown },
  );
  const hint = transientHint(thrown);
  return hint === undefined ? failure : transient(failure, hint);
}

async function fileHash(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024 })) hash.update(chunk);
  return hash.digest("hex");
}

function refused(url: string, why: string): PlatformError {
  const shown = URL.canParse(url) ? `${new URL(url).host}${new URL(url).pathname}` : JSON.stringify(url);
  return error(
    "download-refused",
    `download of ${printable(shown)} refused: ${why}`,
    "downloads come over https, without a password in the address",
    "correct the address",
  );
}

function error(code: string, what: string, rule: string, fix: string): PlatformError {
  return new PlatformError(code, { what, rule, fix });
}
