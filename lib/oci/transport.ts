// One HTTP request over fetch: time limits, bodies of any size in flat memory, answers read within bounds.
import { Readable } from "node:stream";
import { badAnswer, type Exchanged, unreachable } from "./failures";
import type { Limits } from "./limits";

/** A request body; a stream names its exact size, as registries and proxies buffer or refuse chunked uploads. */
export type RequestBody =
  | { readonly bytes: Uint8Array }
  | { readonly size: number; readonly stream: AsyncIterable<Uint8Array> };

export interface TransportRequest extends Exchanged {
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: RequestBody;
  readonly limits: Limits;
  readonly signal?: AbortSignal;
}

/** An answer whose body is still to be read; read it, stream it or discard it, else its connection stays open. */
export interface Answer extends Exchanged {
  readonly status: number;
  readonly headers: Headers;
  /** The whole body; more than `max` bytes is an error. */
  bytes(max: number): Promise<Buffer>;
  /** At most `max` bytes of the body, for error texts; never fails. */
  beginning(max: number): Promise<string>;
  /** The body in chunks. A connection that is cut or idle for too long is an error. */
  chunks(): AsyncGenerator<Uint8Array, void, undefined>;
  discard(): Promise<void>;
}

/** Aborts what `signal` guards when nothing moves for the time set last. */
interface Watch {
  readonly signal: AbortSignal;
  /** Starts anew with `milliseconds` to go. */
  within(milliseconds: number, what: string): void;
  /** Stands still while it is our own turn to move. */
  pause(): void;
  stop(): void;
}

function watch(outer: AbortSignal | undefined): Watch {
  const controller = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const forward = () => controller.abort(outer?.reason);
  if (outer?.aborted) forward();
  outer?.addEventListener("abort", forward, { once: true });
  return {
    signal: controller.signal,
    within(milliseconds, what) {
      clearTimeout(timer);
      timer = setTimeout(
        () => controller.abort(new Error(`${what} for ${Math.round(milliseconds / 1000)} s`)),
        milliseconds,
      );
    },
    pause: () => clearTimeout(timer),
    stop() {
      clearTimeout(timer);
      outer?.removeEventListener("abort", forward);
    },
  };
}

/**
 * Sends one request and resolves with the head of the answer, whatever its status; redirects are not followed.
 * A conversation without an answer is a `registry-unavailable`; an abort of `signal` rejects with its reason.
 */
export async function send(request: TransportRequest): Promise<Answer> {
  const { method, url, limits, signal } = request;
  const guard = watch(signal);
  let sourceError: unknown;
  const settle = (error: unknown): unknown => {
    guard.stop();
    if (signal?.aborted) return signal.reason;
    return sourceError ?? unreachable(request, guard.signal.aborted ? guard.signal.reason : error);
  };

  async function* watchedBody(stream: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    const source = stream[Symbol.asyncIterator]();
    const next = () =>
      source.next().catch((error: unknown) => {
        sourceError = error;
        throw error;
      });
    try {
      guard.pause();
      for (let chunk = await next(); chunk.done !== true; chunk = await next()) {
        guard.within(limits.idleTime, "no byte was taken");
        yield chunk.value;
        guard.pause();
      }
      guard.within(limits.commitTime, "no answer to the upload");
    } finally {
      await source.return?.();
    }
  }

  const { body } = request;
  guard.within(limits.answerTime, "no answer");
  const headers: Record<string, string> = {
    "user-agent": "policy-platform",
    "accept-encoding": "identity",
    ...request.headers,
  };
  let init: RequestInit & { duplex?: "half" } = { method, headers, signal: guard.signal, redirect: "manual" };
  if (body !== undefined && "bytes" in body) init = { ...init, body: body.bytes as RequestInit["body"] };
  if (body !== undefined && "stream" in body) {
    headers["content-length"] = String(body.size);
    // fetch keeps a second copy of the body for redirects (whole layers in memory) unless redirects are errors and
    // there is no window: the condition of the fetch standard, "HTTP-network-or-cache fetch", step 3.
    const flat = { redirect: "error" as const, window: null };
    init = {
      ...init,
      ...flat,
      body: Readable.from(watchedBody(body.stream), { objectMode: false }) as unknown as RequestInit["body"],
      duplex: "half",
    };
  }

  let response: Response;
  try {
    response = await fetch(url, init);
  } catch (error) {
    throw settle(error);
  }
  return {
    method,
    url,
    status: response.status,
    headers: response.headers,
    ...reader(request, response, guard, settle),
  };
}

function reader(
  request: TransportRequest,
  response: Response,
  guard: Watch,
  settle: (error: unknown) => unknown,
): Pick<Answer, "bytes" | "beginning" | "chunks" | "discard"> {
  const { limits } = request;
  if (response.body === null) guard.stop();
  else guard.within(limits.idleTime, "no byte of the answer came");

  async function* chunks(): AsyncGenerator<Uint8Array, void, undefined> {
    if (response.body === null) return;
    try {
      for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
        guard.pause();
        yield chunk;
        guard.within(limits.idleTime, "no byte of the answer came");
      }
    } catch (error) {
      throw settle(error);
    } finally {
      guard.stop();
    }
  }

  async function bytes(max: number): Promise<Buffer> {
    const kept: Uint8Array[] = [];
    let size = 0;
    for await (const chunk of chunks()) {
      size += chunk.length;
      if (size > max) throw badAnswer(request, `more than ${max} bytes`);
      kept.push(chunk);
    }
    return Buffer.concat(kept);
  }

  async function beginning(max: number): Promise<string> {
    const kept: Uint8Array[] = [];
    let size = 0;
    try {
      for await (const chunk of chunks()) {
        kept.push(chunk);
        size += chunk.length;
        if (size >= max) break;
      }
    } catch {
      // what came before the fault is all that an error text needs
    }
    return Buffer.concat(kept).subarray(0, max).toString();
  }

  async function discard(): Promise<void> {
    await beginning(limits.errorBytes);
  }

  return { bytes, beginning, chunks, discard };
}
