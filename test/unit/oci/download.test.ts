// Downloads by checksum from servers that cut, lie, redirect and show web pages.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { type DownloadOptions, download } from "../../../lib/oci/archive";
import { refuseRedirect } from "../../../lib/oci/downloadRequest";
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

  it("follow https to another public host, and nothing into this network, whatever form its address has", () => {
    const inside = [
      ["127.0.0.1", "127.1", "2130706433", "0x7f.1", "localhost", "x.localhost", "10.0.0.1", "172.31.0.1"],
      [
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "[::1]",
        "[fd00::1]",
        "[fe80::1]",
        "[::ffff:10.0.0.1]",
      ],
    ].flat();
    const hop = (from: string, to: string) => refuseRedirect(new URL(from), new URL(to));
    for (const host of inside) {
      assert.match(hop("https://github.com/x", `https://${host}/x`) ?? "", /inside this network/, host);
      assert.equal(hop("https://10.1.1.1/x", `https://${host}/x`), undefined, host);
    }
    for (const host of ["objects.githubusercontent.com", "172.32.0.1", "8.8.8.8", "[2606:4700::1]"])
      assert.equal(hop("https://github.com/x", `https://${host}/x?signature=1`), undefined, host);
    assert.match(hop("https://github.com/x", "http://github.com/x") ?? "", /https to plain http/);
    assert.match(hop("https://github.com/x", "https://u:p@github.com/x") ?? "", /user name/);
  });

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

  describe("that are cut in the middle", () => {
    const large = randomBytes(300_000);
    const largeSum = createHash("sha256").update(large).digest("hex");
    const parts = { etag: '"one"', "accept-ranges": "bytes" };
    const rest = (from: number, more: object = {}) => ({
      status: 206,
      headers: { ...parts, "content-range": `bytes ${from}-${large.length - 1}/${large.length}`, ...more },
      body: large.subarray(from),
    });
    /** Cuts the first answer, gives the others as they come, and the whole to whoever asks for it. */
    const served = (headers: Record<string, string>, ...answers: ScriptedAnswer[]) => {
      const script: ScriptedAnswer[] = [{ headers, body: large, cutAfter: 200_000 }, ...answers];
      server.answer(({ headers: asked }) => script.shift() ?? { headers: parts, body: asked.range ? "wrong" : large });
    };
    const asked = () => server.requests.map(({ headers }) => headers.range ?? "whole");
    const fetched = async () => assert.deepEqual(readFileSync(await get({ sha256: largeSum })), large);

    it("are gone on with where the server names their bytes", async () => {
      server.answer(({ headers: { range } }) => {
        const from = Number(/^bytes=(\d+)-$/.exec(range ?? "bytes=0-")![1]);
        return from === 0 ? { headers: parts, body: large, cutAfter: 200_000 } : rest(from);
      });
      const said: string[] = [];
      assert.deepEqual(readFileSync(await get({ sha256: largeSum, log: (text) => said.push(text) })), large);
      const [first, second] = server.requests;
      assert.equal(first!.headers.range, undefined);
      assert.match(second!.headers.range!, /^bytes=\d{5,6}-$/);
      assert.equal(second!.headers["if-range"], '"one"');
      assert.match(said.join(), /going on at \d+ bytes/);
      assert.equal(server.requests.length, 2);
      assert.deepEqual(cached(), [largeSum]);
    });

    for (const [what, headers] of [
      ["gives no parts", { etag: '"one"' }],
      ["names them weakly", { ...parts, etag: 'W/"one"' }],
      ["does not name them", { "accept-ranges": "bytes" }],
    ] as const) {
      it(`are fetched from the beginning where the server ${what}`, async () => {
        served(headers);
        await fetched();
        assert.deepEqual(asked(), ["whole", "whole"]);
      });
    }

    it("are fetched whole when the file is another one by now", async () => {
      served(parts, { headers: { etag: '"two"' }, body: large });
      await fetched();
    });

    it("are fetched from the beginning when the rest is not what was asked for", async () => {
      for (const wrong of [rest(10), { ...rest(5), headers: parts }, { status: 416 }]) {
        served(parts, wrong, ...(wrong.status === 416 ? [{ body: large }] : []));
        await get({ sha256: largeSum });
        rmSync(join(dir, "cache", largeSum));
      }
    });

    it("are fetched once more from the beginning when the two parts are of two files", async () => {
      server.answer(({ headers: { range }, index }) => {
        if (index === 0) return { headers: parts, body: large, cutAfter: 200_000 };
        const from = Number(/\d+/.exec(range ?? "0")![0]);
        return range ? { ...rest(from), body: Buffer.alloc(large.length - from) } : { body: large };
      });
      await fetched();
      assert.equal(asked().length, 3);
      assert.equal(asked()[2], "whole");
    });
  });

  it("answered with a part that nobody asked for have failed", async () => {
    server.answer(() => ({ status: 206, body: content }));
    assert.match((await refused("download-failed", () => get())).message, /answered 206/);
  });

  it("that stand still are given up, and asked for again", async () => {
    const limits = { ...quickLimits, idleTime: 100, answerTime: 100, attempts: 2 };
    server.answer(() => ({ delay: 5000 }));
    assert.match((await refused("download-failed", () => get({ limits }))).message, /no answer for/);
    assert.equal(server.requests.length, 2);
  });

  it("that come a byte at a time end when their time is over, all tries together", async () => {
    const slow = createServer((_request, answer) => {
      answer.writeHead(200, { "content-length": "100000" });
      const timer = setInterval(() => answer.write("x"), 20);
      answer.on("close", () => clearInterval(timer));
    });
    await new Promise<void>((resolve) => slow.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(slow.address() as AddressInfo).port}/tool`;
    const started = Date.now();
    const error = await refused("download-failed", () => get({ limits: { ...quickLimits, downloadTime: 500 } }, url));
    assert.match(error.message, /did not end within/);
    assert.ok(Date.now() - started < 3000);
    assert.deepEqual(cached(), []);
    slow.closeAllConnections();
    slow.close();
  });

  it("that a host limits with 403 are asked for again after the time that it names", async () => {
    const answers: ScriptedAnswer[] = [{ status: 403, headers: { "retry-after": "0" } }, { body: content }];
    server.answer(() => answers.shift()!);
    assert.deepEqual(readFileSync(await get()), content);
  });

  it("that a host limits for an hour fail at once, with that time", async () => {
    server.answer(() => ({ status: 429, headers: { "retry-after": "3600" } }));
    assert.match((await refused("download-failed", () => get())).message, /answered 429 and asks to wait 3600 s/);
    assert.equal(server.requests.length, 1);
  });

  for (const status of [401, 403]) {
    it(`answered ${status} are told that no credentials are sent`, async () => {
      server.answer(() => ({ status }));
      assert.match((await refused("download-failed", () => get())).message, /no credentials are sent/);
      assert.equal(server.requests.length, 1);
    });
  }

  it("packed once more on their way are refused in words: their checksum is of what was published", async () => {
    server.answer(() => ({ body: gzipSync(content), headers: { "content-encoding": "gzip" } }));
    assert.match((await refused("download-encoded", () => get())).message, /content-encoding: gzip/);
    assert.equal(server.requests[0]!.headers["accept-encoding"], "identity");
  });

  for (const [what, body] of [
    ["a page that calls itself a file", "\n<!DOCTYPE html><title>Sign in</title>"],
    ["an error in XML", '<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>'],
    ["nothing", ""],
  ]) {
    it(`that are ${what} are called that, with a checksum and without`, async () => {
      server.answer(() => ({ body: body!, headers: { "content-type": "application/octet-stream" } }));
      await refused("download-not-a-file", () => get());
      await refused("download-not-a-file", () => get({ sha256: undefined }));
      assert.deepEqual(cached(), []);
    });
  }

  it("that are markup by their checksum are what was pinned", async () => {
    const page = "<html>pinned</html>";
    server.answer(() => ({ body: page, headers: { "content-type": "application/octet-stream" } }));
    await get({ sha256: createHash("sha256").update(page).digest("hex") });
  });

  it("shorter than announced are asked for again", async () => {
    const limits = { ...quickLimits, idleTime: 200 };
    const short = { body: content, headers: { "content-length": String(content.length + 10) } };
    server.answer(({ index }) => (index === 0 ? short : { body: content }));
    assert.deepEqual(readFileSync(await get({ limits })), content);
    assert.equal(server.requests.length, 2);
  });

  it("longer than announced end where they were announced to end, and do not match", async () => {
    server.answer(() => ({ body: content, headers: { "content-length": "100", connection: "close" } }));
    await refused("checksum-mismatch", () => get());
  });

  it("take no checksum but 64 hexadecimal characters", async () => {
    for (const wrong of ["", "../../etc/passwd", sha256.toUpperCase(), `sha256:${sha256}`])
      await assert.rejects(get({ sha256: wrong }), TypeError);
  });
});
