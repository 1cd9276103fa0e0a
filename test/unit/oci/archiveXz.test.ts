// tar.xz archives, made by `xz` 5.4: honest, cut, damaged, and of kinds that are not read.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { memberFromArchive } from "../../../lib/oci/archive";
import { refused } from "../../support/refused";

const base64 = (text: string) => Buffer.from(text, "base64");
/** A tar of LICENSE and bin/tool (0755, `#!tool`), packed by `xz -9e`. */
const release = base64(
  "/Td6WFoAAATm1rRGAgAhARwAAAAQz1jM4Cf/AIFdACYSRGv/vP2cyQx/b8R29eDOCzNEnhve6p/yd+r4vOSiHx9axG+qZdxyo26nxTmdzkCGQOAGJ2SraAT7vq1amYJCTakSnzJ2Zq3P7k0nicUBw94farlkOx6ERog3sreMHC3nNyRzoTDjUZguaBEvhwoBMIoJqMVjiwoeZl2j1TjnAAAAAAC4DGCsxBnZDwABnQGAUAAAe2Ao3rHEZ/sCAAAAAARZWg==",
);
/** One letter, with another checksum, dictionary or filter. */
const unread: readonly [string, Buffer, RegExp][] = [
  [
    "a checksum of SHA-256",
    base64(
      "/Td6WFoAAArh+wyhAgAhARYAAAB0L+WjAQAAeAAAAAAtcRZCtyawRAFifKn7rDL1yFMPsZA8xNsCJYcXkhpIgQABMQEPgtyRGJtLmgEAAAAAClla",
    ),
    /a filter or a checksum other than/,
  ],
  [
    "a dictionary of 512 MiB",
    base64("/Td6WFoAAATm1rRGAgAhASIAAACCQKzcAQAAeAAAAABFru+D+O4WCgABGQGlLIHMH7bzfQEAAAAABFla"),
    /dictionary is larger than 64 MiB/,
  ],
  [
    "a filter for programs",
    base64("/Td6WFoAAATm1rRGAgEEACEBFgANhjUfAQAAeAAAAABFru+D+O4WCgABGQGlLIHMH7bzfQEAAAAABFla"),
    /a filter or a checksum other than/,
  ],
];

const read = async (stream: Readable) => {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
};

describe("release archives of tar.xz", () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "xz-"));
  });
  afterEach(() => rmSync(dir, { recursive: true }));
  const file = (bytes: Uint8Array) => {
    writeFileSync(join(dir, "file"), bytes);
    return join(dir, "file");
  };

  it("give their member, each time from its beginning, also two at a time", async () => {
    const found = await memberFromArchive(file(release), "bin/tool");
    assert.deepEqual([found.size, found.executable], [6, true]);
    assert.deepEqual(await Promise.all([read(found.open()), read(found.open())]), ["#!tool", "#!tool"]);
    assert.equal(await read((await memberFromArchive(join(dir, "file"), "LICENSE")).open()), "Apache");
  });

  it("that are left early do not keep the next one waiting", async () => {
    const found = await memberFromArchive(file(release), "bin/tool");
    for await (const _chunk of found.open()) break;
    const stream = found.open();
    stream.destroy();
    assert.equal(await read(found.open()), "#!tool");
  });

  it("are refused when they are cut, wherever that is, and the next one is read", async () => {
    for (let length = 6; length < release.length; length += 3)
      await refused("archive-malformed", () => memberFromArchive(file(release.subarray(0, length)), "bin/tool"));
    assert.equal(await read((await memberFromArchive(file(release), "bin/tool")).open()), "#!tool");
  });

  it("are refused when a byte of theirs is another one, or bytes follow", async () => {
    for (let index = 6; index < release.length; index += 5) {
      const bytes = Buffer.from(release);
      bytes[index]! ^= 0x10;
      await refused("archive-malformed", () => memberFromArchive(file(bytes), "bin/tool"));
    }
    const more = Buffer.concat([release, Buffer.from("more")]);
    assert.match(
      (await refused("archive-malformed", () => memberFromArchive(file(more), "bin/tool"))).message,
      /behind/,
    );
  });

  for (const [what, bytes, why] of unread) {
    it(`with ${what} are refused in words`, async () => {
      assert.match((await refused("archive-malformed", () => memberFromArchive(file(bytes), undefined))).message, why);
    });
  }
});
