// Reading from registries that lie, cut, throttle and fall over. What a real registry does is in test/registry.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { RegistryClient } from "../../../lib/oci/client";
import { refused } from "../../support/refused";
import { digestOf, emptyManifest, manifestAnswer, notFound, quickLimits } from "../../support/scriptedRegistry";
import {
  type Script,
  type ScriptedAnswer,
  type ScriptedServer,
  startScriptedServer,
} from "../../support/scriptedServer";

const blob = Buffer.from("content of a blob");
const digest = digestOf(blob);
const document = JSON.stringify(emptyManifest);

describe("registry client", () => {
  let server: ScriptedServer;
  const repository = () => ({ registry: server.host, path: "team/image" });
  const client = (options: object = {}) => new RegistryClient({ limits: quickLimits, ...options });
  const answers = (...script: readonly (ScriptedAnswer | Script)[]) =>
    server.answer((request) => {
      const next = script[Math.min(request.index, script.length - 1)]!;
      return typeof next === "function" ? next(request) : next;
    });
  beforeEach(async () => {
    server = await startScriptedServer(() => notFound);
  });
  afterEach(() => server.stop());

  describe("looking", () => {
    it("knows that something answers as a registry", async () => {
      answers({ body: "{}", headers: { "content-type": "application/json" } });
      await client().ping(server.host);
      assert.deepEqual(server.lines(), ["GET /v2/"]);
    });

    it("does not take a web server for a registry", async () => {
      answers({ body: "<html>", headers: { "content-type": "text/html; charset=utf-8" } });
      assert.match((await refused("registry-answer", () => client().ping(server.host))).message, /web page/);
      answers(notFound);
      await refused("registry-answer", () => client().ping(server.host));
    });

    it("takes 404, and nothing else, for absence", async () => {
      assert.equal(await client().resolve(repository(), "v1"), undefined);
      assert.equal(await client().manifest(repository(), "v1"), undefined);
      assert.equal(await client().hasBlob(repository(), digest), false);
      assert.deepEqual(await client().tags(repository()), []);
    });

    const refusals: readonly [number, string][] = [
      [401, "registry-unauthorized"],
      [403, "registry-forbidden"],
      [429, "registry-throttled"],
      [500, "registry-unavailable"],
      [502, "registry-unavailable"],
      [503, "registry-unavailable"],
      [507, "registry-full"],
      [400, "registry-answer"],
      [409, "registry-conflict"],
      [418, "registry-answer"],
      [204, "registry-answer"],
    ];
    for (const [status, code] of refusals) {
      it(`says ${code} for ${status}, never that nothing is there`, async () => {
        answers({ status });
        for (const action of [
          () => client().resolve(repository(), "v1"),
          () => client().manifest(repository(), "v1"),
          () => client().hasBlob(repository(), digest),
          () => client().tags(repository()),
          () => client().blob(repository(), digest),
        ]) {
          assert.match((await refused(code, action)).message, new RegExp(`${status}`));
        }
      });
    }

    it("shows the registry's own words on one line", async () => {
      answers({ status: 403, body: JSON.stringify({ errors: [{ code: "DENIED", message: "no\nway\u001b[31m" }] }) });
      assert.match(
        (await refused("registry-forbidden", () => client().tags(repository()))).message,
        /\(DENIED no way\)/,
      );
    });

    it("says which host does not answer", async () => {
      const { host } = server;
      await server.stop();
      const error = await refused("registry-unavailable", () => client().resolve({ registry: host, path: "a" }, "v1"));
      assert.match(error.message, new RegExp(`no answer to HEAD ${host}/v2/a/manifests/v1: .*ECONNREFUSED`));
    });

    it("names a host that does not exist, without another try", async () => {
      const lines: string[] = [];
      const error = await refused("registry-unavailable", () =>
        client({ log: (line: string) => lines.push(line) }).ping("registry.invalid"),
      );
      assert.match(error.message, /registry\.invalid/);
      assert.deepEqual(
        lines.filter((line) => !/EAI_AGAIN/.test(line)),
        [],
      );
    });
  });

  describe("resolving", () => {
    it("asks by HEAD for every form it can read", async () => {
      answers({ ...manifestAnswer(emptyManifest) });
      assert.deepEqual(await client().resolve(repository(), "v1"), {
        mediaType: emptyManifest.mediaType,
        digest: digestOf(document),
        size: document.length,
      });
      assert.deepEqual(server.lines(), ["HEAD /v2/team/image/manifests/v1"]);
      assert.match(
        server.requests[0]!.headers.accept ?? "",
        /oci\.image\.index\.v1\+json.*docker\.distribution\.manifest\.list/,
      );
    });

    it("reads the manifest where the registry names no digest, or knows no HEAD", async () => {
      for (const head of [
        { headers: { "content-type": emptyManifest.mediaType } },
        { status: 405 },
      ] as ScriptedAnswer[]) {
        server.answer(({ method }) => (method === "HEAD" ? head : manifestAnswer(emptyManifest, {})));
        assert.equal((await client().resolve(repository(), "v1"))?.digest, digestOf(document));
      }
    });

    it("refuses another digest than the one asked for", async () => {
      answers(manifestAnswer(emptyManifest));
      await refused("registry-answer", () => client().resolve(repository(), digest));
    });
  });

  describe("reading manifests", () => {
    it("gives the bytes as they are", async () => {
      answers(manifestAnswer(emptyManifest));
      assert.deepEqual(await client().manifest(repository(), digestOf(document)), {
        digest: digestOf(document),
        mediaType: emptyManifest.mediaType,
        bytes: Buffer.from(document),
      });
    });

    const lies: readonly [string, ScriptedAnswer, string][] = [
      ["bytes of another digest", manifestAnswer({ ...emptyManifest, layers: [1] }), digestOf(document)],
      [
        "a digest header that its bytes do not have",
        manifestAnswer(emptyManifest, { "docker-content-digest": digest }),
        "v1",
      ],
      [
        "an index as an image",
        manifestAnswer({ schemaVersion: 2, mediaType: "application/vnd.oci.image.index.v1+json", manifests: [] }),
        "v1",
      ],
      ["a web page", { body: "<html>", headers: { "content-type": "text/html" } }, "v1"],
      ["nothing", { body: "" }, "v1"],
      ["more than 4 MiB", { ...manifestAnswer({ ...emptyManifest, annotations: { a: "x".repeat(5e6) } }) }, "v1"],
    ];
    for (const [what, answer, reference] of lies) {
      it(`refuses ${what}, at once`, async () => {
        answers(answer);
        await refused("registry-answer", () => client().manifest(repository(), reference));
        assert.equal(server.requests.length, 1);
      });
    }

    it("takes the type from the document where the header says nothing useful", async () => {
      answers(manifestAnswer(emptyManifest, { "content-type": "application/octet-stream" }));
      assert.equal((await client().manifest(repository(), "v1"))?.mediaType, emptyManifest.mediaType);
    });
  });

  describe("reading blobs", () => {
    it("checks the digest", async () => {
      answers({ body: blob });
      assert.deepEqual(await client().blob(repository(), digest), blob);
      answers({ body: "other content!!!!" });
      await refused("registry-answer", () => client().blob(repository(), digest));
    });

    it("says that a blob is gone", async () => {
      await refused("blob-missing", () => client().blob(repository(), digest));
      await refused("blob-missing", () => client().blobStream(repository(), digest));
    });

    it("reads no more than it was told to", async () => {
      answers({ body: blob });
      await refused("registry-answer", () => client().blob(repository(), digest, blob.length - 1));
      assert.deepEqual(await client().blob(repository(), digest, blob.length), blob);
    });

    it("tries again after a cut, a reset and a silence", async () => {
      answers({ body: blob, cutAfter: 5 }, { reset: true }, { body: blob, delay: 200 }, { body: blob });
      assert.deepEqual(await client({ limits: { ...quickLimits, answerTime: 50 } }).blob(repository(), digest), blob);
      assert.equal(server.requests.length, 4);
    });

    it("tells a silence from a slow answer", async () => {
      answers({ body: blob, delay: 150 });
      const error = await refused("registry-unavailable", () =>
        client({ limits: { ...quickLimits, answerTime: 30 } }).blob(repository(), digest),
      );
      assert.match(error.message, /no answer for 0 s/);
      assert.deepEqual(await client().blob(repository(), digest), blob);
    });

    const readAll = async (stream: AsyncIterable<Buffer>) => {
      const chunks: Buffer[] = [];
      for await (const chunk of stream) chunks.push(chunk);
      return Buffer.concat(chunks);
    };

    it("streams a blob, and fails before its end when the bytes are wrong or stay cut", async () => {
      answers({ body: blob });
      const { size, stream } = await client().blobStream(repository(), digest);
      assert.equal(size, blob.length);
      assert.deepEqual(await readAll(stream), blob);
      for (const [answer, code] of [
        [{ body: "x".repeat(blob.length) }, "registry-answer"],
        [{ body: blob, cutAfter: 3 }, "registry-unavailable"],
        [{ body: blob, cutAfter: 0 }, "registry-unavailable"],
      ] as const) {
        answers(answer);
        const wrong = await client().blobStream(repository(), digest);
        let seen = 0;
        wrong.stream.on("data", (chunk: Buffer) => {
          seen += chunk.length;
        });
        const error = await new Promise((resolve) => wrong.stream.on("error", resolve));
        assert.equal((error as { code?: string }).code, code);
        assert.ok(seen < blob.length);
      }
    });

    it("goes on where the connection broke, whether the registry knows ranges or not", async () => {
      for (const ranges of [true, false]) {
        const begin = server.requests.length;
        server.answer(({ headers, index }) => {
          if (index - begin === 2) return { status: 503 };
          const start = ranges ? Number(/bytes=([0-9]+)-/.exec(headers.range ?? "")?.[1] ?? 0) : 0;
          const partial =
            start > 0
              ? { status: 206, headers: { "content-range": `bytes ${start}-${blob.length - 1}/${blob.length}` } }
              : {};
          return { ...partial, body: blob.subarray(start), ...(index - begin < 4 ? { cutAfter: 5 } : {}) };
        });
        const { stream } = await client().blobStream(repository(), digest);
        assert.deepEqual(await readAll(stream), blob);
        assert.equal(server.requests[begin + 1]!.headers.range, "bytes=5-");
      }
    });

    it("refuses a stream of another size than its manifest states", async () => {
      answers({ body: blob });
      await refused("registry-answer", () => client().blobStream(repository(), digest, blob.length + 1));
      assert.deepEqual(await readAll((await client().blobStream(repository(), digest, blob.length)).stream), blob);
    });

    it("refuses another part of a blob than the one asked for", async () => {
      server.answer(({ headers }) =>
        headers.range === undefined
          ? { body: blob, cutAfter: 5 }
          : { status: 206, body: blob, headers: { "content-range": `bytes 0-${blob.length - 1}/${blob.length}` } },
      );
      const { stream } = await client().blobStream(repository(), digest);
      await refused("registry-answer", () => readAll(stream));
    });

    it("refuses a stream without a size", async () => {
      const bare = createServer((_request, answer) => {
        answer.writeHead(200, { "transfer-encoding": "chunked" });
        answer.end(blob);
      });
      await new Promise<void>((resolve) => bare.listen(0, "127.0.0.1", resolve));
      const { port } = bare.address() as AddressInfo;
      await refused("registry-answer", () => client().blobStream({ registry: `127.0.0.1:${port}`, path: "a" }, digest));
      bare.closeAllConnections();
      bare.close();
    });

    it("ends at once when aborted, with the reason given", async () => {
      const controller = new AbortController();
      answers({ delay: 60_000 });
      setTimeout(() => controller.abort(new Error("stack was cancelled")), 30);
      const started = Date.now();
      await assert.rejects(client({ signal: controller.signal }).blob(repository(), digest), /stack was cancelled/);
      await assert.rejects(client({ signal: controller.signal }).tags(repository()), /stack was cancelled/);
      assert.ok(Date.now() - started < 1000);
      assert.equal(server.requests.length, 1);
    });
  });

  describe("trying again", () => {
    it("honours Retry-After in seconds and survives nonsense", async () => {
      answers(
        { status: 429, headers: { "retry-after": "1" } },
        { status: 503, headers: { "retry-after": "35.852µs" } },
        notFound,
      );
      const started = Date.now();
      assert.deepEqual(await client({ limits: { ...quickLimits, totalWait: 5000 } }).tags(repository()), []);
      assert.ok(Date.now() - started >= 1000);
      assert.equal(server.requests.length, 3);
    });

    it("gives up at once when told to come back after the bound", async () => {
      answers({ status: 429, headers: { "retry-after": new Date(Date.now() + 3_600_000).toUTCString() } });
      await refused("registry-throttled", () => client().tags(repository()));
      assert.equal(server.requests.length, 1);
    });

    it("asks five times and no more", async () => {
      answers({ status: 502 });
      await refused("registry-unavailable", () => client().tags(repository()));
      assert.equal(server.requests.length, 5);
    });

    it("does not ask again for what will not change", async () => {
      for (const status of [400, 403, 405, 409, 507]) {
        const before = server.requests.length;
        server.answer(() => ({ status }));
        await assert.rejects(client().hasBlob(repository(), digest));
        assert.equal(server.requests.length, before + 1);
      }
    });
  });

  describe("listing tags", () => {
    const page = (tags: unknown, next?: string): ScriptedAnswer => ({
      body: JSON.stringify({ name: "team/image", tags }),
      ...(next === undefined ? {} : { headers: { link: next } }),
    });

    it("follows the pages", async () => {
      answers(
        page(["a", "b"], '</v2/team/image/tags/list?n=2&last=b>; rel="next"'),
        page(["b", "c"], `<http://${server.host}/v2/team/image/tags/list?last=c>; rel=next`),
        page(["d"]),
      );
      assert.deepEqual(await client().tags(repository()), ["a", "b", "c", "d"]);
      assert.deepEqual(server.lines(), [
        "GET /v2/team/image/tags/list?n=1000",
        "GET /v2/team/image/tags/list?n=2&last=b",
        "GET /v2/team/image/tags/list?last=c",
      ]);
    });

    it("takes null for none", async () => {
      answers(page(null));
      assert.deepEqual(await client().tags(repository()), []);
    });

    it("ends a circle of pages, and a list without end", async () => {
      answers(page(["a"], '</v2/team/image/tags/list?n=1000>; rel="next"'));
      assert.match((await refused("registry-answer", () => client().tags(repository()))).message, /circle/);
      server.answer(({ index }) => page([`t${index}`], `</v2/team/image/tags/list?last=t${index}>; rel="next"`));
      assert.match(
        (
          await refused("registry-answer", () =>
            client({ limits: { ...quickLimits, tagPages: 20 } }).tags(repository()),
          )
        ).message,
        /more than 20 pages/,
      );
    });

    for (const next of [
      '<http://evil.example/tags>; rel="next"',
      '<http://127.0.0.1:1/x>; rel="next"',
      '<http://[>; rel="next"',
    ]) {
      it(`does not follow ${next}`, async () => {
        answers(page(["a"], next));
        await refused("registry-answer", () => client().tags(repository()));
        assert.equal(server.requests.length, 1);
      });
    }

    for (const tags of [[1], ["-x"], ["a/b"], "v1", { a: 1 }, [null]]) {
      it(`refuses ${JSON.stringify(tags)} as a list of tags`, async () => {
        answers(page(tags));
        await refused("registry-answer", () => client().tags(repository()));
      });
    }

    it("refuses what is no JSON", async () => {
      answers({ body: "<html>" });
      await refused("registry-answer", () => client().tags(repository()));
      answers({ body: "null" });
      await refused("registry-answer", () => client().tags(repository()));
    });
  });
});
