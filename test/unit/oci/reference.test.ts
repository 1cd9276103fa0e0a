// The grammar of references. That a name exists anywhere is not tested here.
import assert from "node:assert/strict";
import fc from "fast-check";
import { isDigest, sha256, shortDigest } from "../../../lib/oci/digest";
import {
  formatReference,
  parsePinned,
  parseReference,
  parseRepository,
  type Reference,
} from "../../../lib/oci/reference";
import { anyCharacter } from "../../support/anyCharacter";
import { refused } from "../../support/refused";

const digest = sha256("");

describe("digests", () => {
  it("are sha256 with 64 hexadecimal characters in lower case, and nothing else", () => {
    assert.equal(digest, "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert.equal(isDigest(digest), true);
    for (const text of [
      "",
      "sha256:",
      digest.toUpperCase(),
      digest.slice(0, -1),
      `${digest}0`,
      `${digest}\n`,
      `sha512:${"0".repeat(128)}`,
      digest.slice(7),
    ]) {
      assert.equal(isDigest(text), false, text);
    }
  });

  it("are shortened to 12 characters for screens", () => assert.equal(shortDigest(digest), "e3b0c44298fc"));

  it("are taken of a text's UTF-8", () => assert.equal(sha256("é"), sha256(Buffer.from([0xc3, 0xa9]))));
});

describe("references", () => {
  const valid: readonly [string, Reference][] = [
    ["127.0.0.1:5000/layers/base", { registry: "127.0.0.1:5000", path: "layers/base" }],
    ["localhost/a", { registry: "localhost", path: "a" }],
    ["[::1]:5000/a", { registry: "[::1]:5000", path: "a" }],
    ["ghcr.io/kyverno/kyverno-cli:v1.13.2", { registry: "ghcr.io", path: "kyverno/kyverno-cli", tag: "v1.13.2" }],
    [`ghcr.io/a/b@${digest}`, { registry: "ghcr.io", path: "a/b", digest }],
    [`ghcr.io/a/b:v1@${digest}`, { registry: "ghcr.io", path: "a/b", tag: "v1", digest }],
    ["docker.io/library/alpine:3", { registry: "docker.io", path: "library/alpine", tag: "3" }],
    ["a.b-c.example/x__y/z.9/q---w/1_2:_t.-", { registry: "a.b-c.example", path: "x__y/z.9/q---w/1_2", tag: "_t.-" }],
  ];
  for (const [text, expected] of valid) {
    it(`reads ${text}`, () => {
      assert.deepEqual(parseReference(text), expected);
      assert.equal(formatReference(expected), text);
    });
  }

  it("writes a host in lower case", () => assert.equal(formatReference(parseReference("GHCR.io/a/b")), "ghcr.io/a/b"));

  const malformed = [
    "",
    "/",
    "alpine",
    "library/alpine",
    "registry/alpine",
    "ghcr.io",
    "ghcr.io/",
    "ghcr.io//a",
    "ghcr.io/a/",
    "ghcr.io/A",
    "ghcr.io/a b",
    "ghcr.io/a:",
    "ghcr.io/a:-x",
    "ghcr.io/a:x:y",
    "ghcr.io/a@",
    "ghcr.io/a@sha256:abc",
    `ghcr.io/a@${digest.toUpperCase()}`,
    `ghcr.io/a@sha512:${"0".repeat(128)}`,
    `ghcr.io/a@${digest}@${digest}`,
    "ghcr.io/../a",
    "ghcr.io/a/./b",
    "ghcr.io/a..b",
    "ghcr.io/a___b",
    "ghcr.io/_a",
    "ghcr.io/a_",
    "ghcr.io:0/a",
    "ghcr.io:65536/a",
    "ghcr.io:/a",
    "ghcr.io:x/a",
    "-ghcr.io/a",
    "ghcr-.io/a",
    "https://ghcr.io/a",
    "user:password@ghcr.io/a",
    "ghcr.io/a\n",
    "ghcr.io/a\0",
    "ghcr.io/é",
    "[::1/a",
    "docker.io/alpine",
    `ghcr.io/${"a".repeat(250)}`,
    `ghcr.io/a:${"t".repeat(129)}`,
    `ghcr.io/${"a/".repeat(5000)}a`,
  ];
  for (const text of malformed) {
    it(`refuses ${JSON.stringify(text.slice(0, 60))}`, async () => {
      const error = await refused("reference-malformed", () => parseReference(text));
      assert.ok(error.message.length < 500);
    });
  }

  it("says how Docker Hub's own images are written", async () => {
    assert.match(
      (await refused("reference-malformed", () => parseReference("docker.io/alpine"))).message,
      /write it like docker.io\/library\/alpine/,
    );
  });

  it("refuses a repository with a tag or digest", async () => {
    assert.deepEqual(parseRepository("ghcr.io/a"), { registry: "ghcr.io", path: "a" });
    await refused("reference-malformed", () => parseRepository("ghcr.io/a:1"));
    await refused("reference-malformed", () => parseRepository(`ghcr.io/a@${digest}`));
  });

  it("refuses a pin without a digest", async () => {
    assert.equal(parsePinned(`ghcr.io/a:1@${digest}`).digest, digest);
    assert.match(
      (await refused("reference-unpinned", () => parsePinned("ghcr.io/a:latest"))).message,
      /ghcr.io\/a:latest@sha256:…/,
    );
  });

  it("come back as they were written, whatever they are", () => {
    const part = fc.stringMatching(/^[a-z0-9]{1,8}(?:(?:\.|_|__|-{1,3})[a-z0-9]{1,8}){0,2}$/);
    const reference = fc.record(
      {
        registry: fc.constantFrom("localhost", "127.0.0.1:5000", "[::1]:443", "a.example", "a-b.c.example:65535"),
        path: fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join("/")),
        tag: fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/),
        digest: fc.string().map(sha256),
      },
      { requiredKeys: ["registry", "path"], noNullPrototype: true },
    );
    fc.assert(
      fc.property(reference, (value) => assert.deepEqual(parseReference(formatReference(value)), value)),
      { numRuns: 500 },
    );
  });

  it("are read or refused in no time, whatever the text", () => {
    const started = Date.now();
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: anyCharacter, maxLength: 200 }),
          fc.string({ unit: fc.constantFrom("a", "-", "_", ".", "/", ":", "@"), maxLength: 1000 }),
        ),
        (text) => {
          try {
            assert.equal(formatReference(parseReference(text)).toLowerCase(), text.toLowerCase());
          } catch (error) {
            assert.match(String(error), /malformed image reference/);
          }
        },
      ),
      { numRuns: 200 },
    );
    assert.ok(Date.now() - started < 5000);
  }).timeout(10_000);
});
