// Downloads by checksum from servers that cut, lie, redirect and show web pages.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type DownloadOptions, download } from "../../../lib/oci/archive";
import { refused } from "../../support/refused";
import { quickLimits } from "../../support/scriptedRegistry";
import { type ScriptedAnswer, type ScriptedServer, startScriptedServer } from "../../support/scriptedServer";

const content = Buffer.from("release archive".repeat(1000));
const sha256 = createHash("sha256").update(content).digest("hex");

describe("downloads", () => {
  let dir: string;
  let server: ScriptedServer;
  beforeEach(async () => {
    dir = mkdtempSync(join(tmpdir(), "download-"));
    server = await startScriptedServer(() => ({ body: content }));
  });
  afterEach(async () => {
    await server.stop();
    rmSync(dir, { recursive: true });
  });
  const get = (options: Partial<DownloadOptions> = {}, url = `http://${server.host}/releases/tool.tar.gz`) =>
    download(url, { sha256, to: join(dir, "cache"), limits: quickLimits, ...options });
  const cached = () => {
    try {
      return readdirSync(join(dir, "cache"));
    } catch {
      return [];
    }
  };

  it("are kept under their checksum and fetched once", async () => {
    const path = await get();
    assert.equal(path, join(dir, "cache", sha256));
    assert.deepEqual(readFileSync(path), content);
    assert.equal(await get(), path);
    assert.deepEqual(server.lines(), ["GET /releases/tool.tar.gz"]);
    assert.deepEqual(cached(), [sha256]);
    assert.equal(server.requests[0]!.headers.authorization, undefined);
  });

  it("without a checksum are kept under the one that they have", async () => {
    assert.equal(await get({ sha256: undefined }), join(dir, "cache", sha256));
    assert.deepEqual(cached(), [sha256]);
  });

  it("are fetched again when the cache holds other bytes", async () => {
    const path = await get();
    writeFileSync(path, "rotten");
    assert.deepEqual(readFileSync(await get()), content);
    assert.equal(server.requests.length, 2);
  });

  it("end well for two at the same time", async () => {
    assert.deepEqual(new Set(await Promise.all([get(), get(), get()])).size, 1);
    assert.deepEqual(cached(), [sha256]);
  });

  it("with another checksum leave nothing, and both checksums are named", async () => {
    const wanted = "0".repeat(64);
    const error = await refused("checksum-mismatch", () => get({ sha256: wanted }));
    assert.match(error.message, new RegExp(`${sha256}.*${wanted}`));
    assert.deepEqual(cached(), []);
    assert.equal(server.requests.length, 1);
  });

  it("that are a web page are called that", async () => {
    server.answer(() => ({ body: "<html>Sign in</html>", headers: { "content-type": "text/html; charset=utf-8" } }));
    assert.match((await refused("download-not-a-file", () => get())).message, /web page/);
    assert.deepEqual(cached(), []);
  });

  it("that are cut or reset are fetched again", async () => {
    const answers: ScriptedAnswer[] = [
      { body: content, cutAfter: 100 },
      { reset: true },
      { status: 503 },
      { body: content },
    ];
    server.answer(() => answers.shift()!);
    assert.deepEqual(readFileSync(await get()), content);
    assert.deepEqual(cached(), [sha256]);
  });

  it("that stay cut fail and leave nothing", async () => {
    server.answer(() => ({ body: content, cutAfter: 100 }));
    const error = await refused("download-failed", () => get());
    assert.match(error.message, new RegExp(`${server.host}/releases/tool.tar.gz`));
    assert.deepEqual(cached(), []);
  });

  for (const status of [404, 410]) {
    it(`answered ${status} are missing, and not asked for again`, async () => {
      server.answer(() => ({ status }));
      await refused("download-missing", () => get());
      assert.equal(server.requests.length, 1);
    });
  }

  for (const status of [401, 403, 500, 429]) {
    it(`answered ${status} have failed`, async () => {
      server.answer(() => ({ status }));
      assert.match((await refused("download-failed", () => get())).message, new RegExp(`answered ${status}`));
    });
  }

  it("of more bytes than allowed end early, whether announced or not", async () => {
    await refused("download-too-large", () => get({ maxBytes: content.length - 1 }));
    server.answer(() => ({ body: content, headers: { "transfer-encoding": "chunked" } }));
    await assert.rejects(get({ maxBytes: 10 }));
    assert.deepEqual(cached(), []);
  });

  it("follow redirects, also to another host of this machine", async () => {
    const other = await startScriptedServer(() => ({ body: content }));
    server.answer(({ path }) => ({
      status: 302,
      headers: { location: path === "/final" ? `http://${other.host}/x?signature=secret` : "/final" },
    }));
    assert.deepEqual(readFileSync(await get()), content);
    assert.deepEqual(other.lines(), ["GET /x?signature=secret"]);
    await other.stop();
  });

  for (const location of [
    "http://other.example/x",
    "ftp://other.example/",
    "file:///etc/passwd",
    "http://u:p@127.0.0.1/",
    "http://[",
  ]) {
    it(`do not follow a redirect to ${location}`, async () => {
      server.answer(() => ({ status: 302, headers: { location } }));
      await refused("download-refused", () => get());
    });
  }

  it("end a circle of redirects", async () => {
    server.answer(({ path }) => ({ status: 302, headers: { location: path } }));
    await refused("download-refused", () => get());
    assert.ok(server.requests.length < 20);
  });

  for (const url of [
    "http://releases.example/tool",
    "file:///etc/passwd",
    "ftp://x/y",
    "nonsense",
    "https://user:password@releases.example/tool",
  ]) {
    it(`are refused from ${url}`, async () => {
      const error = await refused("download-refused", () => get({}, url));
      assert.doesNotMatch(error.message, /password@/);
    });
  }

  it("go to the mirror of their host, path and all", async () => {
    const url = "https://releases.example/kyverno/v1.13.2/kyverno.tar.gz?x=1";
    await get({ mirrors: { "releases.example": `http://${server.host}/mirror/` } }, url);
    assert.deepEqual(server.lines(), ["GET /mirror/kyverno/v1.13.2/kyverno.tar.gz?x=1"]);
  });

  it("do not go to the mirror of another host", async () => {
    await get({ mirrors: { "127.0.0.1": "http://other.example/", example: "http://other.example/" } });
    await refused("download-refused", () =>
      get({ sha256: "0".repeat(64), mirrors: { "releases.example": "ftp://x" } }, "https://releases.example/x"),
    );
    await refused("download-refused", () =>
      get({ sha256: "0".repeat(64), mirrors: { "releases.example": "nonsense" } }, "https://releases.example/x"),
    );
  });

  it("end at once when aborted and leave nothing", async () => {
    server.answer(() => ({ delay: 60_000 }));
    const controller = new AbortController();
    setTimeout(() => controller.abort(new Error("cancelled")), 30);
    await assert.rejects(get({ signal: controller.signal }), /cancelled/);
    assert.deepEqual(cached(), []);
  });

  it("take no checksum but 64 hexadecimal characters", async () => {
    for (const wrong of ["", "../../etc/passwd", sha256.toUpperCase(), `sha256:${sha256}`])
      await assert.rejects(get({ sha256: wrong }), TypeError);
  });
});
