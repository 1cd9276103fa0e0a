// How `npm test` runs the files of its slow layers: stand-in: scripts that print what mocha prints.
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { alone, runFiles } from "../../scripts/testFiles.mjs";

describe("test files (stand-in: no mocha)", () => {
  let dir: string;
  let printed: string[];
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "test-files-"));
    printed = [];
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  /** A script of the shell. */
  const script = (name: string, body: string) => {
    const file = join(dir, name);
    writeFileSync(file, `${body}\n`);
    return file;
  };
  const run = (files: readonly string[], more: Partial<Parameters<typeof runFiles>[1]> = {}) =>
    runFiles(files, { command: ["sh"], write: (text) => printed.push(text), ...more });
  const passing = "echo '  2 passing (3ms)'";

  it("run two at a time, but those that need the machine to themselves", async () => {
    const notes = join(dir, "notes");
    const noting = (name: string, meanwhile: string) =>
      script(name, `echo begin ${name} >> ${notes}\n${meanwhile}\necho end ${name} >> ${notes}\n${passing}`);
    const until = (line: string) => `until grep -q '${line}' ${notes}; do sleep 0.02; done`;
    const files = [
      noting("a", until("begin c")),
      noting("b", ":"),
      noting("c", until("begin a")),
      noting("d", "sleep 0.1"),
    ];
    const total = await run(files, { apart: { [files[1]!]: "measures", [files[3]!]: "measures" } });
    assert.deepEqual(total, { passed: 8, failed: 0, files: [] });
    const [, , , , ...last] = readFileSync(notes, "utf8").trimEnd().split("\n");
    assert.deepEqual(last, ["begin b", "end b", "begin d", "end d"]);
  });

  it("count their failed tests, and are named when they fail", async () => {
    const red = script("red", "echo '  1 passing (3ms)\n  2 failing\n  1) says so'; exit 2");
    assert.deepEqual(await run([script("green", passing), red]), { passed: 3, failed: 2, files: [red] });
    assert.ok(
      printed.some((text) => text.startsWith(`\n${red}: `) && text.includes("1) says so")),
      printed.join("\n"),
    );
  });

  it("fail when their process does, however many tests had passed, and when they hold no test", async () => {
    const crashed = script("crashed", `${passing}; kill -9 $$`);
    const ended = script("ended", `${passing}; echo out of memory >&2; exit 7`);
    const empty = script("empty", "echo '  0 passing (1ms)'");
    const total = await run([crashed, ended, empty]);
    assert.deepEqual([total.failed, [...total.files].sort()], [3, [crashed, empty, ended].sort()]);
    for (const text of [
      "✗ its process ended with SIGKILL",
      "out of memory\n  ✗ its process ended with 7",
      "✗ it has no test",
    ])
      assert.ok(printed.join("\n").includes(text), `${text} in\n${printed.join("\n")}`);
    assert.deepEqual(await run([empty], { withoutTests: true }), { passed: 0, failed: 0, files: [] });
  });

  it("that run alone are there, and each says why", () => {
    for (const [file, why] of Object.entries(alone)) assert.ok(existsSync(file) && why.length > 10, file);
  });
});
