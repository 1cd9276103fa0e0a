import assert from "node:assert/strict";
import fc from "fast-check";
import { sha256 } from "../../../lib/oci/digest";
import { type Inputs, inputDigest, inputsDocument, parseInputs } from "../../../lib/pins/model";
import { times } from "../../support/counts";
import { anyInputs, inputsWith } from "./arbitraries";

const malformed = { code: "inputs-malformed" };

describe("the pins that an image names", () => {
  it("are canonical JSON of everything that can change its bytes, and of nothing else", () => {
    const a = `sha256:${"a".repeat(64)}` as const;
    const inputs = {
      tools: { yq: { version: "4.54.1", digest: a, address: "somewhere" } },
      repositories: { "security-policy": { digest: a, folder: "policies" } },
      image: { user: "65532:65532", name: "policy-platform" },
      format: 1,
      base: a,
      version: "v1.0.0",
    };
    const document =
      `{"base":"${a}","format":1,"image":{"user":"65532:65532"},"repositories":{"security-policy":{"digest":"${a}"}},` +
      `"tools":{"yq":{"digest":"${a}","version":"4.54.1"}}}`;
    assert.equal(inputsDocument(inputs), document);
    assert.equal(inputDigest(inputs), sha256(document));
  });

  it("have the input digest that was released with format 1, for ever", () => {
    const zero = `sha256:${"0".repeat(64)}` as const;
    const inputs: Inputs = { base: zero, format: 1, image: { user: "0:0" }, repositories: {}, tools: {} };
    assert.equal(inputDigest(inputs), "sha256:d87308926d2884e4a1d25cb762820dcb054225ae0731cd55c26c59c64a7ff0b5");
  });

  it("name environments and bundles only where there are some, so that labels without them are what they always were", () => {
    const { artifacts, bundles, ...plain } = inputsWith();
    const document = inputsDocument(plain);
    assert.doesNotMatch(document, /artifacts|bundles/);
    for (const none of [
      { artifacts: { environments: [] } },
      { bundles: {} },
      { artifacts: undefined, bundles: undefined },
    ])
      assert.equal(inputsDocument({ ...plain, ...none }), document);
    assert.equal(
      inputsDocument({ ...plain, artifacts: { environments: ["qa", "dev", "qa"] } }),
      `{"artifacts":{"environments":["dev","qa"]},${document.slice(1)}`,
    );
    assert.equal(
      inputsDocument({ ...plain, bundles: { all: { repositories: ["b", "a"] } } }),
      document.replace(',"format"', ',"bundles":{"all":{"repositories":["a","b"]}},"format"'),
    );
  });

  it("come back out of the label as they went in, time after time", () => {
    fc.assert(
      fc.property(anyInputs, (inputs) => {
        const read = parseInputs(inputsDocument(inputs));
        assert.equal(inputDigest(read), inputDigest(inputs));
        assert.equal(inputsDocument(read), inputsDocument(inputs));
      }),
      { numRuns: times(2000) },
    );
  });
});

describe("a label out of a registry", () => {
  const document = inputsDocument(inputsWith());
  const tampered = (change: (value: Record<string, never>) => unknown) => {
    const value = JSON.parse(document);
    change(value);
    return JSON.stringify(value);
  };
  const hostile: Record<string, string> = {
    "is empty": "",
    "is no JSON": "{",
    "is a list": "[]",
    "is null": "null",
    "is 300 KiB": tampered((value: Record<string, unknown>) => Object.assign(value, { base: "x".repeat(300 * 1024) })),
    "has white space": JSON.stringify(JSON.parse(document), null, 1),
    "has a key twice": document.replace('"format":1', '"format":1,"format":1'),
    "has an unknown key": tampered((value: Record<string, unknown>) => Object.assign(value, { zz: 1 })),
    "has an unknown key deep inside": document.replace('"version":"1.13.2"', '"version":"1.13.2","x":1'),
    "lacks its tools": tampered((value: Record<string, unknown>) => delete value.tools),
    "has a tag for a digest": document.replace(/sha256:[0-9a-f]{64}/, "latest"),
    "has a digest in upper case": document.replace(/sha256:[0-9a-f]{64}/, `sha256:${"A".repeat(64)}`),
    "has a name with a slash": document.replace('"kyverno"', '"../kyverno"'),
    "has the name __proto__": document.replace('"kyverno"', '"__proto__"'),
    "has a name of 64 characters": document.replace('"kyverno"', `"${"k".repeat(64)}"`),
    "has a version with a line feed": document.replace("1.13.2", "1.13.2\\n"),
    "has a version with an escape sequence": document.replace("1.13.2", "\\u001b[31m"),
    "has an empty version": document.replace("1.13.2", ""),
    "has a version of 129 characters": document.replace("1.13.2", "1".repeat(129)),
    "has a version that is a number": document.replace('"1.13.2"', "1.13"),
    "has format 0": document.replace('"format":1', '"format":0'),
    "has format 1.5": document.replace('"format":1', '"format":1.5'),
    "has environments out of order": document.replace('"dev","production"', '"production","dev"'),
    "has an environment twice": document.replace('"dev","production"', '"dev","dev"'),
    "has no environments where it says artifacts": document.replace('["dev","production"]', "[]"),
    "has an environment with a line feed": document.replace('"dev"', '"d\\nev"'),
    "has environments that are a map": document.replace('["dev","production"]', '{"dev":1}'),
    "has bundles that are null": document.replace(/"bundles":\{.*?\}\}/, '"bundles":null'),
    "has a bundle of repositories with a slash": document.replace('"devops-policy"', '"a/b"'),
    "has repositories that are a list": document.replace(/"repositories":\{.*?\}\}/, '"repositories":[]'),
    "has 501 tools": tampered((value: Record<string, unknown>) =>
      Object.assign(value, {
        tools: Object.fromEntries(
          Array.from({ length: 501 }, (_, index) => [`t${index}`, { digest: sha256("x"), version: "1" }]),
        ),
      }),
    ),
    "nests ten thousand lists": `${"[".repeat(10_000)}${"]".repeat(10_000)}`,
  };
  for (const [fault, text] of Object.entries(hostile)) {
    it(`that ${fault} is refused`, () => {
      assert.notEqual(text, document, "the test changes nothing");
      assert.throws(() => parseInputs(text), malformed);
    });
  }

  it("never does anything but give pins or be refused, for 5,000 random texts and edits", () => {
    const edited = fc.tuple(fc.nat(document.length - 1), fc.string({ maxLength: 3 })).map(([at, text]) => {
      return document.slice(0, at) + text + document.slice(at + 1);
    });
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json(), edited), (text) => {
        try {
          assert.equal(inputsDocument(parseInputs(text)), text);
        } catch (error) {
          if ((error as { code?: string }).code !== "inputs-malformed") throw error;
        }
      }),
      { numRuns: times(5000) },
    );
  });
});
