// What of a policy folder is shipped, left out or refused. Devices are made only where the tests run as root.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { folderLayerImage } from "../../../lib/oci/layer";
import { refused } from "../../support/refused";

describe("layer images of folders", () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "folder-"));
  });
  afterEach(() => rmSync(dir, { recursive: true }));

  const write = (path: string, content = path) => {
    mkdirSync(dirname(join(dir, path)), { recursive: true });
    writeFileSync(join(dir, path), content);
  };
  const image = (folder = dir) => folderLayerImage(folder, { at: "/repos/x" });
  const names = async () => Object.keys((await image()).files);
  const link = (path: string, target: string) => {
    mkdirSync(dirname(join(dir, path)), { recursive: true });
    symlinkSync(target, join(dir, path));
  };

  it("hold every file below the path they are at", async () => {
    write("policies/b.yaml");
    write("policies/a.yaml");
    write("README.md");
    assert.deepEqual(await names(), ["README.md", "policies/a.yaml", "policies/b.yaml"]);
  });

  it("do not change with time, owner, umask, other mode bits, empty folders or the folder's own place", async () => {
    write("a.yaml");
    write("run.sh");
    chmodSync(join(dir, "run.sh"), 0o744);
    const { digest } = await image();
    utimesSync(join(dir, "a.yaml"), 1, 1);
    chmodSync(join(dir, "a.yaml"), 0o600);
    chmodSync(join(dir, "run.sh"), 0o700);
    mkdirSync(join(dir, "empty"), { mode: 0o700 });
    assert.equal((await image()).digest, digest);
    symlinkSync(dir, `${dir}-link`);
    assert.equal((await image(`${dir}-link`)).digest, digest);
    assert.equal((await image(`${dir}/`)).digest, digest);
    rmSync(`${dir}-link`);
    chmodSync(join(dir, "run.sh"), 0o644);
    assert.notEqual((await image()).digest, digest);
  });

  it("leave out git, tests and .policyignore at any depth", async () => {
    for (const path of [
      ".git/config",
      "sub/.git",
      "tests/a.yaml",
      "sub/tests/b.yaml",
      ".kyverno-test/x",
      "sub/.chainsaw-test/y",
      ".policyignore",
      "tests-are-here.yaml",
      "attests/a.yaml",
      ".gitignore",
      "Tests/a.yaml",
    ])
      write(path, "");
    assert.deepEqual(await names(), [".gitignore", "Tests/a.yaml", "attests/a.yaml", "tests-are-here.yaml"]);
  });

  it("leave out what .policyignore names, in the grammar of gitignore", async () => {
    for (const path of [
      "a.yaml",
      "a.md",
      "docs/a.yaml",
      "sub/docs/b.yaml",
      "keep.md",
      "x/y.tmp",
      "b#.yaml",
      "sub/a.yaml",
    ])
      write(path);
    write(".policyignore", "\ufeff# comment\r\n*.md\r\n!keep.md\r\n/docs/\r\n**/*.tmp\n\\b#.yaml\n/a.yaml\n");
    assert.deepEqual(await names(), ["keep.md", "sub/a.yaml", "sub/docs/b.yaml"]);
  });

  it("bring back tests that .policyignore asks for, but never git's own folder", async () => {
    write("chart/templates/tests/connection.yaml");
    write(".git/config");
    write(".policyignore", "!tests/\n!.git\n!.policyignore\n");
    assert.deepEqual(await names(), ["chart/templates/tests/connection.yaml"]);
  });

  it("hold a copy of the file that a link inside the folder leads to", async () => {
    write("policies/a.yaml", "content");
    link("sub/link.yaml", "../policies/a.yaml");
    link("sub/second.yaml", "link.yaml");
    const { files } = await image();
    assert.equal(files["sub/link.yaml"], files["policies/a.yaml"]);
    assert.equal(files["sub/second.yaml"], files["policies/a.yaml"]);
  });

  const badLinks: readonly [string, string, RegExp][] = [
    ["leaves the folder", "../../etc/passwd", /leaves the folder/],
    ["is absolute", "/etc/passwd", /absolute/],
    ["leads nowhere", "gone", /to nothing/],
    ["leads to itself", "link", /to nothing/],
    ["leads to a folder", "policies", /no regular file/],
    ["leads to the folder itself", ".", /leaves the folder/],
    ["leads to something left out", "tests/t.yaml", /left out/],
    ["leads into git's folder", ".git/config", /left out/],
  ];
  for (const [what, target, expected] of badLinks) {
    it(`refuse a link that ${what}`, async () => {
      for (const path of ["policies/a.yaml", "tests/t.yaml", ".git/config"]) write(path);
      link("link", target);
      const error = await refused("folder-entry", () => image());
      assert.match(error.message, expected);
      assert.match(error.message, /"link"/);
    });
  }

  it("ignore a link that is left out, whatever it leads to", async () => {
    write("a.yaml");
    link("tests/link", "/etc/passwd");
    link("other", "/etc/passwd");
    write(".policyignore", "other");
    assert.deepEqual(await names(), ["a.yaml"]);
  });

  it("refuse a link to a sibling whose name begins like the folder's", async () => {
    mkdirSync(`${dir}-sibling`);
    writeFileSync(`${dir}-sibling/a`, "");
    link("link", `../${dir.split("/").at(-1)}-sibling/a`);
    await refused("folder-entry", () => image());
    rmSync(`${dir}-sibling`, { recursive: true });
  });

  it("refuse a named pipe without waiting on it", async () => {
    write("a.yaml");
    execFileSync("mkfifo", [join(dir, "pipe")]);
    assert.match((await refused("folder-entry", () => image())).message, /"pipe".*named pipe/);
  });

  it("refuse a socket", async () => {
    const server = createServer().listen(join(dir, "socket"));
    await new Promise((resolve) => server.on("listening", resolve));
    assert.match((await refused("folder-entry", () => image())).message, /"socket".*is a socket/);
    server.close();
  });

  it("refuse a device", async function () {
    if (process.getuid?.() !== 0) this.skip();
    execFileSync("mknod", [join(dir, "null"), "c", "1", "3"]);
    assert.match((await refused("folder-entry", () => image())).message, /"null".*is a device/);
  });

  it("refuse a name that is not valid UTF-8, shown byte by byte", async () => {
    mkdirSync(join(dir, "sub"));
    writeFileSync(Buffer.concat([Buffer.from(`${dir}/sub/a`), Buffer.from([0xff, 0xe9]), Buffer.from(".yaml")]), "");
    assert.match((await refused("folder-entry", () => image())).message, /"sub\/a\\xff\\xe9\.yaml"/);
  });

  for (const name of ["a\nb", "a\u001b[31m", "a\\b", ".wh.a"]) {
    it(`refuse the name ${JSON.stringify(name)}`, async () => {
      write(name);
      await refused("layer-path", () => image());
    });
  }

  it("refuse names that differ in case or normalisation only", async () => {
    write("Policy.yaml");
    write("policy.yaml");
    assert.match((await refused("layer-collision", () => image())).message, /Policy\.yaml.*policy\.yaml/);
    rmSync(join(dir, "policy.yaml"));
    rmSync(join(dir, "Policy.yaml"));
    write("caf\u00e9/a");
    write("cafe\u0301/b");
    await refused("layer-collision", () => image());
  });

  it("say when the folder is missing, is a file, or holds nothing to ship", async () => {
    await refused("folder-missing", () => image(join(dir, "gone")));
    write("a");
    await refused("folder-missing", () => image(join(dir, "a")));
    rmSync(join(dir, "a"));
    await refused("folder-empty", () => image());
    write("tests/a");
    await refused("folder-empty", () => image());
  });

  it("refuse a path in the image that is none", async () => {
    write("a");
    await refused("layer-path", () => folderLayerImage(dir, { at: "repos/x" }));
    await refused("layer-path", () => folderLayerImage(dir, { at: "/repos/x/" }));
  });

  it("hold files too big to be read in one go", async () => {
    write("big", "x".repeat(3 * 1024 * 1024));
    const { layer } = await image();
    assert.equal(layer.size, 3 * 512 + 3 * 1024 * 1024 + 1024);
  });
});
