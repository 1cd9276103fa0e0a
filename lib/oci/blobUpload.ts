// Uploads of blobs: found, mounted, or sent whole in one PUT (distribution specification, "Pushing blobs").
import { createReadStream } from "node:fs";
import type { Readable } from "node:stream";
import { PlatformError } from "../errors";
import { repositoryScope } from "./challenge";
import { type Digest, sha256 } from "./digest";
import { badAnswer, refusal, transient } from "./failures";
import { isSameRegistry, refuseHop } from "./hosts";
import { formatReference, type Repository } from "./reference";
import type { Session } from "./session";
import type { Answer, RequestBody } from "./transport";
import { verified } from "./verified";

/** Where a blob's bytes come from; a stream is opened anew for each try. */
export type BlobSource =
  | { readonly bytes: Uint8Array }
  | { readonly file: string }
  | { readonly stream: () => Promise<{ readonly size: number; readonly stream: Readable }> };

export interface PushOptions {
  /** A repository that may hold the blob already; `"any"` lets the registry look for itself. Default: no mount is tried. */
  readonly mountFrom?: Repository | "any";
  /** The blob is hardly there: a mount from a named repository is tried before it is asked for. Default false. */
  readonly likelyAbsent?: boolean;
  /** Uploads although the registry says that the blob is there: for one whose storage disagrees with its index. */
  readonly force?: boolean;
}

export type PushResult = "present" | "mounted" | "uploaded";

/** One try; `present` asks whether the blob is there. */
export async function pushBlob(
  session: Session,
  repository: Repository,
  { digest, size }: { readonly digest: Digest; readonly size: number },
  source: BlobSource,
  { mountFrom, likelyAbsent = false, force = false }: PushOptions,
  present: () => Promise<boolean>,
): Promise<PushResult> {
  const mount = force ? undefined : mountQuery(repository, digest, mountFrom);
  const mountFirst = likelyAbsent && mount !== undefined && mountFrom !== "any";
  if (!force && !mountFirst && (await present())) return "present";
  const started = await start(session, repository, mount, mountFrom);
  if (started.status === 201 && mount !== undefined) return "mounted";
  if (mountFirst && (await present())) return "present";
  await upload(session, repository, locationOf(session, started), { digest, size }, source);
  return "uploaded";
}

function mountQuery(to: Repository, digest: Digest, from: PushOptions["mountFrom"]): URLSearchParams | undefined {
  if (from === undefined) return undefined;
  if (from === "any") return new URLSearchParams({ mount: digest });
  if (!isSameRegistry(from.registry, to.registry) || from.path === to.path) return undefined;
  return new URLSearchParams({ mount: digest, from: from.path });
}

/** Opens an upload. A registry that will not mount opens one instead (202); one that refuses even to try is asked without. */
async function start(
  session: Session,
  { registry, path }: Repository,
  mount: URLSearchParams | undefined,
  from: PushOptions["mountFrom"],
): Promise<Answer> {
  const url = session.address(registry, `${path}/blobs/uploads/`);
  const post = async (query: URLSearchParams | undefined, scopes: readonly string[], expect: readonly number[]) => {
    const target = new URL(url);
    target.search = query?.toString() ?? "";
    const answer = await session.exchange({
      method: "POST",
      registry,
      url: target,
      scopes,
      body: () => ({ bytes: new Uint8Array() }),
      expect,
    });
    await answer.discard();
    return answer;
  };
  const push = repositoryScope(path, "push");
  if (mount !== undefined) {
    const pull = from !== undefined && from !== "any" ? [repositoryScope(from.path, "pull")] : [];
    const answer = await post(mount, [push, ...pull], [201, 202, 400, 404, 405]);
    if (answer.status === 201 || answer.status === 202) return answer;
  }
  return post(undefined, [push], [202]);
}

/**
 * The address to upload to. It may be relative, or on another host (storage behind the registry): that host gets the bytes
 * and never a credential. Behind a proxy that ends TLS, registries name themselves by http: their host keeps its https.
 */
function locationOf(session: Session, answer: Answer): URL {
  const text = answer.headers.get("location") ?? "";
  if (text === "" || !URL.canParse(text, answer.url.href)) throw badAnswer(answer, "an upload without a location");
  const location = new URL(text, answer.url);
  if (location.host === answer.url.host) location.protocol = answer.url.protocol;
  const refused = refuseHop(answer.url, location, session.insecure);
  if (refused !== undefined) throw badAnswer(answer, `its upload location on ${location.host} is not used: ${refused}`);
  return location;
}

async function upload(
  session: Session,
  repository: Repository,
  location: URL,
  expected: { digest: Digest; size: number },
  source: BlobSource,
): Promise<void> {
  // Appended as text: searchParams would write the rest anew, and what a registry signed must stay as it is.
  const url = new URL(location);
  url.search = `${location.search === "" ? "?" : `${location.search}&`}digest=${encodeURIComponent(expected.digest)}`;
  const answer = await session.exchange({
    method: "PUT",
    registry: repository.registry,
    url,
    scopes: [repositoryScope(repository.path, "push")],
    headers: { "content-type": "application/octet-stream" },
    body: () => bodyOf(source, expected, repository),
    // 404 and 416 say that the upload was forgotten, 400 that its bytes did not arrive as they were sent.
    expect: [201, 204, 400, 404, 416],
  });
  if (answer.status >= 400) {
    const text = await answer.beginning(session.limits.errorBytes);
    const error = refusal(answer, answer.status, text);
    throw answer.status !== 400 || /"(?:DIGEST|SIZE|BLOB_UPLOAD)_(?:INVALID|UNKNOWN)"/.test(text)
      ? transient(error)
      : error;
  }
  await answer.discard();
  const stored = answer.headers.get("docker-content-digest");
  if (stored !== null && stored !== expected.digest)
    throw badAnswer(answer, `the blob ${expected.digest} was stored as ${stored}`);
}

async function bodyOf(
  source: BlobSource,
  expected: { digest: Digest; size: number },
  repository: Repository,
): Promise<RequestBody> {
  const changed = (why: string) =>
    new PlatformError("source-changed", {
      what: `what was to be pushed to ${formatReference(repository)} as ${expected.digest} is not that any more: ${why}`,
      rule: "content must stay as it is from when its digest was taken until it is pushed",
      fix: "run again when nothing writes there",
    });
  if ("bytes" in source) {
    if (source.bytes.length !== expected.size || sha256(source.bytes) !== expected.digest) throw changed("other bytes");
    return { bytes: source.bytes };
  }
  if ("file" in source) return { size: expected.size, stream: verified(fileChunks(source.file), expected, changed) };
  const { size, stream } = await source.stream();
  stream.on("error", () => undefined); // read again, and thrown, where the stream is read
  if (size !== expected.size) {
    stream.destroy();
    throw changed(`${size} bytes instead of ${expected.size}`);
  }
  return { size, stream: verified(stream, expected, changed) };
}

/** Opened when the first byte is wanted: a request that is never sent leaves no file open. */
async function* fileChunks(file: string): AsyncGenerator<Uint8Array, void, undefined> {
  yield* createReadStream(file, { highWaterMark: 256 * 1024 }) as AsyncIterable<Uint8Array>;
}
