// The client against an engine that lies, cuts, stalls and refuses: a scripted one on a unix socket.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { DockerEngine } from "../../../lib/docker/engine";
import type { PlatformError } from "../../../lib/errors";

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

const digest = `sha256:${"a".repeat(64)}`;
const reference = "127.0.0.1:5000/candidates/x:1";

describe("the engine's client", () => {
  let dir: string;
  let server: Server;
  let engine: DockerEngine;
  let answers: Record<string, Answer>;
  let requests: string[];
  let version: object;
  const sockets = new Set<Duplex>();

  beforeEach(async () => {
    dir = mkdtempSync(join(tmpdir(), "engine-"));
    answers = {};
    requests = [];
    version = { Version: "29.0.0", ApiVersion: "1.52", MinAPIVersion: "1.44", Os: "linux", Arch: "amd64" };
    server = createServer((request, response) => {
      const path = request.url!.replace(/\?.*/, "");
      requests.push(`${request.method} ${request.url}`);
      if (path === "/version") return void response.end(JSON.stringify(version));
      const answer = answers[path.replace(/^\/v[\d.]+/, "")];
      if (answer) return answer(request, response);
      response.writeHead(404).end(JSON.stringify({ message: "no such thing" }));
    });
    server.on("upgrade", (_request, socket) => {
      socket.write("HTTP/1.1 101 UPGRADED\r\nconnection: Upgrade\r\nupgrade: h2c\r\n\r\n");
      sockets.add(socket);
    });
    await new Promise<void>((resolve) => server.listen(join(dir, "s"), resolve));
    engine = DockerEngine.fromEnvironment({ DOCKER_HOST: `unix://${dir}/s` });
  });

  afterEach(() => {
    server.closeAllConnections();
    for (const socket of sockets) socket.destroy();
    server.close();
    rmSync(dir, { recursive: true });
  });

  const lines =
    (...documents: object[]): Answer =>
    (_request, response) =>
      response.end(documents.map((document) => `${JSON.stringify(document)}\r\n`).join(""));
  const coded =
    (code: string, ...parts: RegExp[]) =>
    (error: PlatformError) => {
      assert.equal(error.code, code, error.stack);
      for (const part of parts) assert.match(error.message, part);
      return true;
    };

  it("speaks the API version that both know", async () => {
    await engine.inspectImage("x");
    assert.match(requests.at(-1)!, /\/v1\.44\//);
    version = { Version: "23.0.0", ApiVersion: "1.42", MinAPIVersion: "1.12" };
    await DockerEngine.fromEnvironment({ DOCKER_HOST: `unix://${dir}/s` }).inspectImage("x");
    assert.match(requests.at(-1)!, /\/v1\.42\//);
    version = { Version: "40.0.0", ApiVersion: "1.99", MinAPIVersion: "1.60" };
    await DockerEngine.fromEnvironment({ DOCKER_HOST: `unix://${dir}/s` }).inspectImage("x");
    assert.match(requests.at(-1)!, /\/v1\.60\//);
  });

  it("says in one sentence that an engine is too old", async () => {
    version = { Version: "20.10.24+dfsg1", ApiVersion: "1.41", Os: "linux", Arch: "amd64" };
    await assert.rejects(engine.requireEngine(23), coded("engine-too-old", /20\.10\.24/, /npm run local/));
  });

  it("says where it looked when no engine is there, and works once one is", async () => {
    const missing = DockerEngine.fromEnvironment({ DOCKER_HOST: `unix://${dir}/later` });
    await assert.rejects(missing.inspectImage("x"), coded("engine-down", /later/, /ENOENT/, /DOCKER_HOST/));
    await new Promise<void>((resolve) =>
      createServer(server.listeners("request")[0] as Answer)
        .listen(join(dir, "later"), resolve)
        .unref(),
    );
    assert.equal(await missing.inspectImage("x"), undefined);
  });

  it("takes the digest of a push from its aux line, and from the status line where there is none", async () => {
    answers["/images/127.0.0.1:5000/candidates/x/push"] = lines(
      { status: "Pushed" },
      { aux: { Tag: "1", Digest: digest, Size: 3 } },
    );
    assert.equal(await engine.push(reference), digest);
    answers["/images/127.0.0.1:5000/candidates/x/push"] = lines({ status: `1: digest: ${digest} size: 3` });
    assert.equal(await engine.push(reference), digest);
    assert.match(requests.at(-1)!, /tag=1/);
  });

  it("knows a failed push although the answer is 200", async () => {
    answers["/images/127.0.0.1:5000/candidates/x/push"] = lines(
      { status: "Preparing" },
      { error: "unauthorized: no", errorDetail: { message: "unauthorized: no" } },
    );
    await assert.rejects(
      engine.push(reference),
      coded("push-failed", /candidates\/x:1/, /unauthorized: no/, /docker login/),
    );
  });

  it("never takes a push without a digest for a success", async () => {
    answers["/images/127.0.0.1:5000/candidates/x/push"] = lines(
      { status: "Pushed" },
      { aux: { Digest: "sha256:short" } },
    );
    await assert.rejects(engine.push(reference), coded("push-failed", /named no digest/));
  });

  it("never takes a pull that is cut off for a success", async () => {
    answers["/images/create"] = (_request, response) => {
      response.write('{"status":"Pulling"}\n');
      setTimeout(() => response.destroy(), 20);
    };
    await assert.rejects(engine.pull(`127.0.0.1:5000/x@${digest}`), coded("engine-down", /closed the connection/));
    assert.match(requests.at(-1)!, /fromImage=127\.0\.0\.1%3A5000%2Fx&tag=sha256%3Aa/);
  });

  it("gives a failed build's reason also when the engine refuses before the first line", async () => {
    answers["/build"] = (_request, response) =>
      response.writeHead(400).end(JSON.stringify({ message: "dockerfile parse error on line 3" }));
    await assert.rejects(
      engine.build({ contextTar: Buffer.alloc(0), tags: ["a:1"] }),
      coded("build-failed", /build of a:1/, /line 3/),
    );
  });

  it("never takes a build that ends without an image for a success", async () => {
    answers["/build"] = lines({ stream: "done" });
    await assert.rejects(
      engine.build({ contextTar: Buffer.alloc(0), tags: ["a:1"] }),
      coded("build-failed", /without an image/),
    );
  });

  it("stops at once when it is aborted, with the reason given", async () => {
    const controller = new AbortController();
    answers["/build"] = (_request, response) => {
      response.write('{"stream":"x"}\n');
      setTimeout(() => controller.abort(new Error("cancelled by the user")), 20);
    };
    await assert.rejects(
      engine.build({ contextTar: Buffer.alloc(0), tags: ["a:1"], signal: controller.signal }),
      /cancelled by the user/,
    );
  });

  it("gives a program up that does not end in time", async () => {
    answers["/containers/c/exec"] = lines({ Id: "e" });
    answers["/exec/e/start"] = (_request, response) =>
      void response.write(Buffer.from([1, 0, 0, 0, 0, 0, 0, 2, 104, 105]));
    assert.deepEqual(await engine.exec("c", ["x"], { timeoutMs: 50 }), {
      code: undefined,
      stdout: "hi",
      stderr: "",
      output: "hi",
      truncated: false,
      timedOut: true,
    });
  });

  it("gives a program up that prints without end", async () => {
    answers["/containers/c/exec"] = lines({ Id: "e" });
    answers["/exec/e/start"] = (_request, response) => {
      const frame = Buffer.concat([Buffer.from([1, 0, 0, 0, 0, 0, 4, 0]), Buffer.alloc(1024, "x")]);
      const timer = setInterval(() => response.write(frame), 1);
      response.on("close", () => clearInterval(timer));
    };
    const result = await engine.exec("c", ["x"], { maxOutput: 2000 });
    assert.equal(result.output.length, 2000);
    assert.equal(result.truncated, true);
  });

  it("tells a program that is not there by the code that shells use", async () => {
    answers["/containers/c/exec"] = lines({ Id: "e" });
    answers["/exec/e/start"] = (_request, response) =>
      response
        .writeHead(400)
        .end(JSON.stringify({ message: 'OCI runtime exec failed: exec: "x": executable file not found in $PATH' }));
    assert.equal((await engine.exec("c", ["x"])).code, 127);
  });

  it("removes a container that is gone or going without a word", async () => {
    await engine.remove("gone");
    answers["/containers/going"] = (_request, response) =>
      response.writeHead(409).end(JSON.stringify({ message: "removal is in progress" }));
    await engine.remove("going");
    answers["/containers/stuck"] = (_request, response) =>
      response.writeHead(500).end(JSON.stringify({ message: "device busy" }));
    await assert.rejects(engine.remove("stuck"), /device busy/);
  });

  it("cannot be led to another endpoint by an image's name", async () => {
    assert.equal(await engine.inspectImage("x/json?force=1"), undefined);
    assert.match(requests.at(-1)!, /\/images\/x\/json%3Fforce%3D1\/json$/);
  });
});
