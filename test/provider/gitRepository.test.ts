// Policy repositories out of git: fetched once, by hash, checked, and by the rules of a folder. Against git's own server.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { leftOutDigest, leftOutOfCommit } from "../../lib/git/leftOut";
import { resolveRef } from "../../lib/git/refs";
import { gitTree } from "../../lib/git/repository";
import { RegistryClient } from "../../lib/oci/client";
import { folderLayerImage } from "../../lib/oci/layer";
import { leftOutFiles } from "../../lib/policies/tests";
import { repositoryContent } from "../../lib/sources/repositoryContent";
import { keepVariables } from "../support/environment";
import { type GitContent, type GitServer, startGitServer } from "../support/gitServer";
import { refused } from "../support/refused";

const at = "/repos/x";
const files: Readonly<Record<string, GitContent>> = {
  "policies/a.yaml": "kind: ClusterPolicy # $Id$\n",
  "policies/b.yaml": { link: "a.yaml" },
  "policies/crlf.yaml": "a: 1\r\nb: 2\r\n",
  "bin/run": { executable: "#!/bin/sh\n" },
  "tests/a/kyverno-test.yaml": "kind: Test\n",
  "docs/note.md": "left out\n",
  ".policyignore": "*.md\n",
  ".gitattributes": "policies/a.yaml text eol=crlf filter=lfs ident export-ignore\n",
  "ünï code/ß.yaml": "a: ß\n",
};

