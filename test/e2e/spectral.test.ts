// The one tool that is not a Go program: made of npm packages, with its own Node. What it does in the image is in seedLines.test.ts.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { layoutOf } from "../../local/layout";
import { buildFromNpm } from "../../local/toolchain/npm";
import { npmProgramFolder } from "../../local/toolchain/programs";

const layout = layoutOf(join(__dirname, "..", ".."));
const step = { progress: () => undefined, outcome: () => undefined, signal: new AbortController().signal };
const digestOf = (folder: string) =>
  createHash("sha256")
    .update(readFileSync(join(folder, "spectral")))
    .digest("hex");

describe("spectral, made of npm packages", function () {
  this.timeout(180_000);
  let programs: string;
  before(() => {
    programs = mkdtempSync(join(tmpdir(), "programs-"));
  });
  after(() => rmSync(programs, { recursive: true, force: true }));

  it("has the same bytes when it is made a second time, in another folder, and leaves nothing else", async () => {
    const elsewhere = { ...layout, cache: { ...layout.cache, programs } };
    const folder = await buildFromNpm("spectral", { layout: elsewhere, step });
    assert.equal(digestOf(folder), digestOf(npmProgramFolder(layout, "spectral")));
    assert.deepEqual(readdirSync(programs).length, 1);
    assert.deepEqual(readdirSync(folder), ["spectral"]);
  });
});
