import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stackState } from "../../../cli/stackState";

describe("a stack's state that cannot be read (stand-in: the engine)", () => {
  const folder = mkdtempSync(join(tmpdir(), "stack-state-"));
  const { PATH } = process.env;
  const { write } = process.stderr;
  afterEach(() => {
    process.env.PATH = PATH;
    process.stderr.write = write;
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  /** What is said of it when the engine runs `script`. */
  async function saidOf(script: string, timeout?: number): Promise<string> {
    const said: string[] = [];
    writeFileSync(join(folder, "pulumi"), `#!${process.execPath}\n${script}\n`);
    chmodSync(join(folder, "pulumi"), 0o755);
    process.env.PATH = folder;
    process.stderr.write = ((text: string) => said.push(text) > 0) as typeof write;
    const place = { stack: "prod", projectDir: folder, stackFile: join(folder, "Pulumi.prod.yaml") };
    assert.equal(await stackState(place, timeout)(), undefined);
    process.stderr.write = write;
    return said.join("");
  }

  it("is said with the last line of the engine, without colours", async () => {
    const script = 'console.error("first\\n\\u001b[31merror: no stack named prod"); process.exitCode = 255;';
    assert.match(await saidOf(script), /was not read \(error: no stack named prod\): the registry alone is believed/);
  });

  it("is said where the engine says nothing, and where it does not answer in time", async () => {
    assert.match(await saidOf("process.exitCode = 3;"), /was not read \(pulumi ended with 3\)/);
    assert.match(await saidOf("setInterval(() => undefined, 1000);", 300), /was not read \(no answer within 0\.3 s\)/);
  });
});
