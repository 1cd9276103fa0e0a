// What is said of an image's weight, and whose a layer is.
import assert from "node:assert/strict";
import fc from "fast-check";
import { layerNames, repositoryLayer } from "../../../lib/dockerfile/layerNames";
import { evaluateSize } from "../../../lib/gate/size";

const mib = 2 ** 20;
const layers = [
  { name: "base", compressed: 10 * mib, unpacked: 30 * mib },
  { name: "base", compressed: 6 * mib, unpacked: 10 * mib },
  { name: "kyverno", compressed: 40 * mib, unpacked: 170 * mib },
  { name: "yq", compressed: 5 * mib, unpacked: 13 * mib },
  { name: "security-policy", compressed: 4000, unpacked: 31_232 },
];

describe("the weight of an image", () => {
  it("is told in all and of each part, whether or not there is a budget", () => {
    assert.deepEqual(evaluateSize(layers, {}), {
      name: "size",
      status: "passed",
      detail:
        "61.0 MiB compressed, 223.0 MiB unpacked: base 16.0 MiB/40.0 MiB, kyverno 40.0 MiB/170.0 MiB, yq 5.0 MiB/13.0 MiB, security-policy 3.9 KiB/30.5 KiB",
    });
    assert.equal(evaluateSize(layers, { compressedBytes: 62 * mib, unpackedBytes: 224 * mib }).status, "passed");
  });

  it("fails over a budget, and names the largest layers", () => {
    const { status, detail } = evaluateSize(layers, { compressedBytes: 60 * mib, unpackedBytes: 100 * mib });
    assert.equal(status, "failed");
    assert.match(
      detail,
      /^1\.0 MiB over gate\.size\.compressed of 60\.0 MiB: the largest are kyverno 40\.0 MiB, base 16\.0 MiB, yq 5\.0 MiB; 123\.0 MiB over gate\.size\.unpacked of 100\.0 MiB: the largest are kyverno 170\.0 MiB, base 40\.0 MiB, yq 13\.0 MiB; 61\.0 MiB compressed, /,
    );
  });

  it("passes at the very budget and fails one byte above it", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(2 ** 40), { minLength: 1, maxLength: 20 }), (sizes) => {
        const all = sizes.map((size, index) => ({ name: `layer-${index}`, compressed: size, unpacked: size }));
        const sum = sizes.reduce((total, size) => total + size, 0);
        assert.equal(evaluateSize(all, { compressedBytes: sum, unpackedBytes: sum }).status, "passed");
        if (sum > 0) assert.equal(evaluateSize(all, { unpackedBytes: sum - 1 }).status, "failed");
      }),
    );
  });

  it("does not pass a budget on what it cannot read, and shows that it cannot", () => {
    const unread = [...layers, { name: "other", compressed: mib }];
    assert.match(evaluateSize(unread, {}).detail, /^62\.0 MiB compressed, \? unpacked: /);
    assert.equal(evaluateSize(unread, { compressedBytes: 100 * mib }).status, "passed");
    assert.match(
      evaluateSize(unread, { unpackedBytes: 900 * mib }).detail,
      /^gate\.size\.unpacked cannot be held: other is packed/,
    );
  });
});

describe("whose a layer is", () => {
  const copy = { created_by: "COPY / / # buildkit" };
  const composed = { tools: ["yq", "helm"], repositories: ["b-policy", "a-policy"] };

  it("follows the Dockerfile: base, tools and repositories by name, metadata", () => {
    const history = [
      { created_by: "base" },
      { empty_layer: true },
      copy,
      copy,
      copy,
      copy,
      copy,
      { created_by: "WORKDIR /repos" },
    ];
    assert.deepEqual(layerNames({ history }, 7, composed), [
      "base",
      "base",
      "helm",
      "yq",
      "a-policy",
      "b-policy",
      "other",
    ]);
  });

  it("is that of a policy repository although a tool, the base or metadata have its name", () => {
    const history = [{ created_by: "base" }, copy, copy, copy, copy, { created_by: "WORKDIR /repos" }];
    const named = { tools: ["yq"], repositories: ["yq", "other", "base"] };
    const at = (name: string) => repositoryLayer({ history }, 6, named, name);
    assert.deepEqual(["base", "other", "yq", "absent"].map(at), [2, 3, 4, undefined]);
    assert.equal(repositoryLayer({ history }, 5, named, "yq"), undefined);
  });

  it("is not guessed where the history does not tell", () => {
    const other = ["other", "other"];
    for (const document of [
      null,
      {},
      { history: "x" },
      { history: [copy] },
      { history: [copy, copy] },
      { history: [null, 1] },
    ])
      assert.deepEqual(layerNames(document, 2, composed), other);
  });
});
