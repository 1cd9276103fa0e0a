// A proxy in front of a registry that counts requests and the bytes of their bodies, and holds nothing back.
import { createServer, request as httpRequest } from "node:http";
import type { AddressInfo } from "node:net";

interface CountedRequest {
  readonly method: string;
  readonly path: string;
  /** Bytes of the body that was sent. */
  bytes: number;
}

export interface CountingProxy {
  /** `127.0.0.1:port`. */
  readonly host: string;
  /** What came since the last call. */
  take(): {
    readonly requests: readonly CountedRequest[];
    readonly writes: readonly CountedRequest[];
    uploaded: number;
  };
  stop(): Promise<void>;
}

export async function startCountingProxy(forwardTo: string): Promise<CountingProxy> {
  let requests: CountedRequest[] = [];
  const server = createServer((incoming, outgoing) => {
    const { method = "", url = "", headers } = incoming;
    const counted: CountedRequest = { method, path: url, bytes: 0 };
    requests.push(counted);
    incoming.on("data", (chunk: Buffer) => {
      counted.bytes += chunk.length;
    });
    // With the client's own Host header, so that the addresses in the answer lead back here.
    const asked = httpRequest(`http://${forwardTo}${url}`, { method, headers }, (answer) => {
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
      return { requests: taken, writes, uploaded: taken.reduce((sum, request) => sum + request.bytes, 0) };
    },
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
