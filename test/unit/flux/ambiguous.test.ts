// Words that kyverno apply and a cluster read differently. How the two read them was found by giving both the same file.
import assert from "node:assert/strict";
import { PlatformError } from "../../../lib/errors";
import { requireOneMeaning } from "../../../lib/flux/ambiguous";
import { documentsOf } from "../../../lib/flux/documents";

const refusal = (text: string) => {
  try {
    requireOneMeaning("team/a.yaml", Buffer.from(text));
    return undefined;
  } catch (error) {
    assert.ok(error instanceof PlatformError);
    return error;
  }
};

/** A word as value and key, each in its second line. */
const places = (word: string) => [
  `a: 1\nb: ${word}\n`,
  `a: 1\nb: ${word}`,
  `a: 1\r\nb: ${word}\r\n`,
  `a: 1\nb: ${word}   # why\n`,
  `a: 1\n${word}: b\n`,
  `a: 1\n? ${word}\n: b\n`,
  `- a\n- [${word}]\n`,
  `- a\n- [a,${word},b]\n`,
  `- a\n- {a: ${word}}\n`,
  `- a\n- {"a":${word}}\n`,
  `- a\n- {${word}: a, b: c}\n`,
  `a:\n  ${word}\n`,
  `a: 1\nb: &anchor ${word}\n`,
  `- a\n-   ${word}\n`,
];

describe("a word of a policy", () => {
  it("is refused without quotes where it is true or false to one reader and a text to the other, as key or value", () => {
    for (const word of ["y", "Y", "yes", "Yes", "on", "ON", "n", "no", "NO", "off", "Off"])
      for (const text of places(word)) {
        const error = refusal(text);
        assert.equal(error?.code, "artifact-ambiguous", text);
        assert.match(
          error!.message,
          /^team\/a\.yaml:2: (?:y|yes|on|n|no|off) is true or false for kyverno apply and a text for a cluster; .*; write true or false, or put it into quotes$/i,
        );
      }
  });

  it("is refused without quotes where it is a date, or a number of YAML 1.1", () => {
    for (const word of [
      "2024-01-01",
      "2024-1-1",
      "2024-01-01T10:00:00Z",
      "0777",
      "-017",
      "0b11",
      "1_000",
      "0x1_F",
      "1_0.5",
    ])
      for (const text of places(word)) assert.equal(refusal(text)?.code, "artifact-ambiguous", text);
  });

  it("is taken where both read the same", () => {
    const words = [
      "true",
      "False",
      "null",
      "~",
      "0",
      "10",
      "1.5",
      "1e3",
      "0o17",
      "0x1F",
      "12:30:45",
      "10.0.0.1",
      "yesterday",
      "nob",
    ];
    const quoted = ['"no"', "'off'", "!!str yes", "|\n  no\n", ">-\n  2024-01-01\n"];
    const others = ["1.24-1.30", "2024-01", "v1_2", "a_b", "08:15", "1.2.3", "on-call", "=(no)"];
    for (const word of [...words, ...quoted, ...others]) assert.equal(refusal(`a: ${word}\n`), undefined, word);
  });

  it("is what an anchor and a merge stand for, as for a cluster", () => {
    const head = "apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {name: a}\n";
    const of = (text: string) => documentsOf(Buffer.from(head + text)) as readonly { readonly spec: string }[];
    const [merged] = of("spec:\n  rules:\n    - &one {name: a, b: 1}\n    - {<<: *one, name: b}\n");
    const [written] = of("spec:\n  rules:\n    - {name: a, b: 1}\n    - {name: b, b: 1}\n");
    assert.equal(merged!.spec, written!.spec);
  });
});
