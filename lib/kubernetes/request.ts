// One request to an API server: abortable, within time, its answer read within bounds.
import { type ClientRequest, request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import type { Socket } from "node:net";
import type { Connection } from "./connection";
import { type Asked, malformed, slow, unreachable } from "./errors";

export interface ApiRequest {
  readonly method: "GET" | "PATCH" | "POST" | "DELETE";
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly contentType?: string;
  readonly body?: unknown;
}

export interface ApiAnswer {
  readonly status: number;
  /** The parsed body; `undefined` where it is no JSON, which errors of proxies and of unknown paths are not. */
  readonly body: unknown;
  readonly retryAfter?: number;
  /** Texts of `Warning` headers, such as that a version is deprecated. */
  readonly warnings: readonly string[];
}

export interface RequestLimits {
  /** Milliseconds until a connection is there. */
  readonly connectMs: number;
  /** Milliseconds until the answer is there whole. */
  readonly answerMs: number;
}

/** The most that is read of one answer; an object has at most 1.5 MiB, a page of a list at most 500 of them. */
const maxBytes = 64 * 1024 * 1024;
/** JSON deeper than this is nobody's object, and what walks it would run out of stack. */
const maxDepth = 300;

/** Resolves with the answer whatever its status is. An abort of `signal` rejects with its reason. */
export async function send(
  connection: Connection,
  wanted: ApiRequest,
  limits: RequestLimits,
  signal?: AbortSignal,
): Promise<ApiAnswer> {
  signal?.throwIfAborted();
  const asked: Asked = { server: connection.server.origin, method: wanted.method, path: wanted.path };
  const timer = new AbortController();
  let isConnected = false;
  const late = () =>
    timer.abort(isConnected ? slow(asked, limits.answerMs / 1000) : unreachable(asked, { code: "ETIMEDOUT" }));
  const connecting = setTimeout(() => isConnected || late(), limits.connectMs);
  const answering = setTimeout(late, limits.answerMs);
  const either = signal ? AbortSignal.any([signal, timer.signal]) : timer.signal;
  const onConnected = () => {
    isConnected = true;
  };
  try {
    const answer = await exchange(connection, wanted, either, onConnected).catch((error: unknown) => {
      // A kept connection that the server closed meanwhile says nothing about the server; every request here may be sent twice.
      if (error instanceof Stale && !either.aborted) return exchange(connection, wanted, either, onConnected);
      throw error;
    });
    return await read(asked, answer);
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    if (timer.signal.aborted) throw timer.signal.reason;
    if (error instanceof Stale) throw unreachable(asked, error.cause);
    const { code } = error as NodeJS.ErrnoException;
    throw code === undefined || (error as { problem?: unknown }).problem ? error : unreachable(asked, error);
  } finally {
    clearTimeout(connecting);
    clearTimeout(answering);
  }
}

class Stale extends Error {}

function exchange(
  { server, agent, headers, tls }: Connection,
  { method, path, query = {}, contentType, body }: ApiRequest,
  signal: AbortSignal,
  onConnected: () => void,
): Promise<IncomingMessage> {
  const parameters = new URLSearchParams(
    Object.entries(query).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, String(value)] as [string, string]],
    ),
  );
  const text = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
  return new Promise((resolve, reject) => {
    const outgoing: ClientRequest = (server.protocol === "http:" ? httpRequest : httpsRequest)({
      ...tls,
      agent,
      signal,
      method,
      host: server.hostname.replace(/^\[|\]$/g, ""),
      port: server.port || (server.protocol === "http:" ? 80 : 443),
      path: `${server.pathname.replace(/\/$/, "")}${path}${parameters.size > 0 ? `?${parameters}` : ""}`,
      headers: {
        accept: "application/json",
        "user-agent": "policy-platform",
        ...(text ? { "content-type": contentType ?? "application/json", "content-length": text.length } : {}),
        ...headers,
      },
    });
    outgoing.on("socket", (socket: Socket & { readonly secureConnecting?: boolean }) => {
      // One that was kept, or that a proxy's agent has made, is there already.
      if (!socket.connecting && socket.secureConnecting !== true) onConnected();
      else socket.once(server.protocol === "http:" ? "connect" : "secureConnect", onConnected);
    });
    outgoing.on("response", resolve);
    outgoing.on("error", (cause: NodeJS.ErrnoException) =>
      reject(outgoing.reusedSocket && cause.code === "ECONNRESET" ? new Stale("stale", { cause }) : cause),
    );
    outgoing.end(text);
  });
}

async function read(asked: Asked, answer: IncomingMessage): Promise<ApiAnswer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBytes) throw malformed(asked, `more than ${maxBytes / 2 ** 20} MiB`);
    chunks.push(chunk);
  }
  const status = answer.statusCode ?? 0;
  const body = parsed(Buffer.concat(chunks).toString());
  if (body !== undefined && isTooDeep(body)) throw malformed(asked, `JSON deeper than ${maxDepth}`);
  if (body === undefined && status < 300) throw malformed(asked, "no JSON");
  const after = Number(answer.headers["retry-after"]);
  return {
    status,
    body,
    ...(Number.isFinite(after) ? { retryAfter: after * 1000 } : {}),
    warnings: warnings(answer.headers.warning),
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isTooDeep(value: unknown): boolean {
  let level: unknown[] = [value];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > maxDepth) return true;
    const next: unknown[] = [];
    for (const one of level)
      if (typeof one === "object" && one !== null) for (const child of Object.values(one)) next.push(child);
    level = next;
  }
  return false;
}

/** RFC 7234 5.5: `299 - "text"`, several separated by commas. */
function warnings(header: string | string[] | undefined): string[] {
  const text = [header ?? []].flat().join(", ").slice(0, 8192);
  return [...text.matchAll(/299 \S+ "((?:[^"\\]|\\.)*)"/g)].map(([, words]) => words!.replace(/\\(.)/g, "$1"));
}
