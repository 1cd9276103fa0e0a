// A proxy that stops one chosen request, or its answer, for as long as a test likes: the moment at which something is killed.
// It works on connections, not on messages, so taken-over connections (the Docker engine's) pass as they are.

import type { AddressInfo } from "node:net";
import { connect, createServer, type NetConnectOpts, type Socket } from "node:net";

/** A request that has been stopped. */
export interface HeldRequest {
  /** `PUT /v2/x/manifests/latest`. */
  readonly line: string;
  /** Lets it go on, whatever became of its sender; resolves when it has been answered, or the answer has been passed on. */
  pass(): Promise<void>;
  /** Loses it: neither side hears of the other again. */
  cut(): void;
}

export interface HoldOptions {
  /** Stop the request before the server has it, or the answer to a request that the server has served. Default `request`. */
  readonly side?: "request" | "answer";
}

export interface FaultProxy {
  /** `127.0.0.1:port`. */
  readonly host: string;
  /** `METHOD /path` of every request that came, in order. */
  readonly lines: readonly string[];
  /** Forgets what came, and what was to be stopped and has not come. */
  clear(): void;
  /** Resolves when a request whose `METHOD /path user-agent` matches has been stopped. Each call stops one request. */
  hold(pattern: RegExp, options?: HoldOptions): Promise<HeldRequest>;
  stop(): Promise<void>;
}

interface Trap {
  readonly pattern: RegExp;
  readonly side: "request" | "answer";
  readonly spring: (held: HeldRequest) => void;
}

/** Starts a proxy on a free port of 127.0.0.1 in front of a server (`host:port`, or the address of a socket). */
export async function startFaultProxy(target: string | NetConnectOpts): Promise<FaultProxy> {
  const lines: string[] = [];
  const traps: Trap[] = [];
  const sockets = new Set<Socket>();
  const address: NetConnectOpts =
    typeof target === "string" ? { host: target.split(":")[0], port: Number(target.split(":")[1]) } : target;

  const server = createServer((client) => {
    const upstream = connect(address);
    const toServer = stoppable(client, upstream);
    const toClient = stoppable(upstream, client);
    /** The trap whose answer is awaited on this connection. */
    let awaited: { readonly trap: Trap; readonly line: string } | undefined;
    /** Set from the stop of a request until its answer: meanwhile the server is not to hear that the client is gone. */
    let answered: (() => void) | undefined;
    const cut = () => {
      client.destroy();
      upstream.destroy();
      answered?.();
    };
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on("error", () => socket.destroy());
      socket.on("close", () => {
        sockets.delete(socket);
        if (socket === upstream || !answered) cut();
      });
    }
    client.on("data", (chunk: Buffer) => {
      const request = toServer.stopped ? undefined : requestIn(chunk);
      if (request) lines.push(request.line);
      const index = request ? traps.findIndex(({ pattern }) => pattern.test(`${request.line} ${request.agent}`)) : -1;
      const [trap] = index < 0 ? [] : traps.splice(index, 1);
      if (trap?.side === "request") {
        toServer.stop();
        const arrival = new Promise<void>((resolve) => {
          answered = resolve;
        });
        const pass = () => {
          toServer.go();
          return arrival;
        };
        trap.spring({ line: request!.line, cut, pass });
      } else if (trap) awaited = { trap, line: request!.line };
      toServer.write(chunk);
    });
    upstream.on("data", (chunk: Buffer) => {
      if (awaited) {
        const { trap, line } = awaited;
        awaited = undefined;
        toClient.stop();
        trap.spring({ line, cut, pass: async () => toClient.go() });
      }
      toClient.write(chunk);
      answered?.();
      answered = undefined;
      if (client.destroyed) cut();
    });
    client.on("end", () => answered ?? upstream.end());
    upstream.on("end", () => client.end());
  });
  server.on("error", () => undefined);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    lines,
    clear: () => {
      lines.length = 0;
      traps.length = 0;
    },
    hold: (pattern, { side = "request" } = {}) =>
      new Promise((spring) => {
        traps.push({ pattern, side, spring });
      }),
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

/** One direction of a connection. What comes while it is stopped is kept, also when its sender has gone since. */
function stoppable(from: Socket, to: Socket) {
  let kept: Buffer[] | undefined;
  const write = (chunk: Buffer) => {
    if (kept) kept.push(chunk);
    else if (!to.destroyed && !to.write(chunk)) {
      from.pause();
      to.once("drain", () => from.resume());
    }
  };
  return {
    get stopped() {
      return kept !== undefined;
    },
    write,
    stop: () => {
      kept = [];
    },
    go: () => {
      const chunks = kept ?? [];
      kept = undefined;
      for (const chunk of chunks) write(chunk);
    },
  };
}

/** A client writes the head of a request at once, and never before the last answer is there: it begins its chunk. */
function requestIn(chunk: Buffer): { readonly line: string; readonly agent: string } | undefined {
  const head = /^((?:GET|HEAD|POST|PUT|PATCH|DELETE) \S+) HTTP\/1\.1\r\n/.exec(chunk.toString("latin1", 0, 4096));
  if (!head) return undefined;
  const agent = /^user-agent: (.*)\r$/im.exec(chunk.toString("latin1", 0, 16_384))?.[1] ?? "";
  return { line: head[1]!, agent };
}
