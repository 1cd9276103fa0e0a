// The engine's wire forms: progress lines, multiplexed output, BuildKit's trace, the credential header.
import assert from "node:assert/strict";
import { Readable } from "node:stream";
import fc from "fast-check";
import { compareVersions } from "../../../lib/compareVersions";
import { registryAuthHeader } from "../../../lib/docker/auth";
import { demultiplex } from "../../../lib/docker/exec";
import { jsonLines } from "../../../lib/docker/jsonLines";
import { decodeFields, encodeFields, text } from "../../../lib/docker/protobuf";
import { BuildTrace } from "../../../lib/docker/trace";
import { anyCharacter } from "../../support/anyCharacter";

/** Cuts bytes at the given places, wherever a network might. */
function pieces(bytes: Buffer, cuts: readonly number[]): Readable {
  const at = [...new Set([0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length])].sort((a, b) => a - b);
  return Readable.from(
    at
      .slice(1)
      .map((end, index) => bytes.subarray(at[index], end))
      .filter((part) => part.length > 0),
  );
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

const cuts = fc.array(fc.nat(10_000), { maxLength: 8 });

describe("the engine's progress lines", () => {
  it("are read whole wherever the network cuts them, also inside a letter", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.record({ status: fc.string({ unit: anyCharacter }) })), cuts, async (lines, at) => {
        const bytes = Buffer.from(lines.map((line) => `${JSON.stringify(line)}\r\n`).join(""));
        assert.deepEqual(await collect(jsonLines(pieces(bytes, at))), JSON.parse(JSON.stringify(lines)));
      }),
    );
  });

  it("need no newline at the end", async () => {
    assert.deepEqual(await collect(jsonLines(Readable.from([Buffer.from('{"status":"a"}\n\n{"status":"b"}')]))), [
      { status: "a" },
      { status: "b" },
    ]);
  });

  it("that are no JSON are an error", async () => {
    await assert.rejects(collect(jsonLines(Readable.from([Buffer.from("<html>\n")]))), SyntaxError);
  });
});

describe("a program's output", () => {
  it("is put together from frames wherever they are cut, each stream by itself", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 })), cuts, async (payloads, at) => {
        const frames = payloads.map((payload, index) => {
          const header = Buffer.from([1 + (index % 2), 0, 0, 0, 0, 0, 0, 0]);
          header.writeUInt32BE(payload.length, 4);
          return Buffer.concat([header, payload]);
        });
        const read = await collect(demultiplex(pieces(Buffer.concat(frames), at)));
        for (const [stream, parity] of [
          ["stdout", 0],
          ["stderr", 1],
        ] as const)
          assert.deepEqual(
            Buffer.concat(read.filter((piece) => piece.stream === stream).map(({ bytes }) => bytes)),
            Buffer.concat(payloads.filter((_, index) => index % 2 === parity)),
          );
      }),
    );
  });
});

describe("protobuf messages", () => {
  it("come back as they were written", () => {
    fc.assert(
      fc.property(
        fc.string({ minLength: 1, unit: anyCharacter }),
        fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
        (word, value) => {
          const fields = decodeFields(encodeFields({ 1: word, 2: value, 200: "x" }));
          assert.equal(text(fields, 1), Buffer.from(word).toString());
          assert.equal(fields.get(2)?.at(-1), value);
          assert.equal(text(fields, 200), "x");
        },
      ),
    );
  });

  it("leave empty values out", () => assert.equal(encodeFields({ 1: "", 2: 0 }).length, 0));

  it("that are cut off are an error", () => {
    const bytes = encodeFields({ 1: "hello" });
    for (let length = 1; length < bytes.length; length++)
      assert.throws(() => decodeFields(bytes.subarray(0, length)), /truncated/);
  });
});

