// A proxy in front of a registry, and of a file server where there is one, that counts requests and the bytes of their
// bodies both ways, and holds nothing back.
import { createServer, request as httpRequest } from "node:http";
import type { AddressInfo } from "node:net";

export interface CountedRequest {
  readonly method: string;
  readonly path: string;
  /** Bytes of the body that was sent. */
  bytes: number;
  /** Bytes of the answer's body. */
  received: number;
}

export interface Traffic {
  readonly requests: readonly CountedRequest[];
  readonly writes: readonly CountedRequest[];
  readonly uploaded: number;
  readonly downloaded: number;
}

export interface CountingProxy {
  /** `127.0.0.1:port`. */
  readonly host: string;
  /** What came since the last call. */
  take(): Traffic;
  stop(): Promise<void>;
}

/** `files`: the server of everything that is not below `/v2/`; default: the registry, too. */
export async function startCountingProxy(registry: string, files = registry): Promise<CountingProxy> {
  let requests: CountedRequest[] = [];
  const server = createServer((incoming, outgoing) => {
    const { method = "", url = "", headers } = incoming;
    const counted: CountedRequest = { method, path: url, bytes: 0, received: 0 };
    requests.push(counted);
    incoming.on("data", (chunk: Buffer) => {
      counted.bytes += chunk.length;
    });
    const forwardTo = url.startsWith("/v2/") ? registry : files;
    // With the client's own Host header, so that the addresses in the answer lead back here.
    const asked = httpRequest(`http://${forwardTo}${url}`, { method, headers }, (answer) => {
      answer.on("data", (chunk: Buffer) => {
        counted.received += chunk.length;
      });
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    const fail = () => outgoing.destroy();
    asked.on("error", fail);
    incoming.on("error", fail);
    incoming.pipe(asked);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    take() {
      const taken = requests;
      requests = [];
      const writes = taken.filter(({ method }) => method !== "GET" && method !== "HEAD");
      const sum = (of: "bytes" | "received") => taken.reduce((total, request) => total + request[of], 0);
      return { requests: taken, writes, uploaded: sum("bytes"), downloaded: sum("received") };
    },
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export interface Upload {
  /** Path in the registry, without its host. */
  readonly repository: string;
  readonly digest: string;
  readonly bytes: number;
}

/** The blobs that were sent, whichever of the protocol's ways they took. A blob that was mounted or there already is none. */
export function uploads(requests: readonly CountedRequest[]): Upload[] {
  const sessions = new Map<string, { repository: string; bytes: number; digest?: string }>();
  for (const { method, path, bytes } of requests) {
    const { pathname, searchParams } = new URL(path, "http://registry");
    const repository = /^\/v2\/(.+)\/blobs\/uploads\//.exec(pathname)?.[1];
    if (repository === undefined || !["POST", "PATCH", "PUT"].includes(method)) continue;
    const session = sessions.get(pathname) ?? { repository, bytes: 0 };
    const digest = searchParams.get("digest") ?? session.digest;
    sessions.set(pathname, { repository, bytes: session.bytes + bytes, digest });
  }
  return [...sessions.values()].flatMap(({ digest, ...upload }) =>
    digest && upload.bytes > 0 ? [{ ...upload, digest }] : [],
  );
}
