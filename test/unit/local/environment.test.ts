import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { processEnvironment, renderEnvironmentFile, shellQuote, stackEnvironment } from "../../../local/environment";
import { layoutOf } from "../../../local/layout";

describe("the environment of the local stack", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'it\'s a $HOME "place" '));
  });
  afterEach(() => rmSync(folder, { recursive: true }));
  const options = () => {
    const layout = layoutOf(folder);
    return { layout, engineHost: "unix:///run/x.sock", path: [layout.bin] };
  };

  for (const shell of ["sh", "bash"]) {
    it(`is the same after source .local/env in ${shell}, also twice and in a folder with odd characters`, () => {
      const file = join(folder, "env");
      writeFileSync(file, renderEnvironmentFile(options()));
      const script = `. "$1"; . "$1"; exec env -0`;
      const { stdout } = spawnSync(shell, ["-c", script, shell, file], {
        // bash reads its start-up files when its input is a socket, as it is here by default.
        stdio: ["ignore", "pipe", "inherit"],
        env: { PATH: process.env.PATH },
        encoding: "utf8",
      });
      const seen = Object.fromEntries(
        stdout.split("\0").map((line) => [line.split("=")[0], line.slice(line.indexOf("=") + 1)]),
      );
      for (const [name, value] of Object.entries(stackEnvironment(options()))) assert.equal(seen[name], value);
      assert.equal(seen.PATH, `${options().layout.bin}:${process.env.PATH}`);
    });
  }

  it("never holds the passphrase, only the name of its file", () => {
    const variables = stackEnvironment(options());
    assert.equal(variables.PULUMI_CONFIG_PASSPHRASE, undefined);
    assert.equal(variables.PULUMI_CONFIG_PASSPHRASE_FILE, join(folder, ".local", "passphrase"));
  });

  it("puts its folder first on PATH, once", () => {
    const { layout } = options();
    assert.equal(processEnvironment(options(), "/bin").PATH, `${layout.bin}:/bin`);
    assert.equal(processEnvironment(options(), `${layout.bin}:/bin`).PATH, `${layout.bin}:/bin`);
  });

  it("quotes any text for a shell", () => {
    for (const text of ["", "a'b", "$(x)", "`x`", "\\", "a\nb"]) {
      const { stdout } = spawnSync("sh", ["-c", `printf %s ${shellQuote(text)}`], { encoding: "utf8" });
      assert.equal(stdout, text);
    }
  });

  it("keeps a socket short enough for the kernel, however deep the checkout is", () => {
    const deep = layoutOf(`/${"a-long-folder/".repeat(30)}`);
    assert.ok(join(deep.engineRun, "exec", "containerd", "containerd-debug.sock.ttrpc").length < 107);
    assert.notEqual(deep.engineRun, layoutOf("/other").engineRun);
  });
});