describe("a build's trace", () => {
  // StatusResponse: vertexes = 1, logs = 3. Vertex: digest 1, name 3, started 5, error 7. VertexLog: vertex 1, msg 4.
  const bytesField = (field: number, bytes: Buffer) =>
    Buffer.concat([Buffer.from([field * 8 + 2]), lengthOf(bytes), bytes]);
  const lengthOf = (bytes: Buffer) =>
    bytes.length < 128
      ? Buffer.from([bytes.length])
      : Buffer.from([(bytes.length % 128) + 128, Math.floor(bytes.length / 128)]);
  const vertex = (digest: string, name: string, more: { started?: boolean; error?: string } = {}) =>
    bytesField(
      1,
      Buffer.concat([
        encodeFields({ 1: digest, 3: name }),
        ...(more.started ? [bytesField(5, encodeFields({ 1: 5 }))] : []),
        encodeFields({ 7: more.error ?? "" }),
      ]),
    ).toString("base64");
  const log = (digest: string, message: string) =>
    bytesField(3, encodeFields({ 1: digest, 4: message })).toString("base64");

  it("names each step once, as it starts", () => {
    const steps: string[] = [];
    const trace = new BuildTrace((step) => steps.push(step));
    trace.add(vertex("a", "[1/2] FROM base"));
    trace.add(vertex("a", "[1/2] FROM base", { started: true }));
    trace.add(vertex("a", "[1/2] FROM base", { started: true }));
    trace.add(vertex("b", "[2/2] COPY", { started: true }));
    assert.deepEqual(steps, ["[1/2] FROM base", "[2/2] COPY"]);
    assert.equal(trace.failure(), undefined);
  });

  it("keeps the last 20 lines of the step that failed, not those of the one cancelled for it", () => {
    const trace = new BuildTrace();
    trace.add(vertex("b", "[b] RUN slow", { started: true, error: "rpc error: context canceled" }));
    trace.add(vertex("a", "[a] RUN make", { started: true }));
    for (let line = 1; line <= 30; line++) for (const part of ["li", `ne ${line}\n`]) trace.add(log("a", part));
    trace.add(vertex("a", "[a] RUN make", { started: true, error: "exit code: 2" }));
    const failure = trace.failure();
    assert.equal(failure?.step, "[a] RUN make");
    assert.equal(failure?.error, "exit code: 2");
    assert.deepEqual(
      failure?.log,
      Array.from({ length: 20 }, (_, index) => `line ${index + 11}`),
    );
  });

  it("that cannot be read is skipped: it is progress only", () => {
    const trace = new BuildTrace();
    for (const aux of [undefined, 7, "", "####", "CgE=", Buffer.from([0x0f]).toString("base64")]) trace.add(aux);
    assert.equal(trace.failure(), undefined);
  });
});

describe("the credential header", () => {
  it("is base64url with its padding, which the engine needs", async () => {
    const header = await registryAuthHeader("r:5000", async () => ({ username: "u", password: "pässwörd>>??" }));
    assert.equal(header.length % 4, 0);
    assert.match(header, /^[A-Za-z0-9_-]+=*$/);
    assert.deepEqual(JSON.parse(Buffer.from(header, "base64url").toString()), {
      username: "u",
      password: "pässwörd>>??",
      serveraddress: "r:5000",
    });
  });

  it("is an empty object without credentials", async () => {
    assert.equal(await registryAuthHeader("r:5000", undefined), "e30=");
  });

  it("asks for the very host", async () => {
    const asked: string[] = [];
    await registryAuthHeader("a.example:5000", async (host) => {
      asked.push(host);
      return undefined;
    });
    assert.deepEqual(asked, ["a.example:5000"]);
  });
});

describe("dotted versions", () => {
  it("compare by number", () => {
    assert.ok(compareVersions("1.9", "1.44") < 0);
    assert.ok(compareVersions("29.0.0-rc.1", "23") > 0);
    assert.ok(compareVersions("20.10.24+dfsg1", "23") < 0);
    assert.equal(compareVersions("23", "23.0.0"), 0);
  });
});
