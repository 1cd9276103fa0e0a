// The bytes of tar headers, read back by two readers that are not ours.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { Readable } from "node:stream";
import fc from "fast-check";
import { extract } from "tar-stream";
import { tarEnd, tarHeader, tarPadding } from "../../../lib/oci/tar";

const field = (block: Buffer, offset: number, length: number) =>
  block.subarray(offset, offset + length).toString("latin1");
const archive = (...names: string[]) =>
  Buffer.concat([
    ...names.map((name) =>
      tarHeader({ name, type: name.endsWith("/") ? "folder" : "file", executable: false, size: 0 }),
    ),
    tarEnd,
  ]);

async function namesByTarStream(bytes: Buffer): Promise<string[]> {
  const parser = extract();
  Readable.from([bytes]).pipe(parser);
  const names: string[] = [];
  for await (const entry of parser) {
    names.push(entry.header.type === "directory" ? `${entry.header.name.replace(/\/$/, "")}/` : entry.header.name);
    entry.resume();
  }
  return names;
}

describe("tar headers", () => {
  it("hold mode, size and checksum, and zero for all else", () => {
    const block = tarHeader({ name: "repos/a.yaml", type: "file", executable: false, size: 10 });
    assert.equal(block.length, 512);
    assert.equal(field(block, 0, 100), "repos/a.yaml".padEnd(100, "\0"));
    assert.equal(field(block, 100, 8), "0000644\0");
    assert.equal(field(block, 108, 16), "0000000\x000000000\0");
    assert.equal(field(block, 124, 12), "00000000012\0");
    assert.equal(field(block, 136, 12), "00000000000\0");
    assert.equal(field(block, 156, 1), "0");
    assert.equal(field(block, 257, 8), "ustar\x0000");
    assert.equal(field(block, 265, 64), "\0".repeat(64));
    assert.equal(field(block, 329, 16), "0000000\x000000000\0");
    assert.equal(field(block, 345, 167), "\0".repeat(167));
    const sum = block.reduce((total, byte, index) => total + (index >= 148 && index < 156 ? 32 : byte), 0);
    assert.equal(field(block, 148, 8), `${sum.toString(8).padStart(6, "0")}\0 `);
  });

  it("give folders and executables 0755", () => {
    assert.equal(field(tarHeader({ name: "a", type: "file", executable: true, size: 0 }), 100, 8), "0000755\0");
    const folder = tarHeader({ name: "a/", type: "folder", executable: true, size: 0 });
    assert.equal(field(folder, 100, 8) + field(folder, 156, 1), "0000755\x005");
  });

  const oneBlock = [
    "a".repeat(100),
    `${"p".repeat(155)}/${"n".repeat(100)}`,
    `${"a/".repeat(77)}b`,
    `${"a/".repeat(100)}`,
  ];
  for (const name of oneBlock) {
    it(`need one block for a name of ${name.length} characters that ustar can hold`, async () => {
      assert.equal(archive(name).length, 512 + 1024);
      assert.deepEqual(await namesByTarStream(archive(name)), [name]);
    });
  }

  const extended = [
    "a".repeat(101),
    `${"p".repeat(156)}/n`,
    `p/${"n".repeat(101)}`,
    "é",
    "é/",
    `${"n".repeat(100)}/`,
    `${"日本/".repeat(60)}x`,
    "a/".repeat(300),
  ];
  for (const name of extended) {
    it(`use a pax header for ${JSON.stringify(name.slice(0, 12))}… of ${name.length} characters`, async () => {
      assert.ok(archive(name).length >= 3 * 512 + 1024);
      assert.deepEqual(await namesByTarStream(archive(name)), [name]);
    });
  }

  it("say sizes beyond eight gibibytes in a pax header", () => {
    assert.equal(tarHeader({ name: "a", type: "file", executable: false, size: 8 ** 11 - 1 }).length, 512);
    const big = tarHeader({ name: "a", type: "file", executable: false, size: 8 ** 11 });
    assert.equal(big.length, 3 * 512);
    assert.match(big.toString("latin1"), /19 size=8589934592\n/);
  });

  it("end in exactly two zero blocks, content in whole blocks", () => {
    assert.deepEqual(tarEnd, Buffer.alloc(1024));
    assert.deepEqual(
      [0, 1, 511, 512, 513].map((size) => tarPadding(size).length),
      [0, 511, 1, 0, 511],
    );
  });

  it("are read back as they were written, whatever the name", async () => {
    const part = fc
      .oneof(
        fc.stringMatching(/^[a-zA-Z0-9._-]{1,60}$/),
        fc.stringMatching(/^[é日ñ🙂a-z ]{1,30}$/u),
        fc.constant("n".repeat(120)),
      )
      .filter((text) => !/^\.+$/.test(text));
    const name = fc
      .tuple(fc.array(part, { minLength: 1, maxLength: 8 }), fc.boolean())
      .map(([parts, folder]) => parts.join("/") + (folder ? "/" : ""));
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(name, { minLength: 1, maxLength: 10 }), async (names) =>
        assert.deepEqual(await namesByTarStream(archive(...names)), names),
      ),
      { numRuns: 200 },
    );
  });

  it("are read by GNU tar", () => {
    const names = [...oneBlock, ...extended.filter((name) => name.length < 400)];
    const listed = execFileSync("tar", ["--quoting-style=literal", "-tf", "-"], {
      input: archive(...names),
      env: { ...process.env, LC_ALL: "C.UTF-8" },
    }).toString();
    assert.deepEqual(listed.trimEnd().split("\n"), names);
  });
});
