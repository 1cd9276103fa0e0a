// A loopback HTTP server with scripted answers that records every request; also a fault proxy in front of a real registry.
import { readFileSync } from "node:fs";
import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";

export interface RecordedRequest {
  readonly method: string;
  /** Path with query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Buffer;
  /** 0 for the first request of the server. */
  readonly index: number;
}

export interface ScriptedAnswer {
  /** Default 200. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  /** Closes the connection without an answer. */
  readonly reset?: boolean;
  /** Closes the connection after so many bytes of the body, of which the head announces all. */
  readonly cutAfter?: number;
  /** Milliseconds before the answer. */
  readonly delay?: number;
  /** Asks the real server, and changes its answer before it is passed on. */
  readonly forward?: boolean;
  /** Answers as soon as the head of the request is there, leaves its body unread and closes half a second later, as Go's servers do. */
  readonly early?: boolean;
}

/** `"forward"` passes a request on to `forwardTo` unchanged. */
export type Script = (request: RecordedRequest) => ScriptedAnswer | "forward" | Promise<ScriptedAnswer | "forward">;

export interface ScriptedServer {
  /** `127.0.0.1:port`. */
  readonly host: string;
  readonly requests: readonly RecordedRequest[];
  /** `PUT /v2/x` for each request, in order. */
  lines(): string[];
  /** Replaces the script. */
  answer(script: Script): void;
  stop(): Promise<void>;
}

export interface ScriptedServerOptions {
  /** `host:port` of the server behind. */
  readonly forwardTo?: string;
  /** Keeps bodies of requests; default true. False passes them on as they come: for layers of hundreds of megabytes. */
  readonly keepBodies?: boolean;
  /** Speaks TLS by these files; default: plain http. */
  readonly tls?: { readonly certificate: string; readonly key: string };
}

/** Starts a server on a free port of 127.0.0.1. A script that throws answers 599 with its message. */
export async function startScriptedServer(
  script: Script,
  options: ScriptedServerOptions = {},
): Promise<ScriptedServer> {
  const requests: RecordedRequest[] = [];
  let current = script;
  const answered = async (incoming: IncomingMessage, outgoing: ServerResponse) => {
    outgoing.on("error", () => undefined);
    incoming.on("error", () => undefined);
    const recorded = {
      method: incoming.method ?? "",
      path: incoming.url ?? "",
      headers: incoming.headers as Record<string, string | undefined>,
      index: requests.length,
    };
    const place = requests.push({ ...recorded, body: Buffer.alloc(0) }) - 1;
    try {
      const first = await current({ ...recorded, body: Buffer.alloc(0) });
      if (first !== "forward" && first.early) return await give(outgoing, first);
      const forwards = first === "forward" || first.forward === true;
      const passesThrough = forwards && options.keepBodies === false;
      const body = passesThrough ? incoming : await bodyOf(incoming, options.keepBodies !== false);
      if (Buffer.isBuffer(body)) requests[place] = { ...recorded, body };
      const real = forwards ? await ask(options.forwardTo, incoming, body) : undefined;
      await give(
        outgoing,
        first === "forward" ? real! : { ...real, ...first, headers: { ...real?.headers, ...first.headers } },
      );
    } catch (error) {
      await give(outgoing, { status: 599, body: String(error) });
    }
  };
  const files = options.tls && { cert: readFileSync(options.tls.certificate), key: readFileSync(options.tls.key) };
  const server = files ? createTlsServer(files, answered) : createServer(answered);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    lines: () => requests.map(({ method, path }) => `${method} ${path}`),
    answer: (next) => {
      current = next;
    },
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function give(outgoing: ServerResponse, answer: ScriptedAnswer): Promise<void> {
  if (answer.delay !== undefined) await new Promise((resolve) => setTimeout(resolve, answer.delay).unref());
  if (answer.reset) return void outgoing.destroy();
  const body = Buffer.from(answer.body ?? "");
  outgoing.writeHead(answer.status ?? 200, { "content-length": String(body.length), ...answer.headers });
  if (answer.early) {
    outgoing.write(body);
    setTimeout(() => outgoing.destroy(), 500).unref();
    return;
  }
  if (answer.cutAfter === undefined) return void outgoing.end(outgoing.req.method === "HEAD" ? "" : body);
  outgoing.write(body.subarray(0, answer.cutAfter), () => outgoing.destroy());
}

async function bodyOf(incoming: IncomingMessage, keep: boolean): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) if (keep) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** Asks with the client's own Host header, so that the addresses in the answer lead back here. */
function ask(
  forwardTo: string | undefined,
  incoming: IncomingMessage,
  body: Buffer | IncomingMessage,
): Promise<ScriptedAnswer> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      `http://${forwardTo}${incoming.url}`,
      { method: incoming.method, headers: incoming.headers },
      async (answer) => {
        const chunks: Buffer[] = [];
        for await (const chunk of answer) chunks.push(chunk as Buffer);
        const {
          connection: _connection,
          "transfer-encoding": _encoding,
          ...headers
        } = answer.headers as Record<string, string>;
        resolve({ status: answer.statusCode, headers, body: Buffer.concat(chunks) });
      },
    );
    request.on("error", reject);
    if (Buffer.isBuffer(body)) request.end(body);
    else body.pipe(request);
  });
}
