// Writing to registries that lie, cut, redirect, refuse and run full.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { RegistryClient } from "../../../lib/oci/client";
import { refused } from "../../support/refused";
import { digestOf, emptyManifest, manifestAnswer, quickLimits } from "../../support/scriptedRegistry";
import {
  type RecordedRequest,
  type ScriptedAnswer,
  type ScriptedServer,
  startScriptedServer,
} from "../../support/scriptedServer";

const blob = Buffer.from("content of a blob");
const digest = digestOf(blob);
const refusal = JSON.stringify({ errors: [{ code: "DENIED", message: "not here" }] });
const wanted = { digest, size: blob.length };
const basic = `Basic ${Buffer.from("u:p").toString("base64")}`;

describe("pushing blobs", () => {
  let server: ScriptedServer;
  const repository = () => ({ registry: server.host, path: "a/b" });
  const client = (options: object = {}) => new RegistryClient({ limits: quickLimits, ...options });
  /** An honest registry without the blob; `change` replaces single answers. */
  const registry = (change: (request: RecordedRequest) => ScriptedAnswer | undefined = () => undefined) =>
    server.answer((request) => change(request) ?? honest(request));
  const honest = ({ method }: RecordedRequest): ScriptedAnswer => {
    if (method === "HEAD") return { status: 404 };
    if (method === "POST") return { status: 202, headers: { location: "/v2/a/b/blobs/uploads/1?_state=x%2By" } };
    return { status: 201, headers: { "docker-content-digest": digest } };
  };
  beforeEach(async () => {
    server = await startScriptedServer(() => ({ status: 500 }));
    registry();
  });
  afterEach(() => server.stop());

  it("looks first, then sends the whole blob in one request with its exact length", async () => {
    assert.equal(await client().pushBlob(repository(), wanted, { bytes: blob }), "uploaded");
    assert.deepEqual(server.lines(), [
      `HEAD /v2/a/b/blobs/${digest}`,
      "POST /v2/a/b/blobs/uploads/",
      `PUT /v2/a/b/blobs/uploads/1?_state=x%2By&digest=${encodeURIComponent(digest)}`,
    ]);
    const { headers, body } = server.requests[2]!;
    assert.deepEqual(
      [headers["content-length"], headers["content-type"], headers["transfer-encoding"], body],
      [String(blob.length), "application/octet-stream", undefined, blob],
    );
  });

  it("sends nothing that is there already", async () => {
    registry(({ method }) => (method === "HEAD" ? { status: 200 } : undefined));
    assert.equal(await client().pushBlob(repository(), wanted, { bytes: blob }), "present");
    assert.equal(server.requests.length, 1);
  });

  it("sends it all the same when told that the registry is wrong about it", async () => {
    registry(({ method }) => (method === "HEAD" ? { status: 200 } : undefined));
    assert.equal(await client().pushBlob(repository(), wanted, { bytes: blob }, { force: true }), "uploaded");
    assert.deepEqual(
      server.requests.map(({ method }) => method),
      ["POST", "PUT"],
    );
  });

  describe("from a file or a stream", () => {
    let dir: string;
    beforeEach(() => {
      dir = mkdtempSync(join(tmpdir(), "push-"));
    });
    afterEach(() => rmSync(dir, { recursive: true }));

    it("sends the exact length and nothing chunked", async () => {
      writeFileSync(join(dir, "blob"), blob);
      await client().pushBlob(repository(), wanted, { file: join(dir, "blob") });
      await client().pushBlob(repository(), wanted, {
        stream: async () => ({ size: blob.length, stream: Readable.from([blob.subarray(0, 3), blob.subarray(3)]) }),
      });
      for (const { headers, body } of server.requests.filter(({ method }) => method === "PUT")) {
        assert.deepEqual(
          [headers["content-length"], headers["transfer-encoding"], body],
          [String(blob.length), undefined, blob],
        );
      }
    });

    it("sends an empty blob too", async () => {
      const empty = { digest: digestOf(""), size: 0 };
      registry(({ method }) => (method === "PUT" ? { status: 201 } : undefined));
      assert.equal(
        await client().pushBlob(repository(), empty, { stream: async () => ({ size: 0, stream: Readable.from([]) }) }),
        "uploaded",
      );
      assert.equal(server.requests.at(-1)!.headers["content-length"], "0");
    });

    for (const [what, content] of [
      ["other bytes", "x".repeat(blob.length)],
      ["fewer bytes", "x"],
      ["more bytes", "x".repeat(blob.length + 1)],
    ]) {
      it(`never ends an upload of ${what} than announced`, async () => {
        writeFileSync(join(dir, "blob"), content!);
        const error = await refused("source-changed", () =>
          client().pushBlob(repository(), wanted, { file: join(dir, "blob") }),
        );
        assert.match(error.message, /run again when nothing writes there/);
        assert.deepEqual(
          server.requests.filter(({ method, body }) => method === "PUT" && body.length > 0),
          [],
        );
      });
    }

    it("says that a file is gone", async () => {
      await assert.rejects(client().pushBlob(repository(), wanted, { file: join(dir, "gone") }), /ENOENT/);
    });

    it("opens the source anew for each try", async () => {
      let opened = 0;
      let puts = 0;
      registry(({ method }) => (method === "PUT" && ++puts < 3 ? { reset: true } : undefined));
      const stream = async () => {
        opened++;
        return { size: blob.length, stream: Readable.from([blob]) };
      };
      assert.equal(await client().pushBlob(repository(), wanted, { stream }), "uploaded");
      assert.equal(opened, 3);
    });

    it("hears an answer that comes before the upload's end", async () => {
      const big = Buffer.alloc(8 * 1024 * 1024, 1);
      writeFileSync(join(dir, "big"), big);
      for (const [status, code] of [
        [507, "registry-full"],
        [403, "registry-forbidden"],
        [405, "registry-read-only"],
      ] as const) {
        registry(({ method }) =>
          method === "PUT" ? { status, early: true, body: refusal, headers: { connection: "close" } } : undefined,
        );
        await refused(code, () =>
          client().pushBlob(repository(), { digest: digestOf(big), size: big.length }, { file: join(dir, "big") }),
        );
      }
    });
  });

  describe("mounting", () => {
    const mountFrom = () => ({ registry: server.host, path: "other/repository" });

    it("is tried under another spelling of the registry's name, and never from another registry", async () => {
      registry(({ method }) => (method === "POST" ? { status: 201 } : undefined));
      const port = server.host.split(":")[1];
      const to = { registry: `localhost:${port}`, path: "a/b" };
      for (const [name, result] of [
        [`LOCALHOST:${port}`, "mounted"],
        ["localhost:1", "uploaded"],
      ] as const) {
        if (result === "uploaded") registry();
        const from = { registry: name, path: "other/repository" };
        assert.equal(await client().pushBlob(to, wanted, { bytes: blob }, { mountFrom: from }), result);
      }
      assert.equal(server.lines().filter((line) => line.includes("mount=")).length, 1);
    });

    it("takes a blob over from another repository without sending it", async () => {
      registry(({ method }) =>
        method === "POST" ? { status: 201, headers: { location: `/v2/a/b/blobs/${digest}` } } : undefined,
      );
      assert.equal(
        await client().pushBlob(repository(), wanted, { bytes: blob }, { mountFrom: mountFrom() }),
        "mounted",
      );
      assert.deepEqual(server.lines(), [
        `HEAD /v2/a/b/blobs/${digest}`,
        `POST /v2/a/b/blobs/uploads/?mount=${encodeURIComponent(digest)}&from=other%2Frepository`,
      ]);
    });

    it("uploads to the place that a registry gives instead", async () => {
      assert.equal(
        await client().pushBlob(repository(), wanted, { bytes: blob }, { mountFrom: mountFrom() }),
        "uploaded",
      );
      assert.deepEqual(
        server.requests.map(({ method }) => method),
        ["HEAD", "POST", "PUT"],
      );
    });

    for (const status of [400, 404, 405]) {
      it(`uploads when the registry answers ${status} to the attempt`, async () => {
        registry(({ method, path }) => (method === "POST" && path.includes("mount") ? { status } : undefined));
        assert.equal(
          await client().pushBlob(repository(), wanted, { bytes: blob }, { mountFrom: mountFrom() }),
          "uploaded",
        );
        assert.deepEqual(
          server.requests.map(({ method }) => method),
          ["HEAD", "POST", "POST", "PUT"],
        );
      });
    }

    it("may leave it to the registry where the blob is", async () => {
      registry(({ method }) => (method === "POST" ? { status: 201 } : undefined));
      assert.equal(await client().pushBlob(repository(), wanted, { bytes: blob }, { mountFrom: "any" }), "mounted");
      assert.equal(server.requests[1]!.path, `/v2/a/b/blobs/uploads/?mount=${encodeURIComponent(digest)}`);
    });

    it("is not tried from another registry, nor from the repository itself", async () => {
      for (const from of [{ registry: "other.example", path: "x" }, repository()])
        await client().pushBlob(repository(), wanted, { bytes: blob }, { mountFrom: from });
      assert.equal(
        server.lines().some((line) => line.includes("mount=")),
        false,
      );
    });

    it("does not take 201 for a mount where none was asked for", async () => {
      registry(({ method }) => (method === "POST" ? { status: 201 } : undefined));
      await refused("registry-answer", () => client().pushBlob(repository(), wanted, { bytes: blob }));
    });
  });

  describe("to where the registry says", () => {
    it("follows a whole address, and gives another host the bytes but no credential", async () => {
      const storage = await startScriptedServer(() => ({ status: 201 }));
      const guarded = (request: RecordedRequest): ScriptedAnswer =>
        request.headers.authorization === basic
          ? request.method === "POST"
            ? { status: 202, headers: { location: `http://${storage.host}/up?sig=a%2Fb` } }
            : { status: 404 }
          : { status: 401, headers: { "www-authenticate": "Basic realm=x" } };
      registry(guarded);
      const credentials = { find: async () => ({ username: "u", password: "p" }) };
      assert.equal(await client({ credentials }).pushBlob(repository(), wanted, { bytes: blob }), "uploaded");
      assert.deepEqual(storage.lines(), [`PUT /up?sig=a%2Fb&digest=${encodeURIComponent(digest)}`]);
      assert.equal(storage.requests[0]!.headers.authorization, undefined);
      assert.deepEqual(storage.requests[0]!.body, blob);
      await storage.stop();
    });

    it("sends the credential to its own host", async () => {
      registry(({ headers, method }): ScriptedAnswer | undefined => {
        if (headers.authorization !== basic) return { status: 401, headers: { "www-authenticate": "Basic realm=x" } };
        return method === "POST" ? { status: 202, headers: { location: `http://${server.host}/up` } } : undefined;
      });
      await client({ credentials: { find: async () => ({ username: "u", password: "p" }) } }).pushBlob(
        repository(),
        wanted,
        { bytes: blob },
      );
      assert.equal(server.requests.at(-1)!.headers.authorization, basic);
    });

    for (const location of ["http://storage.example/up", "ftp://127.0.0.1/up", "http://u:p@127.0.0.1/up", "http://["]) {
      it(`does not send to ${location}`, async () => {
        registry(({ method }) => (method === "POST" ? { status: 202, headers: { location } } : undefined));
        await refused("registry-answer", () => client().pushBlob(repository(), wanted, { bytes: blob }));
      });
    }

    it("refuses an upload without a place", async () => {
      registry(({ method }) => (method === "POST" ? { status: 202 } : undefined));
      await refused("registry-answer", () => client().pushBlob(repository(), wanted, { bytes: blob }));
    });

    it("does not follow a redirect of an upload", async () => {
      registry(({ method }) => (method === "PUT" ? { status: 307, headers: { location: "/elsewhere" } } : undefined));
      await refused("registry-answer", () => client().pushBlob(repository(), wanted, { bytes: blob }));
      const stream = async () => ({ size: blob.length, stream: Readable.from([blob]) });
      assert.match(
        (await refused("registry-answer", () => client().pushBlob(repository(), wanted, { stream }))).message,
        /redirect/,
      );
      assert.equal(
        server.lines().some((line) => line.includes("elsewhere")),
        false,
      );
    });
  });

  describe("to a registry in trouble", () => {
    const refusals: readonly [number, string, string][] = [
      [401, "registry-unauthorized", ""],
      [403, "registry-forbidden", ""],
      [405, "registry-read-only", '{"errors":[{"code":"UNSUPPORTED","message":"The operation is unsupported."}]}'],
      [409, "registry-conflict", ""],
      [413, "registry-answer", ""],
      [429, "registry-throttled", ""],
      [500, "registry-unavailable", ""],
      [
        500,
        "registry-full",
        '{"errors":[{"code":"UNKNOWN","message":"unknown error","detail":{"Op":"write","Path":"/x","Err":28}}]}',
      ],
      [507, "registry-full", ""],
    ];
    for (const [status, code, body] of refusals) {
      for (const method of ["POST", "PUT"]) {
        it(`says ${code} for ${status} to ${method}${body.includes("Err") ? " when its disk is full" : ""}`, async () => {
          registry((request) => (request.method === method ? { status, body } : undefined));
          await refused(code, () => client().pushBlob(repository(), wanted, { bytes: blob }));
        });
      }
    }

    it("begins the upload again when the registry has lost it, or got other bytes", async () => {
      const faults: ScriptedAnswer[] = [
        { status: 404, body: '{"errors":[{"code":"BLOB_UPLOAD_UNKNOWN"}]}' },
        { status: 416 },
        { status: 400, body: '{"errors":[{"code":"DIGEST_INVALID"}]}' },
        { reset: true },
      ];
      registry(({ method }) => (method === "PUT" ? faults.shift() : undefined));
      assert.equal(await client().pushBlob(repository(), wanted, { bytes: blob }), "uploaded");
      assert.deepEqual(server.requests.map(({ method }) => method).join(" "), Array(5).fill("HEAD POST PUT").join(" "));
    });

    it("does not begin again for other bad requests", async () => {
      registry(({ method }) =>
        method === "PUT" ? { status: 400, body: '{"errors":[{"code":"NAME_INVALID"}]}' } : undefined,
      );
      await refused("registry-answer", () => client().pushBlob(repository(), wanted, { bytes: blob }));
      assert.equal(server.requests.length, 3);
    });

    it("refuses a blob that was stored under another digest", async () => {
      registry(({ method }) =>
        method === "PUT" ? { status: 201, headers: { "docker-content-digest": digestOf("x") } } : undefined,
      );
      await refused("registry-answer", () => client().pushBlob(repository(), wanted, { bytes: blob }));
    });

    it("finds what an upload left whose answer was lost", async () => {
      let stored = false;
      registry(({ method }) => {
        if (method === "HEAD") return { status: stored ? 200 : 404 };
        if (method !== "PUT") return undefined;
        stored = true;
        return { reset: true };
      });
      assert.equal(await client().pushBlob(repository(), wanted, { bytes: blob }), "present");
      assert.equal(server.requests.filter(({ method }) => method === "PUT").length, 1);
    });
  });
});