describe("a policy repository given by git", function () {
  this.timeout(30_000);
  let server: GitServer;
  let cache: string;
  let restore: () => void;
  before(async () => {
    server = await startGitServer();
  });
  after(() => server.close());
  beforeEach(() => {
    cache = mkdtempSync(join(tmpdir(), "git-cache-"));
    restore = keepVariables();
    process.env.XDG_CACHE_HOME = cache;
    server.requests.length = 0;
  });
  afterEach(() => {
    restore();
    rmSync(cache, { recursive: true });
  });

  const url = (name: string) => `${server.url}/${name}.git`;
  const layer = async (git: { url: string; commit: string; path?: string; digest?: string }) =>
    (await repositoryContent({ git }, { at, client: new RegistryClient() }))!.image;
  const folderOf = (content: Readonly<Record<string, GitContent>>) => {
    const folder = mkdtempSync(join(cache, "folder-"));
    for (const [path, one] of Object.entries(content)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      if (typeof one === "string" || Buffer.isBuffer(one)) writeFileSync(join(folder, path), one);
      else if ("link" in one) symlinkSync(one.link, join(folder, path));
      else writeFileSync(join(folder, path), one.executable, { mode: 0o755 });
    }
    return folder;
  };

  it("is the layer image that the same folder is: links, modes, ignored files and bytes as they are in git", async () => {
    const commit = server.commit("same", files);
    const image = await layer({ url: url("same"), commit });
    assert.deepEqual(image.files, (await folderLayerImage(folderOf(files), { at })).files);
    assert.equal(image.digest, (await folderLayerImage(folderOf(files), { at })).digest);
    assert.deepEqual(Object.keys(image.files), [
      ".gitattributes",
      "bin/run",
      "policies/a.yaml",
      "policies/b.yaml",
      "policies/crlf.yaml",
      "ünï code/ß.yaml",
    ]);
  });

  it("is fetched once: the second time neither server nor network is needed", async () => {
    const commit = server.commit("once", files);
    const { digest } = await layer({ url: url("once"), commit });
    const asked = server.requests.length;
    assert.ok(asked > 0);
    assert.equal((await layer({ url: url("once"), commit })).digest, digest);
    assert.equal(server.requests.length, asked);
  });

  it("is not fetched where that is not allowed, and read where it is in the cache", async () => {
    const commit = server.commit("preview", files);
    assert.equal(await gitTree({ url: url("preview"), commit }, { mayFetch: false }), undefined);
    assert.deepEqual(server.requests, []);
    await layer({ url: url("preview"), commit });
    assert.notEqual(await gitTree({ url: url("preview"), commit }, { mayFetch: false }), undefined);
  });

  it("can be a folder of a large repository, of which the rest never comes", async () => {
    const rest = randomBytes(4 * 1024 * 1024);
    const inner = Object.fromEntries(Object.entries(files).map(([path, content]) => [`team/p/${path}`, content]));
    const commit = server.commit("large", { ...inner, "video.bin": rest });
    const image = await layer({ url: url("large"), commit, path: "team/p" });
    assert.equal(image.digest, (await folderLayerImage(folderOf(files), { at })).digest);
    assert.ok(
      sizeOf(join(cache, "policy-platform")) < 200_000,
      `${sizeOf(join(cache, "policy-platform"))} bytes in the cache`,
    );
  });

  it("comes from servers that know no filter, and from those that give only what they advertise", async () => {
    const inner = { "p/a.yaml": "a: 1\n", "other.txt": "x" };
    const commit = server.commit("plain", inner);
    server.configure("plain", "uploadpack.allowFilter", "false");
    const { digest } = await layer({ url: url("plain"), commit, path: "p" });
    const first = await startGitServer({ protocol: 0 });
    try {
      const earlier = first.commit("old", inner);
      first.commit("old", { "p/a.yaml": "a: 2\n" });
      assert.equal((await layer({ url: `${first.url}/old.git`, commit: earlier, path: "p" })).digest, digest);
    } finally {
      await first.close();
    }
  });

  it("may be named by SHA-256", async () => {
    const modern = await startGitServer({ objectFormat: "sha256" });
    try {
      const commit = modern.commit("x", files);
      assert.equal(commit.length, 64);
      const image = await layer({ url: `${modern.url}/x.git`, commit });
      assert.equal(image.digest, (await folderLayerImage(folderOf(files), { at })).digest);
      const inner = modern.commit("x", { "p/a.yaml": "a: 1\n", "big.bin": "x" });
      assert.deepEqual(Object.keys((await layer({ url: `${modern.url}/x.git`, commit: inner, path: "p" })).files), [
        "a.yaml",
      ]);
    } finally {
      await modern.close();
    }
  });

  it("is held to the digest of its pin", async () => {
    const commit = server.commit("held", files);
    const { digest } = await layer({ url: url("held"), commit });
    assert.equal((await layer({ url: url("held"), commit, digest })).digest, digest);
    const wrong = `sha256:${"0".repeat(64)}`;
    const error = await refused("layer-digest-mismatch", () => layer({ url: url("held"), commit, digest: wrong }));
    assert.match(error.message, new RegExp(`${digest}.*${wrong}`));
  });

  it("is fetched again when the cache was damaged", async () => {
    const commit = server.commit("damaged", files);
    const { digest } = await layer({ url: url("damaged"), commit });
    const pack = everything(cache).find((path) => path.endsWith(".pack"))!;
    truncateSync(pack, 60);
    assert.equal((await layer({ url: url("damaged"), commit })).digest, digest);
  });

  it("is fetched whole by the next run when one was ended in between, and by two runs at once", async () => {
    const commit = server.commit("ended", { ...files, "policies/big.yaml": "# x\n".repeat(100_000) });
    const abort = new AbortController();
    const fetching = gitTree({ url: url("ended"), commit }, { signal: abort.signal });
    setTimeout(() => abort.abort(new Error("ended")), 15);
    await assert.rejects(fetching, /ended/);
    assert.deepEqual(
      everything(cache).filter((path) => path.endsWith(".pack")),
      [],
    );
    const both = await Promise.all([1, 2].map(() => layer({ url: url("ended"), commit })));
    assert.equal(both[0]!.digest, both[1]!.digest);
  });

  it("hands its tests to the gate, which the image does not have", async () => {
    const commit = server.commit("tests", {
      ...files,
      "tests/link.yaml": { link: "a/kyverno-test.yaml" },
      "tests/out": { link: "/etc/passwd" },
    });
    const place = { url: url("tests"), commit };
    const left = await leftOutOfCommit(place, (await layer(place)).files);
    assert.deepEqual([...left.keys()].sort(), [
      ".policyignore",
      "docs/note.md",
      "tests/a/kyverno-test.yaml",
      "tests/link.yaml",
    ]);
    assert.equal(String(left.get("tests/link.yaml")), "kind: Test\n");
    assert.notEqual(leftOutDigest(place), leftOutDigest({ ...place, path: "policies" }));
  });

  it("hands the gate what a folder of the same content would", async () => {
    const content = {
      ...files,
      ".policyignore": "*.md\nold/\ntests/\n",
      "old/tests/kyverno-test.yaml": "kind: Test\n",
      "node_modules/x/kyverno-test.yaml": "kind: Test\n",
    };
    const place = { url: url("same"), commit: server.commit("same", content) };
    const shipped = (await layer(place)).files;
    const ofFolder = [...leftOutFiles(folderOf(content), shipped).files.keys()].sort();
    assert.deepEqual([...(await leftOutOfCommit(place, shipped)).keys()].sort(), ofFolder);
    assert.ok(ofFolder.includes("tests/a/kyverno-test.yaml") && !ofFolder.includes("old/tests/kyverno-test.yaml"));
  });

  it("keeps the last five commits of one repository", async () => {
    const commits: string[] = [];
    for (const round of [1, 2, 3, 4, 5, 6, 7]) {
      commits.push(server.commit("many", { "a.yaml": `round: ${round}\n` }));
      await layer({ url: url("many"), commit: commits.at(-1)! });
    }
    const kept = readdirSync(join(cache, "policy-platform", "git")).flatMap((key) =>
      readdirSync(join(cache, "policy-platform", "git", key)),
    );
    assert.deepEqual(kept.sort(), commits.slice(-5).sort());
  });

  it("has no submodule: it is named, unless it is left out", async () => {
    server.commit("sub", { "a.yaml": "a: 1\n" });
    server.git("sub", "update-index", "--add", "--cacheinfo", `160000,${"1".repeat(40)},vendor/lib`);
    server.git("sub", "commit", "--quiet", "-m", "submodule");
    const commit = server.git("sub", "rev-parse", "HEAD");
    const error = await refused("folder-entry", () => layer({ url: url("sub"), commit }));
    assert.match(error.message, /"vendor\/lib" in git repository .* is a git submodule/);
    const ignored = server.git("sub", "rev-parse", "HEAD:a.yaml") && join(cache, "x");
    writeFileSync(ignored, "vendor/\n");
    const blob = server.git("sub", "hash-object", "-w", ignored);
    server.git("sub", "update-index", "--add", "--cacheinfo", `100644,${blob},.policyignore`);
    server.git("sub", "commit", "--quiet", "-m", "ignored");
    const image = await layer({ url: url("sub"), commit: server.git("sub", "rev-parse", "HEAD") });
    assert.deepEqual(Object.keys(image.files), ["a.yaml"]);
  });

  const badLinks: readonly [string, string, RegExp][] = [
    ["leaves the repository", "../../etc/passwd", /leaves the folder/],
    ["is absolute", "/etc/passwd", /absolute/],
    ["leads nowhere", "gone", /to nothing/],
    ["leads to itself", "link", /to nothing/],
    ["leads to a folder", "policies", /no regular file/],
    ["leads to something left out", "tests/t.yaml", /left out/],
  ];
  for (const [what, link, expected] of badLinks) {
    it(`is refused for a link that ${what}, as a folder is`, async () => {
      const content = { "policies/a.yaml": "a", "tests/t.yaml": "t", link: { link } };
      const commit = server.commit(`link-${what.replaceAll(" ", "-")}`, content);
      const error = await refused("folder-entry", () =>
        layer({ url: url(`link-${what.replaceAll(" ", "-")}`), commit }),
      );
      assert.match(error.message, expected);
      assert.match(
        (await refused("folder-entry", () => folderLayerImage(folderOf(content), { at }))).message,
        expected,
      );
    });
  }

  it("is refused for a commit that its server does not have, and for a folder that the commit does not have", async () => {
    const commit = server.commit("absent", files);
    await refused("git-commit-missing", () => layer({ url: url("absent"), commit: "0".repeat(39).concat("1") }));
    const error = await refused("git-path-missing", () => layer({ url: url("absent"), commit, path: "rules" }));
    assert.match(error.message, /no folder "rules".*"policies"/);
    await refused("git-path-missing", () => layer({ url: url("absent"), commit, path: "policies/a.yaml" }));
    await refused("git-repository-missing", () => layer({ url: url("nowhere"), commit }));
  });

  it("is pinned by the commit of a branch, a tag or a part of its hash", async () => {
    const first = server.commit("refs", files);
    server.git("refs", "tag", "-a", "v1.0.0", "-m", "annotated");
    const second = server.commit("refs", { "a.yaml": "a: 2\n" });
    server.git("refs", "tag", "light");
    server.git("refs", "branch", "v1.0.0-rc", first);
    const resolve = (ref: string) => resolveRef(url("refs"), ref);
    assert.equal(await resolve("v1.0.0"), first);
    assert.equal(await resolve("light"), second);
    assert.equal(await resolve("main"), second);
    assert.equal(await resolve("HEAD"), second);
    assert.equal(await resolve("refs/heads/main"), second);
    assert.equal(await resolve(second.slice(0, 9)), second);
    await refused("git-commit-missing", () => resolve("gone"));
    server.git("refs", "branch", "light", first);
    assert.match(
      (await refused("git-ref-ambiguous", () => resolve("light"))).message,
      /refs\/heads\/light and refs\/tags\/light/,
    );
  });
});

function everything(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

function sizeOf(folder: string): number {
  return everything(folder).reduce((sum, path) => sum + statSync(path).size, 0);
}
