import assert from "node:assert/strict";
import fc from "fast-check";
import { packageGrammars } from "../../../config/packageGrammar";
import { type BaseSource, baseDocument, baseKey, parseBaseDocument } from "../../../lib/base/packages";
import { renderBase } from "../../../lib/dockerfile/renderBase";
import { sha256 } from "../../../lib/oci/digest";
import { golden } from "../../support/golden";

const digest = sha256("base");
const image = `127.0.0.1:5000/layers/debian@${digest}`;
const base: BaseSource = { image, packages: { apt: { tree: "2.1.0-1", bash: "5.2.15-2+b7" } } };

/** Names and versions that the configuration lets through. */
const admitted = (manager: "apk" | "apt") => {
  const { name, version } = packageGrammars[manager];
  const word = (first: string, all: string) => fc.stringMatching(new RegExp(`^[${first}][${all}]{0,20}$`));
  return fc.dictionary(
    word("a-z0-9", "a-z0-9+.-").filter((text) => !name.refuse(text)),
    fc
      .oneof(
        word("0-9", "A-Za-z0-9.+~-"),
        word("0-9", "0-9.").map((text) => `${text}-r1`),
      )
      .filter((text) => !version.refuse(text)),
    { minKeys: 1, maxKeys: 8, noNullPrototype: true },
  );
};

describe("the name of a base with packages", () => {
  it("is the same on every machine: it follows from digest and pins alone", () => {
    const elsewhere = `registry.example.com/mirror/debian:12@${digest}`;
    const reordered = { apt: { bash: "5.2.15-2+b7", tree: "2.1.0-1" } };
    assert.equal(baseKey({ image: elsewhere, packages: reordered }), baseKey(base));
    assert.match(baseKey(base), /^[0-9a-f]{12}$/);
    assert.equal(baseKey(base), "7fb71c8d9be4");
  });

  it("is another one for another image, another version, another package and another manager", () => {
    const others: BaseSource[] = [
      { ...base, image: `127.0.0.1:5000/layers/debian@${sha256("other")}` },
      { image, packages: { apt: { tree: "2.1.0-2", bash: "5.2.15-2+b7" } } },
      { image, packages: { apt: { bash: "5.2.15-2+b7" } } },
      { image, packages: { apk: { tree: "2.1.0-1", bash: "5.2.15-2+b7" } } },
    ];
    assert.equal(new Set([base, ...others].map(baseKey)).size, 5);
  });
});

describe("the label of a base with packages", () => {
  it("says what the base is made of", () => {
    assert.equal(
      baseDocument(base),
      `{"image":"${digest}","packages":{"apt":{"bash":"5.2.15-2+b7","tree":"2.1.0-1"}}}`,
    );
  });

  it("is read back as it was written, whatever the packages", () => {
    fc.assert(
      fc.property(fc.constantFrom("apk" as const, "apt" as const), admitted("apt"), (manager, versions) => {
        const packages = { [manager]: versions };
        assert.deepEqual(parseBaseDocument(baseDocument({ image, packages })), { image: digest, packages });
      }),
    );
  });

  for (const [title, text] of [
    ["no JSON", "{"],
    ["no map", "[]"],
    ["null", "null"],
    ["no digest", '{"image":"latest","packages":{}}'],
    ["a manager that is not known", `{"image":"${digest}","packages":{"yum":{}}}`],
    ["a version that is no text", `{"image":"${digest}","packages":{"apt":{"bash":5}}}`],
    ["a version with an escape sequence", `{"image":"${digest}","packages":{"apt":{"bash":"\\u001b[2J"}}}`],
    ["packages that are a list", `{"image":"${digest}","packages":{"apt":["bash"]}}`],
    ["a key that is not known", `{"image":"${digest}","packages":{},"shell":"x"}`],
    ["keys in another order", `{"packages":{},"image":"${digest}"}`],
    ["a prototype for a manager", `{"image":"${digest}","packages":{"__proto__":{"a":"1"}}}`],
    ["a megabyte", `{"image":"${digest}","packages":{"apt":{"a":"${"1".repeat(2 ** 20)}"}}}`],
  ] as const)
    it(`tells nothing when it holds ${title}`, () => assert.equal(parseBaseDocument(text), undefined));

  it("tells nothing, and breaks nothing, whatever it holds", () => {
    fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (text) => parseBaseDocument(text) === undefined));
  });
});

describe("the Dockerfile of a base with packages", () => {
  it("has the only RUN there is, and looks like this for apt", () => {
    golden("dockerfile/base-apt.golden", renderBase(base, "65532:65532"));
  });

  it("looks like this for apk, on a base whose user is root", () => {
    golden("dockerfile/base-apk.golden", renderBase({ image, packages: { apk: { bash: "5.2.37-r0" } } }, ""));
  });

  it("hands every pin over as one argument, and no part of it to a shell", () => {
    fc.assert(
      fc.property(fc.constantFrom("apk" as const, "apt" as const), admitted("apt"), (manager, versions) => {
        const lines = renderBase({ image, packages: { [manager]: versions } }, "").split("\n");
        const runs = lines.filter((line) => line.startsWith("RUN "));
        assert.equal(runs.length, 1);
        const pins = Object.entries(versions).map(([name, version]) => `${name}=${version}`);
        const [program, script, ...rest] = JSON.parse(runs[0]!.slice(runs[0]!.indexOf("["))) as string[];
        assert.deepEqual([program, script], ["/bin/sh", "/tmp/policy-platform/install"]);
        assert.deepEqual([...rest].sort(), pins.sort());
      }),
    );
  });

  it("is not rendered with a name or a version that a package manager takes for something else", () => {
    const refused: Record<string, string>[] = [
      { "-y": "1" },
      { "a b": "1" },
      { bash: "" },
      { bash: "~5" },
      { bash: "1 -o x" },
      { "a\nRUN x": "1" },
    ];
    for (const versions of refused)
      assert.throws(() => renderBase({ image, packages: { apt: versions } }, ""), /not a pinned/);
  });

  it("restores the user that the base has, unless it is one that no Dockerfile can name", () => {
    assert.match(renderBase(base, "nonroot"), /\nUSER 0:0\nRUN [^\n]+\nUSER nonroot\n/);
    assert.match(renderBase(base, ""), /\nUSER 0:0\nRUN [^\n]+\nLABEL /, "no user is root");
    assert.equal(renderBase(base, "0:0"), renderBase(base, ""), "what a base without a user says once it is built");
    for (const user of ["$HOME", "a b", "x\nRUN id", "a:b:c"])
      assert.throws(() => renderBase(base, user), { code: "base-user-malformed" });
  });
});
