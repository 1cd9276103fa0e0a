// One repository of policies as a folder, as an image that was pushed, as a git commit and as a folder of a foreign image: on a
// real registry and a real git server, the same files are the same layer image.
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "yaml";
import { RegistryClient } from "../../lib/oci/client";
import { sha256 } from "../../lib/oci/digest";
import { folderLayerImage, pushLayerImage } from "../../lib/oci/layer";
import { configType, manifestType } from "../../lib/oci/mediaTypes";
import { formatReference, parseRepository } from "../../lib/oci/reference";
import { compose } from "../../lib/plan/composition";
import { freshContents } from "../../lib/sources/freshContents";
import { repositoryContent } from "../../lib/sources/repositoryContent";
import { keepVariables } from "../support/environment";
import { type GitServer, startGitServer } from "../support/gitServer";
import { refused } from "../support/refused";
import { startRegistry, type TestRegistry } from "../support/registry";
import { type TarItem, tarball } from "../support/tarball";
import { run } from "../unit/cli/run";
import { makeProject } from "../unit/config/valid";

const corpus = "policies/security-policy";
const at = "/repos/team";

describe("a repository of policies, whatever its source", function () {
  this.timeout(60_000);
  let registry: TestRegistry;
  let git: GitServer;
  let dir: string;
  let restore: () => void;
  const client = new RegistryClient();
  before(async () => {
    dir = mkdtempSync(join(tmpdir(), "sources-"));
    restore = keepVariables();
    process.env.XDG_CACHE_HOME = join(dir, "cache");
    [registry, git] = await Promise.all([startRegistry(), startGitServer()]);
  });
  after(async () => {
    restore();
    await Promise.all([registry.stop(), git.close()]);
    rmSync(dir, { recursive: true });
  });

  const files = () =>
    readdirSync(corpus, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(corpus.length + 1));
  /** An image of these layers, each a tar; its reference. */
  const image = async (name: string, ...layers: TarItem[][]) => {
    const repository = parseRepository(`${registry.host}/${name}`);
    const tars = await Promise.all(layers.map((entries) => tarball(...entries)));
    const config = Buffer.from(
      JSON.stringify({
        architecture: "amd64",
        os: "linux",
        rootfs: { type: "layers", diff_ids: tars.map((tar) => sha256(tar)) },
      }),
    );
    for (const bytes of [...tars, config])
      await client.pushBlob(repository, { digest: sha256(bytes), size: bytes.length }, { bytes });
    const part = (mediaType: string, bytes: Buffer) => ({ mediaType, digest: sha256(bytes), size: bytes.length });
    const layerType = "application/vnd.oci.image.layer.v1.tar";
    const manifest = Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: manifestType,
        config: part(configType, config),
        layers: tars.map((tar) => part(layerType, tar)),
      }),
    );
    for (const reference of ["v1", sha256(manifest)])
      await client.putManifest(repository, reference, manifest, manifestType);
    return formatReference({ ...repository, digest: sha256(manifest) });
  };
  const repacked = async (reference: string, path: string) =>
    (await repositoryContent({ image: reference, path }, { at, client }))!.image;

  it("is one layer image as folder, as pushed image, as git commit and as folder of a foreign image", async () => {
    const { digest } = await folderLayerImage(corpus, { at });
    const pushed = await run(
      "repository",
      "push",
      corpus,
      `${registry.host}/teams/team:v1`,
      "--skip-tests",
      "-o",
      "json",
    );
    const content = Object.fromEntries(files().map((path) => [`deep/er/${path}`, readFileSync(join(corpus, path))]));
    const commit = git.commit("corpus", content);
    const source = { url: `${git.url}/corpus.git`, commit, path: "deep/er" };
    const foreign = await image(
      "foreign/corpus",
      files().map((path) => ({ name: `opt/team/${path}`, content: readFileSync(join(corpus, path), "utf8") })),
    );
    assert.equal(pushed.data.digest, digest, pushed.stderr);
    assert.equal((await repositoryContent({ git: source }, { at, client }))!.image.digest, digest);
    assert.equal((await repacked(foreign, "/opt/team")).digest, digest);
  });

  it("of a foreign image is what its container would see: later layers win, deleted files are gone, tests stay out", async () => {
    const reference = await image(
      "foreign/layers",
      [
        { name: "repos/x/a.yaml", content: "old" },
        { name: "repos/x/gone.yaml", content: "gone" },
        { name: "repos/x/old/b.yaml", content: "b" },
        { name: "repos/x/tests/t.yaml", content: "t" },
        { name: "etc/passwd", content: "root" },
      ],
      [
        { name: "repos/x/a.yaml", content: "new" },
        { name: "repos/x/.wh.gone.yaml", content: "" },
        { name: "repos/x/old/.wh..wh..opq", content: "" },
        { name: "repos/x/run", content: "#!", mode: 0o755 },
        { name: "repos/x/copy.yaml", type: "symlink", linkname: "a.yaml" },
      ],
    );
    const { files: found } = await repacked(reference, "/repos/x");
    assert.deepEqual(Object.keys(found), ["a.yaml", "copy.yaml", "run"]);
    assert.equal(found["a.yaml"], sha256("new").slice(7, 19));
    assert.equal(found["copy.yaml"], found["a.yaml"]);
  });

  it("of a foreign image is refused for links out of it, devices, and a folder that is not there", async () => {
    const file = { name: "repos/x/a.yaml", content: "a" };
    const absolute = await image("foreign/absolute", [
      file,
      { name: "repos/x/l", type: "symlink", linkname: "/etc/passwd" },
    ]);
    assert.match(
      (await refused("folder-entry", () => repacked(absolute, "/repos/x"))).message,
      /"l" in folder "\/repos\/x" of image .* absolute/,
    );
    const outside = await image("foreign/outside", [
      file,
      { name: "repos/x/l", type: "symlink", linkname: "../../etc/passwd" },
    ]);
    assert.match((await refused("folder-entry", () => repacked(outside, "/repos/x"))).message, /leaves the folder/);
    const pipe = await image("foreign/pipe", [file, { name: "repos/x/p", type: "fifo" }]);
    assert.match((await refused("folder-entry", () => repacked(pipe, "/repos/x"))).message, /named pipe/);
    assert.match(
      (await refused("image-folder-missing", () => repacked(pipe, "/repos/y"))).message,
      /no folder "\/repos\/y"/,
    );
    const linked = await image("foreign/linked", [file, { name: "policies", type: "symlink", linkname: "repos/x" }]);
    assert.match(
      (await refused("image-folder-missing", () => repacked(linked, "/policies"))).message,
      /is a link to "repos\/x"/,
    );
  });

  it("that is fetched is known by its pin, and read by no one once its layer image is in the registry", async () => {
    const commit = git.commit("pinned", { "a.yaml": "a: 1\n" });
    const source = { url: `${git.url}/pinned.git`, commit };
    const settings = (digest?: string) => ({
      base: { image: `${registry.host}/base@sha256:${"b".repeat(64)}` },
      image: { user: "1:1" },
      tools: {},
      policies: { team: { git: { ...source, ...(digest && { digest }) } } },
      mirrors: {},
      artifacts: { environments: [] },
      bundles: {},
      registry: { address: registry.host, separator: "/" as const, insecure: false },
    });
    const asked = git.requests.length;
    const unpinned = await compose(settings(), { mayDownload: false, client });
    assert.deepEqual([unpinned.inputs, unpinned.unknown, git.requests.length], [undefined, ["team"], asked]);
    const updated = await compose(settings(), { mayDownload: true, client });
    const layer = updated.contents.team!.image;
    assert.equal(updated.inputs!.repositories.team!.digest, layer.digest);
    // From now on it is in the cache, and a preview may read it there.
    assert.equal(
      (await compose(settings(), { mayDownload: false, client })).inputs!.repositories.team!.digest,
      layer.digest,
    );

    const pinned = settings(layer.digest);
    assert.deepEqual(Object.keys(await freshContents(client, pinned, {})), ["team"]);
    await pushLayerImage(client, parseRepository(`${registry.host}/layers/repositories/team`), layer);
    rmSync(join(dir, "cache"), { recursive: true });
    git.requests.length = 0;
    assert.deepEqual(await freshContents(client, pinned, {}), {});
    assert.deepEqual(git.requests, []);
    await refused("layer-digest-mismatch", () => freshContents(client, settings(`sha256:${"0".repeat(64)}`), {}));
  });

  it("is pinned by one command: commit and digest of a branch, digest of a foreign image's folder", async () => {
    const commit = git.commit("command", { "policies/a.yaml": "a: 1\n" });
    await image("foreign/command", [{ name: "repos/x/a.yaml", content: "a: 1\n" }]);
    const project = makeProject();
    const file = join(project, "Pulumi.dev.yaml");
    writeFileSync(join(project, "Pulumi.yaml"), "name: policy-platform\n");
    writeFileSync(
      file,
      `config:\n  policy-platform:policies:\n    g: {git: {url: "${git.url}/command.git", commit: main, path: policies}}   # ours\n    f: {image: "${registry.host}/foreign/command:v1", path: /repos/x}\n`,
    );
    const pin = (...argv: string[]) => run("pin", ...argv, "--stack", "dev", "--cwd", project);
    const first = await pin("g");
    assert.equal(first.code, 0, first.stderr);
    const second = await pin("f");
    assert.equal(second.code, 0, second.stderr);
    const { g, f } = parse(readFileSync(file, "utf8")).config["policy-platform:policies"];
    const expected = (name: string) =>
      repositoryContent(
        { git: { url: `${git.url}/command.git`, commit, path: "policies" } },
        { at: `/repos/${name}`, client },
      );
    assert.deepEqual([g.git.commit, g.git.digest], [commit, (await expected("g"))!.image.digest]);
    assert.equal(f.digest, (await expected("f"))!.image.digest);
    assert.match(readFileSync(file, "utf8"), /# ours/);
    const next = git.commit("command", { "policies/a.yaml": "a: 2\n" });
    assert.match((await pin("g", "main")).stdout, new RegExp(`${commit}" → ${next}`));
    assert.equal((await pin("g", "--", "--upload-pack=id")).code, 2);
    assert.match((await pin("g", "gone")).stderr, /no branch, tag or commit gone/);
  });
});
