// A registry on loopback under the machine's own name, for what treats loopback in another way than any other host.
import { createServer, connect as tcpConnect } from "node:net";
import { hostname } from "node:os";

export interface Outside {
  /** `<name of the machine>:port`. */
  readonly host: string;
  stop(): void;
}

/** Passes connections on to `host`, byte for byte. */
export async function startOutside(host: string): Promise<Outside> {
  const [name, port] = host.split(":");
  const proxy = createServer((socket) => {
    const to = tcpConnect(Number(port), name!).on("error", () => socket.destroy());
    socket
      .on("error", () => to.destroy())
      .pipe(to)
      .pipe(socket);
  });
  await new Promise<void>((resolve) => proxy.listen(0, resolve));
  return {
    host: `${hostname()}:${(proxy.address() as { port: number }).port}`,
    stop: () => void proxy.close(),
  };
}
