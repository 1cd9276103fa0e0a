// Zip archives: honest ones of other writers, and those that tell two stories, share bytes or lead elsewhere.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import fc from "fast-check";
import { PlatformError } from "../../../lib/errors";
import { memberFromArchive } from "../../../lib/oci/archive";
import { refused } from "../../support/refused";
import { type ZipItem, zipball } from "../../support/zipball";

const read = async (stream: Readable) => {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
};

/** `zip -yr` of Info-ZIP 3.0: LICENSE, bin/, bin/link → tool, bin/tool (0755). */
const infoZip =
  "UEsDBAoAAAAAABdtdV3CCePVBgAAAAYAAAAHABwATElDRU5TRVVUCQADXZ8Ba12fAWt1eAsAAQQAAAAABAAAAABBcGFjaGVQSwMECgAAAAAAF211XQAAAAAAAAAAAAAAAAQAHABiaW4vVVQJAANdnwFrXZ8Ba3V4CwABBAAAAAAEAAAAAFBLAwQKAAAAAAAXbXVd0T7zIAQAAAAEAAAACAAcAGJpbi9saW5rVVQJAANdnwFrXZ8Ba3V4CwABBAAAAAAEAAAAAHRvb2xQSwMECgAAAAAAF211XUIx7M0GAAAABgAAAAgAHABiaW4vdG9vbFVUCQADXZ8Ba12fAWt1eAsAAQQAAAAABAAAAAAjIXRvb2xQSwECHgMKAAAAAAAXbXVdwgnj1QYAAAAGAAAABwAYAAAAAAABAAAApIEAAAAATElDRU5TRVVUBQADXZ8Ba3V4CwABBAAAAAAEAAAAAFBLAQIeAwoAAAAAABdtdV0AAAAAAAAAAAAAAAAEABgAAAAAAAAAEADtQUcAAABiaW4vVVQFAANdnwFrdXgLAAEEAAAAAAQAAAAAUEsBAh4DCgAAAAAAF211XdE+8yAEAAAABAAAAAgAGAAAAAAAAAAAAP+hhQAAAGJpbi9saW5rVVQFAANdnwFrdXgLAAEEAAAAAAQAAAAAUEsBAh4DCgAAAAAAF211XUIx7M0GAAAABgAAAAgAGAAAAAAAAQAAAO2BywAAAGJpbi90b29sVVQFAANdnwFrdXgLAAEEAAAAAAQAAAAAUEsFBgAAAAAEAAQAMwEAABMBAAAAAA==";
/** zipfile of Python 3.11: bin/tool, deflated, and a name beyond ASCII. */
const python =
  "UEsDBBQAAAAIABZtdV2Jok73CwAAADwAAAAIAAAAYmluL3Rvb2xTVizJz89RJosEAFBLAwQUAAAICAAWbXVdgxbcjAMAAAABAAAACQAAAMO8bsOvLnR4dKsAAFBLAQIUAxQAAAAIABZtdV2Jok73CwAAADwAAAAIAAAAAAAAAAAAAACAAQAAAABiaW4vdG9vbFBLAQIUAxQAAAgIABZtdV2DFtyMAwAAAAEAAAAJAAAAAAAAAAAAAACAATEAAADDvG7Dry50eHRQSwUGAAAAAAIAAgBtAAAAWwAAAAAA";