describe("pushing manifests", () => {
  let server: ScriptedServer;
  const bytes = Buffer.from(JSON.stringify(emptyManifest));
  const put = (reference: string) =>
    new RegistryClient({ limits: quickLimits }).putManifest(
      { registry: server.host, path: "a" },
      reference,
      bytes,
      emptyManifest.mediaType,
    );
  beforeEach(async () => {
    server = await startScriptedServer(() => ({ status: 201, headers: { "docker-content-digest": digestOf(bytes) } }));
  });
  afterEach(() => server.stop());

  it("puts the bytes under a tag or their digest", async () => {
    assert.equal(await put("v1"), digestOf(bytes));
    assert.equal(await put(digestOf(bytes)), digestOf(bytes));
    assert.deepEqual(server.lines(), ["PUT /v2/a/manifests/v1", `PUT /v2/a/manifests/${digestOf(bytes)}`]);
    assert.equal(server.requests[0]!.headers["content-type"], emptyManifest.mediaType);
    assert.deepEqual(server.requests[0]!.body, bytes);
  });

  it("reads the digest back where the answer does not name it", async () => {
    server.answer(({ method }) => (method === "PUT" ? { status: 201 } : manifestAnswer(emptyManifest)));
    assert.equal(await put("v1"), digestOf(bytes));
    assert.deepEqual(
      server.requests.map(({ method }) => method),
      ["PUT", "HEAD"],
    );
  });

  it("refuses an answer that names another digest", async () => {
    server.answer(() => ({ status: 201, headers: { "docker-content-digest": digest } }));
    await refused("registry-answer", () => put("v1"));
    server.answer(({ method }) =>
      method === "PUT" ? { status: 201 } : { headers: { "docker-content-digest": digest } },
    );
    await refused("registry-answer", () => put("v1"));
  });

  it("does not put a manifest under a digest that is not its own, nor under what is no tag", async () => {
    for (const reference of [digest, "-x", "a/b", "", "../x"])
      await assert.rejects(async () => put(reference), TypeError);
    assert.equal(server.requests.length, 0);
  });

  it("says that the registry misses a blob", async () => {
    server.answer(() => ({
      status: 400,
      body: JSON.stringify({
        errors: [{ code: "MANIFEST_BLOB_UNKNOWN", message: "blob unknown to registry", detail: { digest } }],
      }),
    }));
    await refused("manifest-blob-unknown", () => put("v1"));
    server.answer(() => ({ status: 404, body: JSON.stringify({ errors: [{ code: "BLOB_UNKNOWN" }] }) }));
    await refused("manifest-blob-unknown", () => put("v1"));
    assert.equal(server.requests.length, 2);
  });

  const refusals: readonly [number, string][] = [
    [400, "registry-answer"],
    [401, "registry-unauthorized"],
    [403, "registry-forbidden"],
    [404, "registry-answer"],
    [405, "registry-read-only"],
    [409, "registry-conflict"],
    [412, "registry-conflict"],
    [413, "registry-answer"],
    [429, "registry-throttled"],
    [503, "registry-unavailable"],
    [507, "registry-full"],
  ];
  for (const [status, code] of refusals) {
    it(`says ${code} for ${status}`, async () => {
      server.answer(() => ({ status }));
      await refused(code, () => put("v1"));
    });
  }

  it("puts again what was cut off, as it is the same act", async () => {
    server.answer(({ index }) =>
      index < 2 ? { reset: true } : { status: 201, headers: { "docker-content-digest": digestOf(bytes) } },
    );
    assert.equal(await put("v1"), digestOf(bytes));
    assert.equal(server.requests.length, 3);
  });
});
