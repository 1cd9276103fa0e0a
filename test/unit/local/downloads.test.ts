import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { saysDiskFull } from "../../../lib/diskFull";
import type { PlatformError } from "../../../lib/errors";
import { download } from "../../../lib/oci/archive";
import { type Layout, layoutOf } from "../../../local/layout";
import { installedPlugin, installPlugin } from "../../../local/providers";
import type { Step } from "../../../local/steps";
import { PrivateApt, unpack } from "../../../local/toolchain/debian";
import { fetchOfficial } from "../../../local/toolchain/engine";
import { joined } from "../../../local/toolchain/toolchain";
import { refused } from "../../support/refused";

/** A checkout with a cache of its own. */
function checkout(): { dir: string; layout: Layout } {
  const dir = mkdtempSync(join(tmpdir(), "checkout-"));
  const layout = layoutOf(dir);
  const cache = {
    programs: join(dir, "c/p"),
    goBuild: join(dir, "c/g"),
    debian: join(dir, "c/d"),
    bases: join(dir, "c/b"),
  };
  return { dir, layout: { ...layout, cache } };
}

function step(): Step & { readonly said: string[] } {
  const said: string[] = [];
  return { said, progress: () => undefined, outcome: (text) => said.push(text), signal: new AbortController().signal };
}

function write(file: string, text: string): string {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  return file;
}

