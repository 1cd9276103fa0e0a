// One file out of a release archive, and archives that nobody should trust.
import assert from "node:assert/strict";
import { createWriteStream, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGzip, gzipSync } from "node:zlib";
import { memberFromArchive } from "../../../lib/oci/archive";
import { refused } from "../../support/refused";
import { type TarItem, tarball } from "../../support/tarball";

const read = async (stream: Readable) => {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
};

describe("release archives", () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "archive-"));
  });
  afterEach(() => rmSync(dir, { recursive: true }));

  const file = (bytes: Uint8Array | string) => {
    writeFileSync(join(dir, "file"), bytes);
    return join(dir, "file");
  };
  const archive = async (...items: readonly TarItem[]) => file(gzipSync(await tarball(...items)));
  const release: readonly TarItem[] = [
    { name: "./", type: "directory" },
    { name: "./LICENSE", content: "Apache" },
    { name: "./bin/tool", content: "#!tool", mode: 0o755 },
    { name: "./bin/link", type: "symlink", linkname: "tool" },
  ];

  it("give the member that is named, each time from its beginning", async () => {
    const member = await memberFromArchive(await archive(...release), "bin/tool");
    assert.deepEqual([member.size, member.executable], [6, true]);
    assert.equal(await read(member.open()), "#!tool");
    assert.equal(await read(member.open()), "#!tool");
    assert.equal(await read((await memberFromArchive(join(dir, "file"), "./LICENSE")).open()), "Apache");
  });

  it("may be packed by gzip or not at all", async () => {
    assert.equal(await read((await memberFromArchive(file(await tarball(...release)), "LICENSE")).open()), "Apache");
  });

  it("may be packed by gzip in several parts, as parallel packers do", async () => {
    const content = Buffer.alloc(300_000, "tool");
    const tar = await tarball({ name: "tool", content });
    const parts = [0, 100_000, 200_000].map((at) =>
      gzipSync(tar.subarray(at, at === 200_000 ? undefined : at + 100_000)),
    );
    const member = await memberFromArchive(file(Buffer.concat(parts)), "tool");
    assert.equal(await read(member.open()), content.toString());
  });

  it("may be the plain file itself", async () => {
    const member = await memberFromArchive(file("\u007fELF plain"), undefined);
    assert.deepEqual([member.size, member.executable, await read(member.open())], [10, false, "\u007fELF plain"]);
    assert.equal((await memberFromArchive(file(""), undefined)).size, 0);
    await refused("archive-member", () => memberFromArchive(file("plain"), "tool"));
  });

  it("need no name for a single file, and ask for one otherwise", async () => {
    assert.equal(
      await read((await memberFromArchive(await archive({ name: "only", content: "x" }), undefined)).open()),
      "x",
    );
    assert.match(
      (await refused("archive-member", async () => memberFromArchive(await archive(...release), undefined))).message,
      /has 2 files: "LICENSE", "bin\/tool"/,
    );
  });

  it("say what they hold when the member is not among it", async () => {
    const error = await refused("archive-member", async () => memberFromArchive(await archive(...release), "tool"));
    assert.match(error.message, /no file "tool"; it has "LICENSE", "bin\/tool", "bin\/link"/);
    await refused("archive-member", () => memberFromArchive(join(dir, "file"), "bin"));
    await refused("archive-member", () => memberFromArchive(join(dir, "file"), "../file"));
    const many = Array.from({ length: 50 }, (_, index) => ({ name: `f${index}` }));
    assert.match(
      (await refused("archive-member", async () => memberFromArchive(await archive(...many), "x"))).message,
      /and 40 more/,
    );
  });

  it("do not give a link as a member", async () => {
    assert.match(
      (await refused("archive-member", async () => memberFromArchive(await archive(...release), "bin/link"))).message,
      /is a link/,
    );
  });

  const tool: TarItem = { name: "tool", content: "x" };
  const hostile: readonly [string, TarItem[]][] = [
    ["climbs out", [{ name: "../evil" }]],
    ["climbs out from inside", [{ name: "a/../../evil" }]],
    ["climbs within", [{ name: "a/../evil" }]],
    ["is absolute", [{ name: "/etc/passwd" }]],
    ["is absolute behind a dot", [{ name: ".//../x" }]],
    ["has a backslash", [{ name: "..\\evil" }]],
    ["has a line break", [{ name: "a\nb" }]],
    ["has an escape sequence", [{ name: "a\u001b[2J" }]],
    ["links to an absolute path", [{ name: "l", type: "symlink", linkname: "/etc/passwd" }]],
    ["links out", [{ name: "a/l", type: "symlink", linkname: "../../x" }]],
    ["is a hard link out", [{ name: "l", type: "link", linkname: "../x" }]],
    ["is a hard link to an absolute path", [{ name: "l", type: "link", linkname: "/etc/shadow" }]],
    ["is a device", [{ name: "d", type: "block-device", devmajor: 1, devminor: 1 }]],
    ["is a character device", [{ name: "d", type: "character-device", devmajor: 1, devminor: 3 }]],
    ["is a pipe", [{ name: "p", type: "fifo" }]],
    ["has an overlong name", [{ name: "n".repeat(5000) }]],
    ["is on a drive", [{ name: "C:/evil" }]],
    ["links out by a backslash", [{ name: "l", type: "symlink", linkname: "..\\x" }]],
    ["is there twice", [{ name: "tool", content: "y" }]],
    ["is there twice, once with a dot", [{ name: "./tool", content: "y" }]],
    ["is a link over a file", [{ name: "tool", type: "symlink", linkname: "other" }]],
  ];
  for (const [what, items] of hostile) {
    it(`are refused whole when an entry ${what}`, async () => {
      await refused("archive-hostile", async () => memberFromArchive(await archive(tool, ...items), "tool"));
      await refused("archive-hostile", async () => memberFromArchive(await archive(...items, tool), "tool"));
    });
  }

  it("are refused whole when an entry has a name that is no UTF-8", async () => {
    const bytes = await tarball(tool, { name: "f\u00e9", content: "y" });
    const at = bytes.indexOf(Buffer.from("f\u00e9"));
    bytes[at + 1] = 0xff;
    bytes[at + 2] = 0x61;
    const header = bytes.subarray(at, at + 512);
    header.write("        ", 148);
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
    await refused("archive-hostile", () => memberFromArchive(file(bytes), "tool"));
  });

  const broken: readonly [string, () => Promise<Uint8Array>][] = [
    ["cut", async () => gzipSync(await tarball(tool)).subarray(0, 40)],
    [
      "cut in its tar",
      async () => gzipSync((await tarball({ name: "tool", content: "x".repeat(5000) })).subarray(0, 2000)),
    ],
    ["no gzip", async () => Buffer.concat([Buffer.from([0x1f, 0x8b]), Buffer.from("rubbish".repeat(10))])],
    ["followed by other bytes", async () => Buffer.concat([gzipSync(await tarball(tool)), Buffer.from("more")])],
    ["followed by other bytes inside", async () => gzipSync(Buffer.concat([await tarball(tool), Buffer.from("more")]))],
    ["no tar", async () => gzipSync(Buffer.from("rubbish".repeat(1000)))],
    [
      "damaged",
      async () => {
        const bytes = gzipSync(await tarball({ name: "tool", content: "x".repeat(5000) }));
        bytes[bytes.length - 6]! ^= 1;
        return bytes;
      },
    ],
  ];
  for (const [what, make] of broken) {
    it(`are refused when they are ${what}`, async () => {
      const path = file(await make());
      await refused("archive-malformed", () => memberFromArchive(path, "tool"));
    });
  }

  for (const [name, magic] of [
    ["zstd", "\x28\xb5\x2f\xfd"],
    ["bzip2", "BZh9"],
  ] as const) {
    it(`of ${name} are refused by name, never taken for a tool`, async () => {
      const path = file(Buffer.from(`${magic}rest`, "latin1"));
      assert.match(
        (await refused("archive-unsupported", () => memberFromArchive(path, undefined))).message,
        new RegExp(name),
      );
      await refused("archive-unsupported", () => memberFromArchive(path, "tool"));
    });
  }

  it("that are bombs are refused after a bounded read", async () => {
    const header = (await tarball({ name: "tool", content: "x" })).subarray(0, 512);
    const size = 400 * 1024 * 1024;
    header.write(`${size.toString(8).padStart(11, "0")}\0`, 124, "latin1");
    header.write("        ", 148, "latin1");
    header.write(
      `${header
        .reduce((sum, byte) => sum + byte, 0)
        .toString(8)
        .padStart(6, "0")}\0 `,
      148,
      "latin1",
    );
    async function* zeros() {
      yield header;
      for (let left = size; left > 0; left -= 1024 * 1024) yield Buffer.alloc(1024 * 1024);
      yield Buffer.alloc(1024);
    }
    await pipeline(Readable.from(zeros()), createGzip({ level: 1 }), createWriteStream(join(dir, "bomb")));
    const started = Date.now();
    assert.match(
      (await refused("archive-malformed", () => memberFromArchive(join(dir, "bomb"), "tool"))).message,
      /more than 100 times/,
    );
    assert.ok(Date.now() - started < 2000);
  }).timeout(20_000);
});
