// The program's stack traces: its own frames mapped, all others as they are.
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "mocha";
import { mapOwnFramesOnly } from "../../components/stackTraces";

type Frame = NodeJS.CallSite;

describe("stack traces of the program", () => {
  const before = Error.prepareStackTrace;
  const mapped: string[] = [];
  beforeEach(() => {
    mapped.length = 0;
    Error.prepareStackTrace = (error, frames) => {
      mapped.push(...frames.map((frame) => String(frame)));
      return `${error}${frames.map((frame) => `\n    at mapped ${frame}`).join("")}`;
    };
  });
  afterEach(() => {
    Error.prepareStackTrace = before;
  });

  const frame = (file: string | null, text: string) => ({ getFileName: () => file, toString: () => text }) as Frame;
  const format = (error: Error, ...frames: Frame[]) => Error.prepareStackTrace!(error, frames);

  it("map the program's own frames and no others", () => {
    mapOwnFramesOnly();
    const stack = format(
      new TypeError("wrong"),
      frame("/project/components/tool.ts", "new Tool (/project/components/tool.ts:9:1)"),
      frame("/project/node_modules/@pulumi/pulumi/output.js", "/project/node_modules/@pulumi/pulumi/output.js:1:2"),
      frame("node:internal/timers", "listOnTimeout (node:internal/timers:3:4)"),
      frame(null, "Array.map (<anonymous>)"),
    );
    assert.equal(
      stack,
      [
        "TypeError: wrong",
        "    at mapped new Tool (/project/components/tool.ts:9:1)",
        "    at /project/node_modules/@pulumi/pulumi/output.js:1:2",
        "    at listOnTimeout (node:internal/timers:3:4)",
        "    at Array.map (<anonymous>)",
      ].join("\n"),
    );
    assert.deepEqual(mapped, ["new Tool (/project/components/tool.ts:9:1)"]);
  });

  it("keep a message that looks like a frame", () => {
    mapOwnFramesOnly();
    const stack = format(
      new Error("first\n    at second"),
      frame("/project/index.ts", "program (/project/index.ts:1:1)"),
    );
    assert.equal(stack, "Error: first\n    at second\n    at mapped program (/project/index.ts:1:1)");
  });

  it("stay Node's own where nothing maps them", () => {
    Reflect.deleteProperty(Error, "prepareStackTrace");
    mapOwnFramesOnly();
    assert.equal(Error.prepareStackTrace, undefined);
  });
});
