// A registry over TLS whose authority a real Docker engine does not know, and then does. At this machine's own address, as an
// engine trusts any certificate on loopback.
import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, rmSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Server } from "node:net";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { type Authority, makeAuthority } from "../support/authority";
import { dockerfileContext, startDockerEngine, type TestEngine } from "../support/dockerEngine";
import { refused } from "../support/refused";
import { startRegistry, type TestRegistry } from "../support/registry";

describe("the Docker engine and a registry whose certificate comes from a company's own authority", function () {
  this.timeout(60_000);
  let authority: Authority;
  let registry: TestRegistry;
  let relay: Server;
  let docker: TestEngine;
  let host: string;
  /** The first folder that was not there before. */
  let made: string | undefined;
  /** Where the engine looks for authorities of that registry. */
  const folder = () => join("/etc/docker/certs.d", host);

  before(async () => {
    const addresses = Object.values(networkInterfaces()).flatMap((all) => all ?? []);
    const own = addresses.find(({ family, internal }) => family === "IPv4" && !internal);
    assert.ok(own, "this machine has an address beside loopback");
    authority = await makeAuthority(own.address);
    registry = await startRegistry({ tls: authority });
    const port = Number(registry.host.split(":")[1]);
    relay = createServer((incoming) => {
      const outgoing = connect(port, "127.0.0.1");
      for (const socket of [incoming, outgoing]) socket.on("error", () => socket.destroy());
      incoming.pipe(outgoing).pipe(incoming);
    });
    await new Promise<void>((resolve) => relay.listen(0, own.address, resolve));
    host = `${own.address}:${(relay.address() as AddressInfo).port}`;
    docker = await startDockerEngine({ own: true });
  });
  after(async () => {
    if (made) rmSync(made, { recursive: true });
    await docker?.stop();
    relay?.close();
    await registry?.stop();
    authority?.remove();
  });

  const build = (...lines: string[]) =>
    docker.engine.build({ contextTar: dockerfileContext(lines), tags: [`${host}/acme/image:v1`] });

  it("is pushed to and built from only with the authority in the engine's folder, which it reads without a restart", async () => {
    await build("FROM scratch", "COPY Dockerfile /");
    const way = `give the engine the registry's authority as ${folder()}/ca.crt on its own machine`;
    const push = () => docker.engine.push(`${host}/acme/image:v1`);
    assert.ok((await refused("push-failed", push)).message.includes(way));
    const from = [`FROM ${host}/acme/base:v1`, "COPY Dockerfile /"];
    assert.ok((await refused("build-failed", () => build(...from))).message.includes(way));

    made = mkdirSync(folder(), { recursive: true });
    copyFileSync(authority.file, join(folder(), "ca.crt"));
    assert.match(await push(), /^sha256:/);
    await build(`FROM ${host}/acme/image:v1`, "COPY Dockerfile /again");
  });
});