describe("release archives of zip", () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "zip-"));
  });
  afterEach(() => rmSync(dir, { recursive: true }));

  const file = (bytes: Uint8Array) => {
    writeFileSync(join(dir, "file"), bytes);
    return join(dir, "file");
  };
  const member = (items: readonly ZipItem[], name?: string) => memberFromArchive(file(zipball(items)), name);
  const content = async (items: readonly ZipItem[], name: string) => read((await member(items, name)).open());
  const tool: ZipItem = { name: "tool", content: "#!tool", mode: 0o100755 };

  it("of other writers give their member, each time from its beginning", async () => {
    const found = await memberFromArchive(file(Buffer.from(infoZip, "base64")), "bin/tool");
    assert.deepEqual([found.size, found.executable], [6, true]);
    assert.equal(await read(found.open()), "#!tool");
    assert.equal(await read(found.open()), "#!tool");
    const deflated = await memberFromArchive(file(Buffer.from(python, "base64")), "bin/tool");
    assert.deepEqual([deflated.size, await read(deflated.open())], [60, "#!tool".repeat(10)]);
  });

  it("do not give a link as a member", async () => {
    const bytes = file(Buffer.from(infoZip, "base64"));
    assert.match((await refused("archive-member", () => memberFromArchive(bytes, "bin/link"))).message, /is a link/);
  });

  it("may be stored, streamed with sizes behind the content, or of the large kind", async () => {
    for (const item of [{ method: 0 }, { descriptor: true }, { method: 0, descriptor: true }, { name: "./tool" }])
      assert.equal(await content([{ ...tool, ...item }], "tool"), "#!tool");
    const large = file(zipball([tool], { zip64: true }));
    assert.equal(await read((await memberFromArchive(large, undefined)).open()), "#!tool");
    assert.equal(await content([{ name: "empty" }, tool], "empty"), "");
  });

  it("need no name for a single file, and say what they hold otherwise", async () => {
    assert.equal((await member([{ name: "d/", mode: 0o040755 }, tool])).size, 6);
    assert.match((await refused("archive-member", () => member([tool, { name: "b" }]))).message, /"tool", "b"/);
    await refused("archive-member", () => member([tool], "other"));
    await refused("archive-member", () => member([]));
  });

  const link = (target: string, name = "l"): ZipItem => ({ name, content: target, mode: 0o120777 });
  const hostile: readonly [string, ZipItem][] = [
    ["climbs out", { name: "../evil" }],
    ["climbs within", { name: "a/../evil" }],
    ["is absolute", { name: "/etc/passwd" }],
    ["is on a drive", { name: "C:/evil" }],
    ["has a backslash", { name: "..\\evil" }],
    ["has a zero byte", { name: "tool\0.txt" }],
    ["has a name that is no UTF-8", { name: Buffer.from([0x66, 0xff, 0xfe]) }],
    ["has an overlong name", { name: "n".repeat(5000) }],
    ["links to an absolute path", link("/etc/passwd")],
    ["links out", link("../../x", "a/l")],
    ["is a pipe", { name: "p", mode: 0o010644 }],
    ["is a device", { name: "d", mode: 0o060644 }],
    ["is there twice", { ...tool, content: "other" }],
    ["is a link over a file", link("other", "tool")],
  ];
  for (const [what, item] of hostile) {
    it(`are refused whole when an entry ${what}`, async () => {
      await refused("archive-hostile", () => member([tool, item], "tool"));
      await refused("archive-hostile", () => member([item, tool], "tool"));
    });
  }

  const extraName = Buffer.concat([Buffer.from([0x75, 0x70, 10, 0, 1, 0, 0, 0, 0]), Buffer.from("other")]);
  const malformed: readonly [string, Buffer, RegExp][] = [
    ["encrypted", zipball([{ ...tool, flags: 1 }]), /is encrypted/],
    ["strongly encrypted", zipball([{ ...tool, flags: 0x41 }]), /encrypt/],
    ["packed in another way", zipball([{ ...tool, method: 14 }]), /packed by method 14/],
    ["of two names for one file", zipball([{ ...tool, extra: extraName }]), /has two names/],
    ["cut in their table", zipball([tool]).subarray(0, -10), /End of central directory/],
    [
      "cut in the middle",
      Buffer.concat([zipball([tool, tool]).subarray(0, 60), zipball([tool, tool]).subarray(90)]),
      /cannot be read/,
    ],
    ["followed by other bytes", Buffer.concat([zipball([tool]), Buffer.from("more")]), /extra bytes at the end/],
    ["of fewer entries than they say", zipball([tool], { count: 2 }), /central directory file header|unexpected EOF/],
    ["of more than 20,000 entries", zipball([tool], { count: 20_001, zip64: true }), /more than 20000 entries/],
    ["of a file outside of them", zipball([{ ...link("x"), lie: { offset: 5000 } }]), /EOF|bounds/],
    ["stored with two sizes", zipball([{ ...tool, method: 0, lie: { size: 7 } }]), /size mismatch/],
    [
      "bombs of files that share their bytes",
      zipball([
        { name: "a", content: "x".repeat(1000), lie: { packed: 2000 } },
        { name: "b", content: "x".repeat(1000) },
      ]),
      /"a" and "b" share bytes/,
    ],
    ["bombs of one file under many names", zipball([tool, { name: "b", lie: { offset: 0 } }]), /share bytes/],
    ["bombs by their ratio", zipball([{ name: "a", lie: { size: 100 * 2 ** 20 } }]), /more than 100 times its size/],
    [
      "bombs by their size",
      zipball(Array.from({ length: 3 }, (_, index) => ({ name: `${index}`, lie: { size: 0xfffffffe } }))),
      /unpacks to more than|times its size/,
    ],
    ["of a link longer than a path", zipball([link("x".repeat(5000))]), /longer|more than a path/],
  ];
  for (const [what, bytes, why] of malformed) {
    it(`are refused when they are ${what}`, async () => {
      const path = file(bytes);
      assert.match((await refused("archive-malformed", () => memberFromArchive(path, "tool"))).message, why);
    });
  }

  const lies: readonly [string, ZipItem, RegExp][] = [
    ["the checksum", { ...tool, descriptor: true, lie: { crc: 1 } }, /another checksum/],
    ["the checksum before the file", { ...tool, local: { crc: 1 } }, /described in two ways/],
    ["the name before the file", { ...tool, local: { name: "fool" } }, /described in two ways/],
    ["the method before the file", { ...tool, local: { method: 0 } }, /described in two ways/],
    ["a smaller size", { ...tool, descriptor: true, lie: { size: 3 } }, /too many bytes/],
    ["a larger size", { ...tool, descriptor: true, lie: { size: 9 } }, /not enough bytes/],
  ];
  for (const [what, item, why] of lies) {
    it(`fail while their member is read when ${what} is a lie`, async () => {
      assert.match((await refused("archive-malformed", () => content([item], "tool"))).message, why);
    });
  }

  it("never end in anything but their member or a clear error, whatever byte is changed", async () => {
    const honest = zipball([tool, { name: "b", content: "x".repeat(100) }, link("tool")]);
    await fc.assert(
      fc.asyncProperty(fc.nat(honest.length - 1), fc.integer({ min: 1, max: 255 }), async (index, bits) => {
        const bytes = Buffer.from(honest);
        bytes[index]! ^= bits;
        try {
          assert.equal(await read((await memberFromArchive(file(bytes), "tool")).open()), "#!tool");
        } catch (error) {
          assert.ok(error instanceof PlatformError, String(error));
        }
      }),
      { numRuns: 300 },
    );
  });
});