describe("the official engine", () => {
  let server: Server;
  let made: ReturnType<typeof checkout>;
  let archive: Buffer;
  let asked = 0;

  beforeEach(async () => {
    made = checkout();
    asked = 0;
    write(join(made.dir, "src/pulumi/pulumi"), "engine");
    write(join(made.dir, "src/pulumi/pulumi-language-nodejs"), "host");
    archive = spawnSync("tar", ["-czf", "-", "-C", join(made.dir, "src"), "pulumi"]).stdout;
    server = createServer((_request, answer) => {
      asked++;
      answer.end(archive);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  });
  afterEach(() => {
    server.close();
    rmSync(made.dir, { recursive: true });
  });
  const release = (sha256 = createHash("sha256").update(archive).digest("hex")) => ({
    version: "1.2.3",
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/pulumi.tar.gz`,
    sha256,
  });

  it("is downloaded once, with its language host beside it", async () => {
    const first = step();
    const folder = await fetchOfficial(made.layout, first, release());
    assert.deepEqual(readdirSync(folder).sort(), ["pulumi", "pulumi-language-nodejs"]);
    const second = step();
    assert.equal(await fetchOfficial(made.layout, second, release()), folder);
    assert.deepEqual([first.said, second.said, asked], [["official release"], ["there already"], 1]);
    assert.deepEqual(readdirSync(join(made.layout.cache.programs, "downloads")), []);
  });

  it("is refused when its bytes are not those that are pinned, and nothing of it stays", async () => {
    await assert.rejects(
      fetchOfficial(made.layout, step(), release("0".repeat(64))),
      (error: PlatformError) => error.code === "checksum-mismatch",
    );
    assert.deepEqual(
      readdirSync(made.layout.cache.programs, { recursive: true }).filter((name) => `${name}`.includes("pulumi")),
      [],
    );
  });

  it("is refused when there is no engine in it", async () => {
    archive = spawnSync("tar", ["-czf", "-", "-C", join(made.dir, "src"), "pulumi/pulumi-language-nodejs"]).stdout;
    await assert.rejects(
      fetchOfficial(made.layout, step(), release()),
      (error: PlatformError) => error.code === "release-malformed",
    );
    assert.deepEqual(
      readdirSync(made.layout.cache.programs).filter((name) => name !== "downloads"),
      [],
    );
  });
});

describe("a disk that is full", () => {
  let dir: string;
  let small: string;
  let server: Server;
  let archive: Buffer;
  beforeEach(async function () {
    dir = mkdtempSync(join(tmpdir(), "full-"));
    small = join(dir, "small");
    mkdirSync(small);
    try {
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=256k", "tmpfs", small], { stdio: "pipe" });
    } catch {
      rmSync(dir, { recursive: true });
      return this.skip(); // mounting needs root
    }
    server = createServer((_request, answer) => answer.end(archive));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  });
  afterEach(() => {
    server?.close();
    if (existsSync(small)) execFileSync("umount", [small]);
    rmSync(dir, { recursive: true, force: true });
  });
  const url = () => `http://127.0.0.1:${(server.address() as AddressInfo).port}/pulumi.tar.gz`;
  const digest = () => createHash("sha256").update(archive).digest("hex");
  const left = () => readdirSync(small, { recursive: true }).filter((name) => /part|tmp/.test(`${name}`));

  it("ends a download with one sentence and leaves nothing of it", async () => {
    archive = Buffer.alloc(2_000_000, 1);
    const error = await refused("disk-full", () => download(url(), { sha256: digest(), to: join(small, "downloads") }));
    assert.ok(error.message.startsWith(`no space left in ${small}/downloads;`), error.message);
    assert.deepEqual(left(), []);
  });

  it("ends the unpacking of a release with the same", async () => {
    write(join(dir, "src/pulumi/pulumi"), "0".repeat(2_000_000));
    archive = spawnSync("tar", ["-czf", "-", "-C", join(dir, "src"), "pulumi"]).stdout;
    const layout = { ...layoutOf(dir), cache: { ...layoutOf(dir).cache, programs: small } };
    await refused("disk-full", () => fetchOfficial(layout, step(), { version: "1.2.3", url: url(), sha256: digest() }));
    assert.deepEqual(left(), []);
  });

  it("ends the unpacking of a Debian package with the same", async () => {
    write(join(dir, "deb/big"), "0".repeat(2_000_000));
    write(
      join(dir, "deb/DEBIAN/control"),
      "Package: x\nVersion: 1\nArchitecture: all\nMaintainer: x\nDescription: x\n",
    );
    execFileSync("dpkg-deb", ["--build", join(dir, "deb"), join(dir, "x.deb")], { stdio: "pipe" });
    await refused("disk-full", () => unpack(join(dir, "x.deb"), join(small, "root")));
  });
});

describe("what other programs print", () => {
  it("is recognised when it means a full disk, and only then", () => {
    for (const text of [
      "compile: writing output: write $WORK/b001/_pkg_.a: no space left on device",
      "tar: big: Wrote only 3072 of 10240 bytes",
      "tar: big: Cannot write: No space left on device",
      "E: You don't have enough free space in /var/cache/apt/archives/.",
      "write /x: disk quota exceeded",
    ])
      assert.equal(saysDiskFull(text), true, text);
    for (const text of ["", "dial tcp: connection refused", "E: Unable to locate package x"])
      assert.equal(saysDiskFull(text), false, text);
  });
});

describe("Debian packages", () => {
  it("are a question of base.image on a machine without apt", async () => {
    const { dir, layout } = checkout();
    const { PATH } = process.env;
    process.env.PATH = dir;
    try {
      const apt = new PrivateApt(layout, new AbortController().signal);
      const error = await refused("apt-missing", () => apt.downloadClosure(["bash"]));
      assert.match(error.message, /apt-get cannot be run.*policy-platform:base\.image/);
    } finally {
      process.env.PATH = PATH;
      rmSync(dir, { recursive: true });
    }
  });
});

describe("the folder with engine and language host", () => {
  it("is made once for two checkouts side by side", async () => {
    const { dir, layout } = checkout();
    try {
      const folders = ["pulumi-1-aa", "pulumi-language-nodejs-1-bb"].map((name) => join(layout.cache.programs, name));
      write(join(folders[0]!, "pulumi"), "engine");
      write(join(folders[1]!, "pulumi-language-nodejs"), "host");
      const [one, two] = await Promise.all([joined(folders), joined(folders)]);
      assert.deepEqual([basename(one), two], ["engine-aa-bb", one]);
      assert.deepEqual(readdirSync(one).sort(), ["pulumi", "pulumi-language-nodejs"]);
      assert.equal(readdirSync(layout.cache.programs).length, 3);
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
});

describe("the plugin of a provider", () => {
  let made: ReturnType<typeof checkout>;
  let installed: string;
  beforeEach(() => {
    made = checkout();
    write(join(made.dir, "node_modules/@pulumi/docker/package.json"), '{"version": "5.2.0"}');
    write(join(made.layout.plugins, "docker/pulumi-resource-docker"), "#!/usr/bin/env node\n// 1\n");
    installed = join(made.layout.pulumiHome, "plugins/resource-docker-v5.2.0/pulumi-resource-docker");
  });
  afterEach(() => rmSync(made.dir, { recursive: true }));
  const install = (pulumi?: string) => installPlugin("docker", { layout: made.layout, step: step(), pulumi });

  /** An engine whose `plugin install` writes what an official plugin begins with, or fails. */
  function engine(works: boolean): string {
    const body = works
      ? `test "$*" = "plugin install resource docker 5.2.0" && mkdir -p "$(dirname ${installed})" && printf '\\177ELF' > ${installed}`
      : "echo 'error: no route' >&2; exit 255";
    const file = write(join(made.dir, "pulumi"), `#!/bin/sh\n${body}\n`);
    chmodSync(file, 0o755);
    return file;
  }

  it("is the official one where it can be had, and stays that", async () => {
    assert.equal(await install(engine(true)), "official");
    assert.equal(await install(), "official");
    assert.equal(installedPlugin(made.layout, "docker"), "official");
  });

  it("is the closed-network one where the official one cannot be had", async () => {
    assert.equal(await install(engine(false)), "closed-network");
    assert.equal(installedPlugin(made.layout, "docker"), "closed-network");
    assert.deepEqual(readdirSync(dirname(installed)), ["pulumi-resource-docker"]);
  });

  it("is brought up to date with the checkout when it is the closed-network one", async () => {
    assert.equal(existsSync(installed), false);
    await install();
    write(join(made.layout.plugins, "docker/pulumi-resource-docker"), "#!/usr/bin/env node\n// 2\n");
    await install();
    assert.match(readFileSync(installed, "utf8"), /2/);
  });
});
