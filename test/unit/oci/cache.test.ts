// Files that appear whole or not at all.
import assert from "node:assert/strict";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { cacheFolder, placeFolder, writeByRename } from "../../../lib/cache";
import { keepVariables } from "../../support/environment";
import { refused } from "../../support/refused";

describe("the cache folder", () => {
  let restore: () => void;
  beforeEach(() => {
    restore = keepVariables();
  });
  afterEach(() => restore());

  it("is below XDG_CACHE_HOME, or ~/.cache where that is unset, empty or relative", () => {
    process.env.XDG_CACHE_HOME = "/somewhere";
    assert.equal(cacheFolder("downloads", "x"), "/somewhere/policy-platform/downloads/x");
    for (const value of [undefined, "", "relative"]) {
      if (value === undefined) delete process.env.XDG_CACHE_HOME;
      else process.env.XDG_CACHE_HOME = value;
      assert.equal(cacheFolder(), join(homedir(), ".cache", "policy-platform"));
    }
  });
});

describe("writing by rename", () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "cache-"));
  });
  afterEach(() => rmSync(dir, { recursive: true }));

  it("makes the folders above, and the file whole", async () => {
    await writeByRename(join(dir, "a", "b", "file"), (temporary) => writeFile(temporary, "content"));
    assert.equal(readFileSync(join(dir, "a", "b", "file"), "utf8"), "content");
    assert.deepEqual(readdirSync(join(dir, "a", "b")), ["file"]);
  });

  it("takes folders too", async () => {
    await writeByRename(join(dir, "folder"), async (temporary) => {
      await mkdir(temporary);
      await writeFile(join(temporary, "x"), "");
    });
    assert.deepEqual(readdirSync(join(dir, "folder")), ["x"]);
  });

  it("leaves the old file and nothing else when the write fails", async () => {
    const path = join(dir, "file");
    await writeByRename(path, (temporary) => writeFile(temporary, "old"));
    await assert.rejects(
      writeByRename(path, async (temporary) => {
        await writeFile(temporary, "half");
        throw new Error("interrupted");
      }),
      /interrupted/,
    );
    assert.equal(readFileSync(path, "utf8"), "old");
    assert.deepEqual(readdirSync(dir), ["file"]);
  });

  it("removes what a killed one left a day ago, and neither a younger one nor anybody else's file", async () => {
    const names = [`.1.${"a".repeat(16)}.part`, `.1.${"b".repeat(16)}.part`, "mine.part"] as const;
    for (const name of names) writeFileSync(join(dir, name), "");
    const longAgo = Date.now() / 1000 - 2 * 24 * 3600;
    for (const name of [names[0], names[2]]) utimesSync(join(dir, name), longAgo, longAgo);
    await writeByRename(join(dir, "file"), (temporary) => writeFile(temporary, ""));
    assert.deepEqual(readdirSync(dir).sort(), [names[1], "file", "mine.part"].sort());
  });

  it("names the folder when the disk is full", async () => {
    const full = Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" });
    const error = await refused("disk-full", () => writeByRename(join(dir, "file"), () => Promise.reject(full)));
    assert.match(error.message, new RegExp(`no space left in ${dir}.*XDG_CACHE_HOME`));
  });
});

describe("a folder that was made whole", () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "place-"));
  });
  afterEach(() => rmSync(dir, { recursive: true }));

  function made(name: string, ...files: string[]): string {
    mkdirSync(join(dir, name));
    for (const file of files) writeFileSync(join(dir, name, file), name);
    return join(dir, name);
  }

  it("takes its place, unless somebody else was first: then theirs stays", async () => {
    const target = join(dir, "target");
    await placeFolder(made("first", "mark"), target, "mark");
    await placeFolder(made("second", "mark"), target, "mark");
    assert.equal(readFileSync(join(target, "mark"), "utf8"), "first");
    assert.deepEqual(readdirSync(dir), ["target"]);
  });

  it("takes the place of one that lost files", async () => {
    const target = made("target", "other");
    await placeFolder(made("new", "mark"), target, "mark");
    assert.deepEqual([existsSync(join(target, "mark")), existsSync(join(target, "other"))], [true, false]);
  });
});
