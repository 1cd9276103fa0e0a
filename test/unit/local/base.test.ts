import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { extract } from "tar-stream";
import { packRoot } from "../../../local/layers/base";

interface Found {
  type: string;
  mode: number;
  mtime: number;
  uid: number;
  linkname: string | null;
}

async function read(tar: Buffer): Promise<Map<string, Found>> {
  const found = new Map<string, Found>();
  const reader = extract();
  reader.on("entry", ({ name, type, mode, mtime, uid, linkname }, stream, next) => {
    found.set(name.replace(/\/$/, ""), {
      type: `${type}`,
      mode: mode!,
      mtime: Number(mtime),
      uid: uid!,
      linkname: linkname ?? null,
    });
    stream.resume();
    stream.on("end", next);
  });
  await new Promise((resolve, reject) =>
    Readable.from(tar)
      .pipe(reader)
      .on("finish", () => resolve(0))
      .on("error", reject),
  );
  return found;
}

describe("the base of the local stack", () => {
  const roots: string[] = [];
  afterEach(() => {
    for (const root of roots.splice(0)) rmSync(root, { recursive: true });
  });

  function unpacked(order: readonly string[]): string {
    const root = mkdtempSync(join(tmpdir(), "root-"));
    roots.push(root);
    for (const name of order) {
      mkdirSync(join(root, name, ".."), { recursive: true });
      writeFileSync(join(root, name), name);
      if (name.includes("bin/")) chmodSync(join(root, name), 0o4755);
    }
    mkdirSync(join(root, "lib64"), { recursive: true });
    symlinkSync("/lib/x/libc.so", join(root, "lib64/ld.so"));
    return root;
  }
  const names = [
    "bin/bash",
    "usr/bin/curl",
    "lib/x/libc.so",
    "etc/x.conf",
    "usr/share/doc/bash/README",
    "var/cache/a",
    "var/log/b",
  ];

  it("has the same bytes whatever the time and the order of unpacking were", async () => {
    const [one, two] = [unpacked(names), unpacked([...names].reverse())];
    utimesSync(join(two, "bin/bash"), 1, 1);
    const extra = { "etc/passwd": Buffer.from("root:x:0:0:::\n") };
    assert.ok((await packRoot(one, extra)).equals(await packRoot(two, extra)));
  });

  it("has merged folders, a shell, no set-uid bit, no times and no documentation", async () => {
    const found = await read(await packRoot(unpacked(names), {}));
    assert.equal(found.get("bin")?.linkname, "usr/bin");
    assert.equal(found.get("usr/bin/bash")?.mode, 0o755);
    assert.equal(found.get("usr/bin/sh")?.linkname, "dash");
    assert.equal(found.get("usr/lib64/ld.so")?.linkname, "/lib/x/libc.so");
    assert.equal(found.get("etc/x.conf")?.mode, 0o644);
    assert.equal(found.get("tmp")?.mode, 0o1777);
    assert.deepEqual(new Set([...found.values()].map(({ mtime, uid }) => `${mtime} ${uid}`)), new Set(["0 0"]));
    assert.deepEqual(
      [...found.keys()].filter((name) => /doc|cache|log|^bin\//.test(name)),
      [],
    );
    assert.deepEqual([...found.keys()], [...found.keys()].sort());
  });
});
