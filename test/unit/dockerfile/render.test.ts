import assert from "node:assert/strict";
import fc from "fast-check";
import { render } from "../../../lib/dockerfile/render";
import { sha256 } from "../../../lib/oci/digest";
import { type Inputs, inputsDocument } from "../../../lib/pins/model";
import { anyCharacter } from "../../support/anyCharacter";
import { times } from "../../support/counts";
import { golden } from "../../support/golden";

const digest = (text: string) => sha256(text);

const inputs: Inputs = {
  format: 1,
  base: digest("base"),
  image: { user: "65532:65532" },
  tools: { yq: { version: "4.54.1", digest: digest("yq") }, kyverno: { version: "1.13.2", digest: digest("kyverno") } },
  repositories: { "security-policy": { digest: digest("security-policy") } },
};
const addresses = {
  base: "127.0.0.1:5000/layers/base",
  tools: { kyverno: "127.0.0.1:5000/layers/tools/kyverno", yq: "127.0.0.1:5000/layers/tools/yq" },
  repositories: { "security-policy": "127.0.0.1:5000/layers/repositories/security-policy" },
};

/** Instructions as BuildKit's parser sees them: continued lines joined, quoted words kept. */
function instructions(dockerfile: string): string[] {
  return dockerfile
    .replace(/\\\n/g, "")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => line.split(" ")[0]!);
}

describe("the Dockerfile", () => {
  it("is pure composition of pinned stages, and looks like this", () => {
    golden("dockerfile/two-tools-one-repository.golden", render(inputs, addresses));
  });

  it("is the same whatever the order in which tools are written in the stack file", () => {
    const reordered = { ...inputs, tools: Object.fromEntries(Object.entries(inputs.tools).reverse()) };
    assert.equal(render(reordered, addresses), render(inputs, addresses));
  });

  it("has no RUN, no ADD and no file of the context", () => {
    assert.deepEqual(
      new Set(instructions(render(inputs, addresses))),
      new Set(["FROM", "COPY", "ENV", "WORKDIR", "USER", "LABEL", "ENTRYPOINT", "CMD"]),
    );
  });

  it("refuses an address that is not a plain repository, whatever it tries", () => {
    for (const hostile of ["a\nRUN id", "a b", "a@sha256:x", "${A}", "", "a\0b"])
      assert.throws(() => render(inputs, { ...addresses, base: hostile }), /not a pinned reference/);
  });

  it("refuses 10,000 random addresses or renders exactly the same instructions", () => {
    const expected = instructions(render(inputs, addresses));
    fc.assert(
      fc.property(fc.string({ unit: anyCharacter }), (base) => {
        try {
          assert.deepEqual(instructions(render(inputs, { ...addresses, base })), expected);
        } catch (error) {
          assert.match(String(error), /not a pinned reference/);
        }
      }),
      { numRuns: times(10_000) },
    );
  });

  it("escapes thousands of random label values so that none adds an instruction and each reads back as written", () => {
    fc.assert(
      fc.property(fc.string({ unit: anyCharacter, maxLength: 40 }), (version) => {
        const hostile: Inputs = { ...inputs, tools: { yq: { version, digest: digest("yq") } } };
        const lines = render(hostile, addresses).split("\n");
        const label = lines.filter((line) => line.startsWith("LABEL dev.policychain.inputs="));
        assert.equal(label.length, 1);
        const quoted = label[0]!.slice('LABEL dev.policychain.inputs="'.length, -1);
        assert.doesNotMatch(quoted.replace(/\\[\\"$]/g, ""), /["$]/);
        assert.equal(quoted.replace(/\\([\\"$])/g, "$1"), inputsDocument(hostile));
      }),
      { numRuns: times(10_000) },
    );
  });

  it("breaks a label that is longer than a line may be, and no line is too long", () => {
    const repositories = Object.fromEntries(
      Array.from({ length: 1500 }, (_, index) => [`repository-${index}`, { digest: digest(`${index}`) }]),
    );
    const at = Object.fromEntries(Object.keys(repositories).map((name) => [name, `127.0.0.1:5000/layers/${name}`]));
    const dockerfile = render({ ...inputs, repositories }, { ...addresses, repositories: at });
    assert.ok(dockerfile.split("\n").every((line) => Buffer.byteLength(line) <= 65_535));
    assert.ok(
      dockerfile.replace(/\\\n/g, "").includes(inputsDocument({ ...inputs, repositories }).replaceAll('"', '\\"')),
    );
  });
});
