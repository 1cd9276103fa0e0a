// Flux artifacts, format 1. The golden digests are the format: a change here is a new format, never a correction.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { gunzipSync } from "node:zlib";
import fc from "fast-check";
import ignore from "ignore";
import { extract } from "tar-stream";
import { fluxArtifact } from "../../../lib/flux/artifact";
import { undelivered } from "../../../lib/flux/limits";
import { sha256 } from "../../../lib/oci/digest";
import { refused } from "../../support/refused";

const filesOf = (files: Record<string, string>) =>
  new Map(Object.entries(files).map(([path, content]) => [path, Buffer.from(content)]));

const small = filesOf({
  "kustomization.yaml": "resources:\n- security-policy/policies/no-latest.yaml\n",
  "security-policy/policies/no-latest.yaml": "kind: ClusterPolicy\n",
});
const repeated = (count: number) =>
  filesOf(
    Object.fromEntries(Array.from({ length: count }, (_, at) => [`x/${at}.yaml`, `name: policy-${at}\n`.repeat(40)])),
  );

/** What Flux leaves out of a source, by its own lists. */
const sourceIgnore = ignore({ ignorecase: false }).add(
  [
    ".git/,.gitignore,.gitmodules,.gitattributes",
    "*.jpg,*.jpeg,*.gif,*.png,*.wmv,*.flv,*.tar.gz,*.zip",
    ".github/,.circleci/,.travis.yml,.gitlab-ci.yml,appveyor.yml,.drone.yml,cloudbuild.yaml,codeship-services.yml,codeship-steps.yml",
    "**/.goreleaser.yml,**/.sops.yaml,**/.flux.yaml",
  ].flatMap((line) => line.split(",")),
);

interface Entry {
  readonly name: string;
  readonly type: string;
  readonly content: string;
  readonly header: { mode?: number; uid?: number; gid?: number; uname?: string; mtime?: Date };
}

async function entriesOf(layer: Buffer): Promise<Entry[]> {
  const parser = extract();
  parser.end(gunzipSync(layer));
  const entries: Entry[] = [];
  for await (const entry of parser) {
    const chunks: Buffer[] = [];
    for await (const chunk of entry) chunks.push(chunk as Buffer);
    const { name, type, ...header } = entry.header;
    entries.push({ name, type: type!, content: Buffer.concat(chunks).toString(), header });
  }
  return entries;
}

