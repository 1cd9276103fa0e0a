// Layer images, format 1. The golden digests are the format: a change here is a new format, never a correction.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import fc from "fast-check";
import { sha256 } from "../../../lib/oci/digest";
import { fileLayerImage, layerImage } from "../../../lib/oci/layer";
import type { LayerEntry } from "../../../lib/oci/layerEntry";
import { refused } from "../../support/refused";

const entry = (path: string, content = "", executable = false): LayerEntry => {
  const bytes = Buffer.from(content);
  return { path, executable, size: bytes.length, open: () => bytes };
};
const bytesOf = async (stream: Readable) => {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
};

describe("layer images", () => {
  const golden: readonly [string, LayerEntry[], Record<string, string>][] = [
    ["one small file", [entry("/a", "a")], {}],
    [
      "a policy repository",
      [
        entry("/repos/x/policies/no-latest.yaml", "kind: ClusterPolicy\n"),
        entry("/repos/x/README.md", "# x\n"),
        entry("/repos/x/run.sh", "#!/bin/sh\n", true),
      ],
      {},
    ],
    [
      "names that need pax headers",
      [entry("/repos/é/日本.yaml", "a"), entry(`/repos/${"long/".repeat(60)}name`, "b")],
      {},
    ],
    ["an empty file and one of a block exactly", [entry("/e", ""), entry("/b", "x".repeat(512))], {}],
  ];
  const digests = [
    [
      "sha256:ab1eef69144c793847ba4754c0a7b42f28387a05bd267b625b2bed4ae0bd424f",
      "sha256:5bd38ca27600d19e55ebd0bcf1f40141415888f76934589a23a2c9cedc1dd1ea",
      2048,
    ],
    [
      "sha256:d491311256d3947173c6ea0e103c7fa5cecf46b2ffa56efdac385a7329430d83",
      "sha256:fe4038fe52d71d03a4a020332fcb81c9f0c763b353aa24536a2c309c7d0467d5",
      5632,
    ],
    [
      "sha256:427fc8e633fadbb0a01411abb5b48015c0daa2847f002db8359b5493cd4b7c5b",
      "sha256:d43fd7abc77b24b85b8fe315bbf58ba0467281f642e8a47b9b6dfbe5c25a1050",
      48128,
    ],
    [
      "sha256:06a18c1d3a6ec288e165ea321195129a1065c6e5100352523e4c23a6ab05a784",
      "sha256:e1b0c6fe9637de810621a8a9096cf6cc0cae4f786275fb03d077108029b1e601",
      2560,
    ],
  ];
  for (const [index, [what, entries]] of golden.entries()) {
    it(`of ${what} have the digests of format 1`, async () => {
      const image = await layerImage(entries);
      assert.deepEqual([image.digest, image.layer.digest, image.layer.size], digests[index]);
    });
  }

  it("are a manifest, a config and one plain tar", async () => {
    const image = await layerImage([entry("/a", "a")]);
    assert.equal(
      image.config.toString(),
      `{"architecture":"amd64","config":{},"created":"1970-01-01T00:00:00Z","os":"linux","rootfs":{"diff_ids":["${image.layer.digest}"],"type":"layers"}}`,
    );
    assert.equal(
      image.manifest.toString(),
      `{"config":{"digest":"${sha256(image.config)}","mediaType":"application/vnd.oci.image.config.v1+json","size":${image.config.length}},` +
        `"layers":[{"digest":"${image.layer.digest}","mediaType":"application/vnd.oci.image.layer.v1.tar","size":${image.layer.size}}],` +
        `"mediaType":"application/vnd.oci.image.manifest.v1+json","schemaVersion":2}`,
    );
    assert.equal(image.digest, sha256(image.manifest));
    const tar = await bytesOf(image.open());
    assert.deepEqual([sha256(tar), tar.length], [image.layer.digest, image.layer.size]);
    assert.equal(tar.length, 512 + 512 + 1024);
  });

  it("name their files in order, with the beginning of their digests", async () => {
    const image = await layerImage([entry("/repos/x/b/c", "1"), entry("/repos/x/b-a", "2"), entry("/repos/x/a", "3")], {
      root: "/repos/x",
    });
    assert.deepEqual(Object.entries(image.files), [
      ["a", sha256("3").slice(7, 19)],
      ["b-a", sha256("2").slice(7, 19)],
      ["b/c", sha256("1").slice(7, 19)],
    ]);
  });

  it("are the same whatever the order of their files", async () => {
    const path = fc
      .array(
        fc.stringMatching(/^[a-z0-9._é-]{1,12}$/u).filter((text) => !/^\.+$/.test(text) && !text.startsWith(".wh.")),
        { minLength: 1, maxLength: 4 },
      )
      .map((parts) => `/${parts.join("/")}`);
    const files = fc.uniqueArray(fc.record({ path, content: fc.string(), executable: fc.boolean() }), {
      minLength: 1,
      maxLength: 12,
      selector: (file) => file.path.normalize("NFC"),
    });
    await fc.assert(
      fc.asyncProperty(
        files.chain((list) => fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length }))),
        async ([one, other]) => {
          const make = (list: typeof one) =>
            layerImage(list.map((file) => entry(file.path, file.content, file.executable))).then(
              ({ digest }) => digest,
              (error) => error.code,
            );
          assert.equal(await make(one), await make(other));
        },
      ),
      { numRuns: 100 },
    );
  });

  it("change with a path, a byte or an executable bit", async () => {
    const images = await Promise.all(
      [
        entry("/a", "a"),
        entry("/b", "a"),
        entry("/a", "b"),
        entry("/a", "a", true),
        entry("/A", "a"),
        entry("/a/a", "a"),
      ].map((one) => layerImage([one])),
    );
    assert.equal(new Set(images.map(({ digest }) => digest)).size, 6);
  });

  it("are streamed the same each time, in whatever chunks the content comes", async () => {
    const content = Buffer.from("x".repeat(3000));
    const chunks = () => Readable.from([content.subarray(0, 1), content.subarray(1, 2000), content.subarray(2000)]);
    const image = await layerImage([{ path: "/a", executable: false, size: 3000, open: chunks }]);
    assert.equal(image.digest, (await layerImage([entry("/a", content.toString())])).digest);
    assert.deepEqual(await bytesOf(image.open()), await bytesOf(image.open()));
  });

  it("refuse content that changed between one reading and the next", async () => {
    let content = "aaaa";
    const image = await layerImage([{ path: "/a", executable: false, size: 4, open: () => Buffer.from(content) }]);
    for (const [changed, expected] of [
      ["aaa", /3 bytes instead of 4/],
      ["aaaaa", /more than its 4 bytes/],
    ] as const) {
      content = changed;
      assert.match((await refused("source-changed", () => bytesOf(image.open()))).message, expected);
    }
    await refused("source-changed", () => layerImage([{ ...entry("/a", "a"), sha256: sha256("b") }]));
    await layerImage([{ ...entry("/a", "a"), sha256: sha256("a") }]);
  });

  it("hold at least one file", async () => void (await refused("layer-empty", () => layerImage([]))));

  const badPaths = [
    "a",
    "",
    "/",
    "//a",
    "/a/",
    "/a//b",
    "/./a",
    "/a/..",
    "/../a",
    "/a\0b",
    "/a\nb",
    "/a\u007fb",
    "/a\u0085b",
    "/a\\b",
    "/a\ud800",
    "/.wh.a",
    "/a/.wh..wh..opq",
    `/${"n".repeat(256)}`,
    `/${"é".repeat(128)}`,
    `/${"a/".repeat(2048)}a`,
    "/a\u2028b",
  ];
  for (const path of badPaths) {
    it(`refuse the path ${JSON.stringify(path.slice(0, 20))}`, async () =>
      void (await refused("layer-path", () => layerImage([entry("/ok"), entry(path)]))));
  }

  const collisions: readonly (readonly [string, string])[] = [
    ["/a", "/a"],
    ["/a", "/A"],
    ["/a/b", "/A/c"],
    ["/a", "/a/b"],
    ["/A", "/a/b"],
    ["/\u00e9", "/e\u0301"],
    ["/\u00c9", "/e\u0301"],
    ["/x/\u00e9/a", "/x/e\u0301/b"],
  ];
  for (const [one, other] of collisions) {
    it(`refuse ${JSON.stringify(one)} beside ${JSON.stringify(other)}`, async () => {
      await refused("layer-collision", () => layerImage([entry(one), entry(other)]));
      await refused("layer-collision", () => layerImage([entry(other), entry(one)]));
    });
  }
});

describe("layer images of one file", () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "layer-"));
  });
  afterEach(() => rmSync(dir, { recursive: true }));

  it("are executable unless said otherwise", async () => {
    const file = join(dir, "tool");
    writeFileSync(file, "#!/bin/sh\n");
    const at = "/usr/local/bin/tool";
    assert.equal(
      (await fileLayerImage(file, { at })).digest,
      (await layerImage([entry(at, "#!/bin/sh\n", true)])).digest,
    );
    assert.equal(
      (await fileLayerImage(file, { at, executable: false })).digest,
      (await layerImage([entry(at, "#!/bin/sh\n")])).digest,
    );
  });

  it("need a file that is there", async () => {
    await refused("file-missing", () => fileLayerImage(join(dir, "gone"), { at: "/a" }));
    await refused("file-missing", () => fileLayerImage(dir, { at: "/a" }));
  });
});
