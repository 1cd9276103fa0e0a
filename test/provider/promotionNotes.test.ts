// The release notes of a promotion: what its preview says of pins and policy files, read from the two images themselves, of
// which nothing is trusted.
import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { type Digest, shortDigest } from "../../lib/oci/digest";
import { type Released, startPromotionStand, tagOf } from "../support/promotionStand";
import { pushImage } from "../support/pushImage";
import { type ImageContent, pushWholeRelease, tagAs } from "../support/releasedImage";
import { fresh, shared } from "../support/shared";
import { type TarItem, tarball } from "../support/tarball";

const policy = (name: string) => `apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {name: ${name}}\n`;
const gzipped = "application/vnd.oci.image.layer.v1.tar+gzip";

describe("stand-in: the engine's part in process. The release notes of a promotion", function () {
  this.timeout(30_000);
  const stand = shared(startPromotionStand);
  const place = fresh(() => stand.fresh());

  const promote = (released: Released) => place.stack.up(place.promotionOf(released));
  const notes = async (released: Released, rollback?: boolean) =>
    (await place.stack.preview(place.promotionOf(released, rollback))).lines;
  /** The lines below the headline, of the step from one image to another. */
  const notesBetween = async (old: ImageContent, next: ImageContent) => {
    await promote(await place.release("v1.0.0", old));
    const [headline, ...lines] = await notes(await place.release("v1.1.0", next));
    assert.match(headline!, /^promotes v1\.1\.0 .*, over v1\.0\.0$/);
    return lines;
  };
  const named = ({ version, digest }: Released) => `${version} (${shortDigest(digest)})`;
  const step = (name: string, old: ImageContent, next: ImageContent) => ({ name, old, next });

  it("name version, digest, source and commit of the first one, and nothing that it changes", async () => {
    const first = await place.release("v1.0.0", { policies: { p: { "a.yaml": "a: 1" } } });
    assert.deepEqual(await notes(first), [
      `promotes ${named(first)} from ${place.from}, sha-${shortDigest(first.digest)}: the first release here`,
    ]);
    const { changes } = await promote(first);
    assert.deepEqual([changes.bump, changes.entries], ["first", []]);
    assert.deepEqual(await notes(first), [`${named(first)} is promoted: nothing to do`]);
  });

  it("name each pin that changes, and below each repository its files", async () => {
    const lines = await notesBetween(
      {
        tools: { helm: "3.17.0", yq: "4.50.0" },
        policies: {
          gone: { "a.yaml": "a: 1" },
          kept: { "a.yaml": "a: 1" },
          moved: { "policies/a.yaml": policy("a"), "policies/b.yaml": policy("b"), "same.yaml": "a: 1" },
        },
      },
      {
        tools: { opa: "1.0.0", yq: "4.54.1" },
        policies: {
          kept: { "a.yaml": "a: 1" },
          moved: { "policies/a.yaml": `${policy("a")}# edited\n`, "policies/c.yaml": policy("c"), "same.yaml": "a: 1" },
        },
      },
    );
    const plain = lines.map((line) => line.replace(/[0-9a-f]{12}/g, "…"));
    assert.deepEqual(plain, [
      "tools helm: 3.17.0 (tool removed)",
      "tools opa: 1.0.0 (new tool)",
      "tools yq: 4.50.0 → 4.54.1 (tool upgrade)",
      "policies gone: … (policy repository removed)",
      "policies moved: … → … (policy structure change: removed ClusterPolicy b)",
      "  ~ policies/a.yaml",
      "  - policies/b.yaml",
      "  + policies/c.yaml",
    ]);
  });

  it("show ten files of a repository, and how many more there are", async () => {
    const files = (text: string) =>
      Object.fromEntries(Array.from({ length: 25 }, (_, at) => [`${at + 10}.yaml`, text]));
    const lines = await notesBetween({ policies: { p: files("a: 1") } }, { policies: { p: files("a: 2") } });
    assert.deepEqual([lines.length, lines[1], lines[11]], [12, "  ~ 10.yaml", "  and 15 more"]);
  });

  for (const { name, old, next } of [
    step(
      "a tool and a repository of one name",
      { tools: { scan: "1.0.0", yq: "1.0.0" }, policies: { scan: { "a.yaml": "a: 1" }, z: { "b.yaml": "b" } } },
      { tools: { scan: "1.0.0", yq: "1.0.0" }, policies: { scan: { "a.yaml": "a: 2" }, z: { "b.yaml": "b" } } },
    ),
    step(
      "a repository with the name of another pin",
      { tools: {}, policies: { base: { "a.yaml": "a: 1" } } },
      { tools: {}, policies: { base: { "a.yaml": "a: 2" } } },
    ),
  ])
    it(`tell whose file it is with ${name}`, async () => {
      const lines = await notesBetween(old, next);
      assert.equal(lines.length, 2, lines.join("\n"));
      assert.match(lines[0]!, /^policies (?:scan|base): .* \(policy update\)$/);
      assert.equal(lines[1], "  ~ a.yaml");
    });

  it("hold repositories that are called like a property of every object", async () => {
    const lines = await notesBetween(
      { tools: { constructor: "1.0.0" }, policies: { p: { "a.yaml": "a: 1" } } },
      { tools: { constructor: "1.0.0" }, policies: { constructor: { "a.yaml": "a: 1" }, p: { "a.yaml": "a: 2" } } },
    );
    assert.deepEqual(
      lines.map((line) => line.replace(/[0-9a-f]{12}/g, "…")),
      ["policies constructor: … (new policy repository)", "policies p: … → … (policy update)", "  ~ a.yaml"],
    );
  });

  describe("say why a repository's files cannot be told, and the promotion goes on, where", () => {
    const content = (text: string, more: Partial<ImageContent> = {}): ImageContent => ({
      tools: { yq: "1.0.0" },
      policies: { fine: { "f.yaml": `f: ${text}` }, p: { "policies/a.yaml": `a: ${text}` } },
      ...more,
    });
    const forged = (bytes: Buffer, mediaType?: string) => ({ forged: { p: { bytes, mediaType } } });
    const entries = (...items: TarItem[]) => tarball({ name: "repos/p/policies/a.yaml", content: "a: 3" }, ...items);
    const cases: Record<string, { why: RegExp; hostile: () => Promise<Partial<ImageContent>> }> = {
      "a layer is a bomb": {
        why: /it unpacks to more than 100 times its size/,
        hostile: async () =>
          forged(gzipSync(await entries({ name: "repos/p/zero", content: Buffer.alloc(80 * 2 ** 20) })), gzipped),
      },
      "a layer leads out of the image": {
        why: /entry "\.\.\/\.\.\/etc\/passwd" leads out of the image/,
        hostile: async () => forged(await entries({ name: "../../etc/passwd", content: "root" })),
      },
      "a hard link leads out of the image": {
        why: /"\.\.\/\.\.\/etc\/shadow" leads out of the image/,
        hostile: async () => forged(await entries({ name: "repos/p/l", type: "link", linkname: "../../etc/shadow" })),
      },
      "a hard link leads to another layer": {
        why: /is a hard link to "usr\/local\/bin\/yq", which was not read/,
        hostile: async () => forged(await entries({ name: "repos/p/l", type: "link", linkname: "usr/local/bin/yq" })),
      },
      "a layer is no tar": { why: /no tar, or a damaged one/, hostile: async () => forged(Buffer.alloc(2048, 7)) },
      "a layer is cut": {
        why: /cannot be read: /,
        hostile: async () => forged((await entries()).subarray(0, 700)),
      },
      "a gzip layer is cut": {
        why: /cannot be read: /,
        hostile: async () => forged(gzipSync(await entries()).subarray(0, 60), gzipped),
      },
      "a layer is packed in a way that is not read": {
        why: /has a layer of type "application\/vnd\.oci\.image\.layer\.v1\.tar\+zstd"/,
        hostile: async () => forged(Buffer.from("zstd"), "application/vnd.oci.image.layer.v1.tar+zstd"),
      },
      "a layer of a few kilobytes has a million entries": {
        why: /more than 100000 entries/,
        hostile: async () => {
          const items = Array.from({ length: 1_000 }, (_, at) => ({ name: `repos/p/${at}.yaml` }));
          const headers = (await tarball(...items)).subarray(0, 512 * items.length);
          // Members of one gzip stream.
          return forged(
            Buffer.concat([...Array<Buffer>(1_000).fill(gzipSync(headers)), gzipSync(await entries())]),
            gzipped,
          );
        },
      },
      "the image has no history": {
        why: /the history of [0-9a-f]{12} does not tell which layer has it/,
        hostile: async () => ({ history: [] }),
      },
      "the history of the image is no list": {
        why: /the history of [0-9a-f]{12} does not tell which layer has it/,
        hostile: async () => ({ history: { created_by: "COPY / /" } }),
      },
      "the history of the image speaks of other layers": {
        why: /the history of [0-9a-f]{12} does not tell which layer has it/,
        hostile: async () => ({ history: [null, 7, {}, { created_by: ["COPY / / "] }] }),
      },
    };
    for (const [name, { why, hostile }] of Object.entries(cases)) {
      let bad: Partial<ImageContent>;
      before(async () => {
        bad = await hostile();
      });
      for (const side of ["old", "next"] as const)
        it(`${name}, in the ${side === "old" ? "release that is here" : "one that comes"}`, async () => {
          const lines = await notesBetween(
            content("1", side === "old" ? bad : {}),
            content("2", side === "next" ? bad : {}),
          );
          const at = lines.findIndex((line) => line.startsWith("policies p: "));
          assert.match(lines[at]!, /\(policy structure change: its content cannot be compared\)$/);
          assert.match(lines[at + 1]!, /^ {2}\? /);
          assert.match(lines[at + 1]!, why);
          assert.equal(lines.length, at + 2);
          assert.doesNotMatch(lines.join("\n"), /passwd:|\p{Cc}(?<!\n)/u);
          if (bad.forged) assert.equal(lines[at - 1], "  ~ f.yaml", "the other repository is read all the same");
          const { version, digest } = { version: "v1.1.0", digest: await digestOf("v1.1.0") };
          await promote({ version, digest });
          assert.equal((await stand.client.resolve(place.here, "latest"))?.digest, digest);
        });
    }

    const digestOf = async (version: string): Promise<Digest> =>
      (await stand.client.resolve(place.there, version))!.digest;

    it("the layer is gone from the release that is here", async () => {
      const first = await place.release("v1.0.0", content("1"));
      await promote(first);
      const lost = first.layers.get("p")!;
      await fetch(`http://${place.stack.host}/v2/${place.here.path}/blobs/${lost}`, { method: "DELETE" });
      const lines = await notes(await place.release("v1.1.0", content("2")));
      assert.match(lines.at(-1)!, new RegExp(`^ {2}\\? blob ${lost} is gone from `));
    });
  });

  it("show names of files and policies without what a terminal acts on", async () => {
    const evil = "\u001b[31mred\u001b]0;title\u0007\r\u202egnp\u2028";
    const yaml = (name: string) =>
      JSON.stringify({ apiVersion: "kyverno.io/v1", kind: "ClusterPolicy", metadata: { name } });
    const layer = async (name: string, file: string) => ({
      forged: { p: { bytes: await tarball({ name: `repos/p/policies/${file}`, content: yaml(name) }) } },
    });
    const lines = await notesBetween(
      { policies: { p: { a: "1" } }, ...(await layer(evil, `${evil}.yaml`)) },
      { policies: { p: { a: "2" } }, ...(await layer("good", "good.yaml")) },
    );
    assert.match(lines[0]!, /policy structure change: removed ClusterPolicy red/);
    assert.equal(lines.length, 3);
    for (const line of lines) assert.doesNotMatch(line, /[\p{C}\p{Zl}\p{Zp}]/u);
  });

  describe("of a target that somebody else wrote to", () => {
    it("say that what is there does not name its inputs", async () => {
      const foreign = await pushImage(place.here, { Labels: { maintainer: "somebody" } }, "latest");
      const first = await place.release("v1.0.0", { policies: { p: { "a.yaml": "a: 1" } } });
      const [headline, line] = await notes(first);
      assert.match(headline!, new RegExp(`, over ${shortDigest(foreign)}$`));
      assert.equal(line, `what is there now, ${foreign}, does not name its inputs`);
      await promote(first);
    });

    it("compare with the highest version where there is no latest", async () => {
      const [first, second] = [
        await place.release("v1.0.0", { policies: { p: { "a.yaml": "a: 1" } } }),
        await place.release("v1.1.0", { policies: { p: { "a.yaml": "a: 2" } } }),
      ];
      await pushWholeRelease(stand.client, place.here, { policies: { p: { "a.yaml": "a: 1" } } }, "v1.0.0");
      const [headline, ...lines] = await notes(second);
      assert.match(headline!, /^promotes v1\.1\.0 .*, over v1\.0\.0$/);
      assert.equal(lines[1], "  ~ a.yaml");
      assert.ok(first);
    });
  });

  describe("of a target that has the image, and not all of its tags", () => {
    const content = { policies: { p: { "a.yaml": "a: 1" } } };

    it("name the tags that it gets", async () => {
      const first = await place.release("v1.0.0", content);
      await pushWholeRelease(stand.client, place.here, content, "v1.0.0");
      assert.deepEqual(await notes(first), [
        `${named(first)} is here, and gets the tags that it lacks: ${tagOf(first)}, latest`,
      ]);
      await promote(first);
      assert.deepEqual(await notes(first), [`${named(first)} is promoted: nothing to do`]);
    });

    it("say that nothing is to do where no state says who wrote all of them", async () => {
      const first = await place.release("v1.0.0", content);
      await pushWholeRelease(stand.client, place.here, content, "v1.0.0", tagOf(first), "latest");
      assert.deepEqual(await notes(first), [`${named(first)} is promoted: nothing to do`]);
    });
  });

  describe("of a rollback", () => {
    const [one, two] = [1, 2].map((value) => ({ policies: { p: { "a.yaml": `a: ${value}` } } }));

    it("say that only latest moves, and what changes back", async () => {
      const [first, second] = [await place.release("v1.0.0", one!), await place.release("v1.1.0", two!)];
      await promote(first);
      await promote(second);
      const lines = await notes(first, true);
      assert.equal(lines[0], `rolls back from v1.1.0 to ${named(first)}: only latest moves`);
      assert.equal(lines[2], "  ~ a.yaml");
      await place.stack.up(place.promotionOf(first, true));
      assert.deepEqual(place.stack.steps.at(-1), "update release-latest");
      assert.deepEqual(await notes(first, true), [`${named(first)} is promoted: nothing to do`]);
      const [again] = await notes(second);
      assert.match(again!, /^promotes v1\.1\.0 .*, over v1\.0\.0$/);
    });

    it("to a version that was never here name where it comes from", async () => {
      const [first, second] = [await place.release("v1.0.0", one!), await place.release("v1.1.0", two!)];
      await promote(second);
      assert.equal(
        (await notes(first, true))[0],
        `rolls back from v1.1.0 to ${named(first)} from ${place.from}, sha-${shortDigest(first.digest)}`,
      );
    });

    it("that is none say that the key is not needed, and the line that removes it", async () => {
      const first = await place.release("v1.0.0", one!);
      assert.match(
        (await notes(first, true)).at(-1)!,
        /^promotion\.rollback is not needed: .*; pulumi config rm --path policy-platform:promotion\.rollback --stack prod$/,
      );
    });
  });

  it("of one image under a further version say what moves: nothing but names", async () => {
    const first = await place.release("v1.0.0", { policies: { p: { "a.yaml": "a: 1" } } });
    await promote(first);
    await tagAs(stand.client, place.there, first.digest, "v1.0.1");
    const again = { ...first, version: "v1.0.1" };
    const lines = await notes(again);
    assert.deepEqual(lines, [
      `promotes ${named(again)} from ${place.from}, sha-${shortDigest(first.digest)}, over v1.0.0`,
    ]);
    const { changes } = await promote(again);
    assert.equal(changes.reason, "v1.0.0 → v1.0.1 (no pin changed)");
    assert.deepEqual(place.stack.steps, ["update release-version"]);
  });
});
