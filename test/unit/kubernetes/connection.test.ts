// stand-in: the way to a cluster by TLS, a proxy and a login that grows old, against scripted servers.
import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { type AddressInfo, connect, createServer as createSocketServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectCluster } from "../../../lib/kubernetes/client";
import { type Authority, makeAuthority } from "../../support/authority";
import { refused } from "../../support/refused";
import { json, kubeconfigOf } from "../../support/scriptedCluster";
import { type ScriptedServer, startScriptedServer } from "../../support/scriptedServer";

describe("stand-in: the way to a cluster", function () {
  this.timeout(30_000);
  let authority: Authority;
  let server: ScriptedServer;
  let dir: string;
  before(async () => {
    authority = await makeAuthority("127.0.0.1");
    server = await startScriptedServer(() => json({ gitVersion: "v1.36.3" }), { tls: authority });
    dir = mkdtempSync(join(tmpdir(), "connection-"));
  });
  after(async () => {
    await server.stop();
    authority.remove();
    rmSync(dir, { recursive: true });
  });
  const kubeconfig = (cluster: object = {}, user: object = { token: "t" }) =>
    kubeconfigOf(`https://${server.host}`, user, { "certificate-authority": authority.file, ...cluster });

  it("believes the authority of the kubeconfig, as a file and as data, and no other", async () => {
    const data = readFileSync(authority.file).toString("base64");
    for (const cluster of [{}, { "certificate-authority": undefined, "certificate-authority-data": data }])
      assert.equal(await (await connectCluster({ kubeconfig: kubeconfig(cluster) })).version(), "v1.36.3");
    const none = kubeconfig({ "certificate-authority": undefined });
    await refused("cluster-unreachable", async () => (await connectCluster({ kubeconfig: none })).version());
    const wrongName = kubeconfig({ "tls-server-name": "acme.com" });
    const error = await refused("cluster-unreachable", async () =>
      (await connectCluster({ kubeconfig: wrongName })).version(),
    );
    assert.match(error.message, /certificate is for another host/);
  });

  it("goes through the kubeconfig's proxy, whose connection is one although it is made elsewhere", async () => {
    const asked: string[] = [];
    const proxy: Server = createServer();
    proxy.on("connect", ({ url = "" }, socket, head) => {
      asked.push(url);
      const [host, port] = url.split(":");
      const upstream = connect(Number(port), host, () => {
        socket.write("HTTP/1.1 200 OK\r\n\r\n");
        upstream.write(head);
        upstream.pipe(socket).pipe(upstream);
      });
      for (const one of [upstream, socket]) one.on("error", () => undefined);
    });
    await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
    const address = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
    server.answer(() => ({ ...json({ gitVersion: "v1.36.3" }), delay: 600 }));
    try {
      const client = await connectCluster({
        kubeconfig: kubeconfig({ "proxy-url": address }),
        limits: { connectMs: 400 },
      });
      assert.equal(await client.version(), "v1.36.3");
      assert.deepEqual(asked, [server.host]);
    } finally {
      server.answer(() => json({ gitVersion: "v1.36.3" }));
      proxy.closeAllConnections();
      proxy.close();
    }
  });

  it("says that nobody answers where a connection does not come about in time", async () => {
    // It takes the connection and never speaks TLS.
    const silent = createSocketServer((socket) => void socket.on("error", () => undefined));
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    const mute = kubeconfigOf(`https://127.0.0.1:${(silent.address() as AddressInfo).port}`);
    try {
      const client = await connectCluster({ kubeconfig: mute, limits: { connectMs: 200 } });
      const error = await refused("cluster-unreachable", () => client.version());
      assert.match(error.message, /it does not answer \(ETIMEDOUT\)/);
    } finally {
      silent.close();
    }
  });

  it("runs the credential plugin again when its token has grown old, and not before", async () => {
    const count = join(dir, "count");
    writeFileSync(count, "");
    const plugin = join(dir, "plugin");
    writeFileSync(
      plugin,
      `#!/usr/bin/env node
const { appendFileSync, readFileSync } = require("fs");
appendFileSync("${count}", "x");
const runs = readFileSync("${count}", "utf8").length;
const expirationTimestamp = new Date(Date.now() + (runs === 1 ? 3600_000 : 7200_000)).toISOString();
console.log(JSON.stringify({ status: { token: "token-" + runs, expirationTimestamp } }));`,
    );
    chmodSync(plugin, 0o755);
    const exec = { apiVersion: "client.authentication.k8s.io/v1", command: plugin };
    const client = await connectCluster({ kubeconfig: kubeconfig({}, { exec }) });
    server.answer(({ headers }) =>
      headers.authorization === "Bearer token-2" ? json({ gitVersion: "v1.36.3" }) : json({ kind: "Status" }, 401),
    );
    assert.equal(await client.version(), "v1.36.3");
    assert.equal(await client.version(), "v1.36.3");
    assert.equal(readFileSync(count, "utf8"), "xx");
    server.answer(() => json({ kind: "Status" }, 401));
    await refused("cluster-unauthorized", () => client.version());
    assert.equal(readFileSync(count, "utf8"), "xxx");
    server.answer(() => json({ gitVersion: "v1.36.3" }));
  });
});
