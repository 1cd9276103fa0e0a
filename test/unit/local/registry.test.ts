import assert from "node:assert/strict";
import { createServer, type RequestListener, type Server } from "node:http";
import { type AddressInfo, createServer as createTcpServer, type Server as TcpServer } from "node:net";
import type { PlatformError } from "../../../lib/errors";
import { choosePort, whoAnswers } from "../../../local/registry";

describe("the port of the local registry", () => {
  const servers: (Server | TcpServer)[] = [];
  afterEach(() => {
    for (const server of servers.splice(0)) {
      server.close();
      if ("closeAllConnections" in server) server.closeAllConnections();
    }
  });

  async function listen(server: Server | TcpServer): Promise<number> {
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return (server.address() as AddressInfo).port;
  }
  const answering = (listener: RequestListener) => listen(createServer(listener));

  it("is the one asked for, else that of the last run, else 5000", () => {
    assert.equal(choosePort("5001", 5002), 5001);
    assert.equal(choosePort(undefined, 5002), 5002);
    assert.equal(choosePort(undefined, undefined), 5000);
  });

  for (const text of ["0", "65536", "-1", "five", "5000; rm", ""]) {
    it(`is never ${JSON.stringify(text)}`, () => {
      assert.throws(
        () => choosePort(text, undefined),
        (error: PlatformError) => error.code === "port-malformed",
      );
    });
  }

  it("is free when nobody answers", async () => {
    const port = await answering(() => undefined);
    const [server] = servers.splice(0);
    await new Promise((resolve) => server!.close(resolve));
    assert.equal(await whoAnswers(port, "mine"), "nobody");
  });

  it("is ours only when the answer carries this checkout's mark", async () => {
    const marked = (mark: string) =>
      answering((_request, answer) => answer.setHeader("X-Policy-Platform", mark).end("{}"));
    assert.equal(await whoAnswers(await marked("mine"), "mine"), "ours");
    assert.equal(await whoAnswers(await marked("theirs"), "mine"), "another checkout");
  });

  it("is somebody's when a registry, a redirect or something that is no web server answers", async () => {
    assert.equal(await whoAnswers(await answering((_request, answer) => answer.end("{}")), "mine"), "something else");
    const redirecting = await answering((_request, answer) => answer.writeHead(302, { location: "/" }).end());
    assert.equal(await whoAnswers(redirecting, "mine"), "something else");
    const talking = await listen(createTcpServer((socket) => socket.end("SSH-2.0-x\r\n")));
    assert.equal(await whoAnswers(talking, "mine"), "something else");
  });

  it("is somebody's when connections are taken and nothing is said", async () => {
    assert.equal(await whoAnswers(await listen(createTcpServer(() => undefined)), "mine", 100), "something else");
  });
});
