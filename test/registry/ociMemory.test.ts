// Memory stays flat whatever a layer's size; the layer as large as the largest tool is in test/provider.
import assert from "node:assert/strict";
import { memoryOf } from "../support/memory";

const mebibyte = 1024 * 1024;

describe("a layer of 64 MiB", function () {
  this.timeout(60_000);

  it("is pushed from a file, as a layer image, and copied between registries in far less memory than it has", async () => {
    const { file, layer, copy } = await memoryOf(64 * mebibyte);
    for (const [act, bytes] of Object.entries({ file, layer, copy }))
      assert.ok(bytes < 48 * mebibyte, `${act} took ${bytes} bytes`);
  });
});
