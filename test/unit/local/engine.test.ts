import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findEngine, mountsBelow, runningOwnEngine } from "../../../local/engine";
import { layoutOf, ownEngineHost } from "../../../local/layout";

const probe = { reference: "127.0.0.1:5000/layers/probe@sha256:aa" };

describe("the Docker engine of the environment", () => {
  let folder: string;
  let server: Server;
  let asked: string[];

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "engine-"));
    asked = [];
  });
  afterEach(() => {
    server?.close();
    rmSync(folder, { recursive: true });
  });

  /** An engine that answers with a version, and to the look at the registry with a status. */
  async function engine(version: string, status = 200): Promise<NodeJS.ProcessEnv> {
    server = createServer((request, answer) => {
      asked.push(request.url!);
      const known = request.url!.endsWith("/version");
      answer.writeHead(known ? 200 : status, { "content-type": "application/json" });
      const failure = { message: "dial tcp 127.0.0.1:5000: connect: connection refused" };
      answer.end(
        JSON.stringify(
          known ? { Version: version, ApiVersion: "1.44", MinAPIVersion: "1.24" } : status === 200 ? {} : failure,
        ),
      );
    });
    const socket = join(folder, "docker.sock");
    await new Promise<void>((resolve) => server.listen(socket, resolve));
    return { DOCKER_HOST: `unix://${socket}` };
  }

  it("is used as it is when it is new enough and reaches the local registry", async () => {
    const env = await engine("27.5.1");
    const found = await findEngine(layoutOf(folder), probe, env);
    assert.deepEqual(found, { engine: { host: env.DOCKER_HOST, version: "27.5.1", own: false } });
    assert.equal(asked.at(-1), `/v1.44/distribution/${probe.reference}/json`);
  });

  it("is not used when it is too old, and is asked nothing more", async () => {
    const found = await findEngine(layoutOf(folder), probe, await engine("20.10.24+dfsg1"));
    assert.match("reason" in found ? found.reason : "", /is 20\.10\.24\+dfsg1, 23 or later is needed$/);
    assert.deepEqual(asked, ["/version"]);
  });

  it("is not used when it is elsewhere and has another loopback", async () => {
    const found = await findEngine(layoutOf(folder), probe, await engine("27.5.1", 500));
    assert.match(
      "reason" in found ? found.reason : "",
      /cannot reach the registry on this machine's loopback \(dial tcp/,
    );
  });

  it("is not used when nobody listens", async () => {
    const found = await findEngine(layoutOf(folder), probe, { DOCKER_HOST: `unix://${folder}/none.sock` });
    assert.match("reason" in found ? found.reason : "", /no engine listens there/);
  });

  it("is not the one that was started here, also in a shell that has sourced .local/env", async () => {
    const layout = layoutOf(folder);
    const found = await findEngine(layout, probe, { DOCKER_HOST: ownEngineHost(layout), HOME: folder });
    assert.ok("engine" in found || !found.reason.includes(layout.engineRun));
    assert.equal(await runningOwnEngine(layout), undefined);
  });
});

describe("the mounts of an engine that was killed", () => {
  it("are found by their folder, in order, also where its name is written with escapes", () => {
    const mounts = [
      "/dev/a / ext4 rw 0 0",
      "/dev/a /a\\040b/.local/docker ext4 rw 0 0",
      "overlay /a\\040b/.local/docker/x overlay rw 0 0",
      "/dev/a /a\\040b/.local/docker-other ext4 rw 0 0",
      "",
    ].join("\n");
    assert.deepEqual(mountsBelow(["/a b/.local/docker"], mounts), ["/a b/.local/docker", "/a b/.local/docker/x"]);
  });
});