describe("Flux artifacts", () => {
  const golden: readonly [string, () => ReturnType<typeof fluxArtifact>, string, string][] = [
    [
      "a small one",
      () => fluxArtifact(small),
      "sha256:169cd8478c68e2c1831f6ea6194a00603e0e25d197783d975d7ba12c8080b2bf",
      "sha256:f2105845e7073365eb905ba6b22d37df2ce18dd13dfc37ee9de0ae07bab59d4c",
    ],
    [
      "one that was rendered in part",
      () => fluxArtifact(small, { render: `sha256:${"1".repeat(64)}` }),
      "sha256:038eaacc6c7f99143e4ee80cc375c4d0d15059e96b2a07495141a899c37b0e34",
      "sha256:f2105845e7073365eb905ba6b22d37df2ce18dd13dfc37ee9de0ae07bab59d4c",
    ],
    [
      "one of 500 files",
      () => fluxArtifact(repeated(500)),
      "sha256:be6ecd32672d9a72a82974090c4996b98d369d30591dd1196c48bc5faaabe2f8",
      "sha256:93775a64eff4d7c217a07e5db19cc32b1c335645104ca3c8fdbe4d9d985d160c",
    ],
    [
      "names that need pax headers",
      () => fluxArtifact(filesOf({ "é/日本.yaml": "a", [`${"long/".repeat(60)}name`]: "b" })),
      "sha256:40cccae4bd402bfa0012475b1dcef6eacc10e41f484434e0f77299bc64fb1ea1",
      "sha256:2728604ecdcfad9d43c321fb23f4acc9386e7dca5ddab930e420c76643823d4b",
    ],
  ];
  for (const [name, make, digest, revision] of golden) {
    it(`has the digest that was frozen: ${name}`, () => {
      const artifact = make();
      assert.deepEqual([artifact.digest, artifact.revision], [digest, revision]);
    });
  }

  it("says in its manifest what Flux looks for, and nothing of when or where it was made", () => {
    const { manifest, config, layer, revision } = fluxArtifact(small);
    const said = JSON.parse(manifest.toString());
    assert.deepEqual(said, {
      annotations: {
        "org.opencontainers.image.created": "1970-01-01T00:00:00Z",
        "org.opencontainers.image.revision": revision,
        "org.opencontainers.image.source": "policy-platform",
      },
      config: {
        digest: sha256(config),
        mediaType: "application/vnd.cncf.flux.config.v1+json",
        size: config.length,
      },
      layers: [
        {
          digest: sha256(layer),
          mediaType: "application/vnd.cncf.flux.content.v1.tar+gzip",
          size: layer.length,
        },
      ],
      mediaType: "application/vnd.oci.image.manifest.v1+json",
      schemaVersion: 2,
    });
    assert.deepEqual(JSON.parse(config.toString()).rootfs.diff_ids, [sha256(gunzipSync(layer))]);
    assert.equal(layer.subarray(0, 10).toString("hex"), "1f8b0800000000000203", "no time, no name, one system");
  });

  it("packs the root first, then folder by folder, all with plain rights and no owner", async () => {
    const files = filesOf({ "a.yaml": "1", "a/b.yaml": "2", "a-b/c.yaml": "3", "a/a/z.yaml": "4" });
    const entries = await entriesOf(fluxArtifact(files).layer);
    assert.deepEqual(
      entries.map(({ name, type, header: { mode, uid, gid, uname, mtime } }) => [
        name,
        type,
        mode,
        uid,
        gid,
        uname,
        +mtime!,
      ]),
      [
        ["./", "directory"],
        ["a/", "directory"],
        ["a/a/", "directory"],
        ["a/a/z.yaml", "file"],
        ["a/b.yaml", "file"],
        ["a-b/", "directory"],
        ["a-b/c.yaml", "file"],
        ["a.yaml", "file"],
      ].map(([name, type]) => [name, type, type === "file" ? 0o644 : 0o755, 0, 0, "", 0]),
    );
  });

  it("is the same whatever the order in which its files are given", () => {
    const files = [...repeated(50)];
    assert.equal(fluxArtifact(new Map(files.reverse())).digest, fluxArtifact(new Map(files.sort())).digest);
  });

  it("is read by tar as it was packed", () => {
    const list = execFileSync("tar", ["-tzf", "-"], { input: fluxArtifact(small).layer, encoding: "utf8" });
    assert.deepEqual(list.trim().split("\n"), [
      "./",
      "kustomization.yaml",
      "security-policy/",
      "security-policy/policies/",
      "security-policy/policies/no-latest.yaml",
    ]);
    const shown = execFileSync("tar", ["-xzOf", "-", "kustomization.yaml"], { input: fluxArtifact(small).layer });
    assert.deepEqual(shown, small.get("kustomization.yaml"));
  });

  it("unpacks by Flux's rules to exactly the files that were given, whatever their names, or is refused", async () => {
    const step = fc.oneof(
      fc.constantFrom(
        ".git",
        ".github",
        "a.zip",
        "cloudbuild.yaml",
        ".sops.yaml",
        "b.tar.gz",
        "..",
        "x..",
        "é",
        "a\\b",
        ".sourceignore",
      ),
      fc.stringMatching(/^[a-zA-Z0-9._ -]{1,12}$/),
    );
    const path = fc.array(step, { minLength: 1, maxLength: 4 }).map((steps) => steps.join("/"));
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(path, { minLength: 1, maxLength: 5 }), async (paths) => {
        const given = new Map(paths.map((one) => [one, Buffer.from(one)]));
        let layer: Buffer;
        try {
          layer = fluxArtifact(given).layer;
        } catch (error) {
          assert.match((error as { code: string }).code, /^(artifact-path|layer-collision)$/);
          return;
        }
        const entries = await entriesOf(layer);
        for (const { name } of entries)
          assert.ok(name !== "" && !name.includes("\\") && !name.startsWith("/") && !name.includes("../"), name);
        const kept = entries.filter(({ name, type }) => type === "file" && !sourceIgnore.ignores(name));
        assert.deepEqual(kept.map(({ content }) => content).sort(), [...paths].sort());
      }),
      { numRuns: 300 },
    );
  });

  for (const path of [
    "a/.git/x.yaml",
    "x.tar.gz",
    "p.zip/a.yaml",
    ".github/a.yaml",
    "a/cloudbuild.yaml",
    ".sops.yaml",
    ".sourceignore",
    "a../b.yaml",
    "a\\b",
  ]) {
    it(`refuses ${path}, which would not reach a cluster`, async () => {
      await refused("artifact-path", () => fluxArtifact(new Map([[path, Buffer.from("a")]])));
    });
  }

  it("keeps what only looks like a name that Flux leaves out", () => {
    for (const path of ["git/x.yaml", ".github", "zip.yaml", "cloudbuild.yml", "a.zip.yaml", ".gitlab/a.yaml"])
      assert.equal(undelivered(path), undefined, path);
  });

  it("refuses more than Flux unpacks", async () => {
    const half = Buffer.alloc(51 * 1024 * 1024);
    await refused("artifact-too-large", () =>
      fluxArtifact(
        new Map([
          ["a", half],
          ["b", half],
        ]),
      ),
    );
  });
});
