// A tool of 250 MB in every format that holds one: read in flat memory.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createGzip } from "node:zlib";
import { tarHeader } from "../../lib/oci/tar";
import { costOf, writeChunks } from "../support/archiveCost";
import { zipball } from "../support/zipball";

const size = 250_000_000;
const block = randomBytes(50_000);

function* tool() {
  for (let left = size; left > 0; left -= block.length) yield block;
}

function* tar() {
  yield tarHeader({ name: "bin/tool", type: "file", executable: true, size });
  yield* tool();
  yield Buffer.alloc((512 - (size % 512)) % 512);
  yield Buffer.alloc(1024);
}

describe("a release of 250 MB", function () {
  this.timeout(300_000);
  let dir: string;
  let expected: string;
  before(() => {
    dir = mkdtempSync(join(tmpdir(), "release-"));
    const hash = createHash("sha256");
    for (const chunk of tool()) hash.update(chunk);
    expected = hash.digest("hex");
  });
  after(() => rmSync(dir, { recursive: true }));

  it("stays within the memory that is promised, as a plain file", async () => {
    assert.equal((await costOf(await writeChunks(join(dir, "plain"), tool()))).sha256, expected);
  });

  it("stays within it as a tar.gz", async () => {
    const path = await writeChunks(join(dir, "tool.tar.gz"), tar(), createGzip({ level: 1 }));
    assert.equal((await costOf(path, "bin/tool")).sha256, expected);
  });

  it("stays within it as a zip", async () => {
    const content = Buffer.concat([...tool()]);
    const path = await writeChunks(join(dir, "tool.zip"), [zipball([{ name: "bin/tool", content }])]);
    assert.equal((await costOf(path, "bin/tool")).sha256, expected);
  });
});
