// Memory stays flat whatever a layer's size, for a layer as large as the largest tool.
import assert from "node:assert/strict";
import { memoryOf } from "../support/memory";

const mebibyte = 1024 * 1024;

describe("a layer of 300 MiB", function () {
  this.timeout(300_000);

  it("is pushed from a file, as a layer image, copied between registries and promoted as a part of an image in 64 MiB", async () => {
    const { file, layer, copy, promotion } = await memoryOf(300 * mebibyte);
    for (const [act, bytes] of Object.entries({ file, layer, copy, promotion }))
      assert.ok(bytes < 64 * mebibyte, `${act} took ${bytes} bytes`);
  });
});
