// Values that were made to break out of a Dockerfile, a shell line, a path or a terminal.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import fc from "fast-check";
import { parseSettings, problemsOf } from "../../../config/parse";
import { keyPath, quoted, Secret, setLine, shellQuote } from "../../../config/problems";
import { anyCharacter } from "../../support/anyCharacter";
import { times } from "../../support/counts";
import { pinned, problemsAfter, projectDir, spoiled, valid } from "./valid";

const context = { stack: "dev", projectDir };

const hostile = [
  "..",
  ".",
  "/",
  "\n",
  "\r\n",
  '"',
  "'",
  "`",
  "${x}",
  "$(id)",
  "\0",
  "\u001b[31m",
  "\u202e",
  "\u2028",
  " ",
  "\\",
  "#",
  "-",
  "A",
  "é",
  "COPY a b",
  "constructor",
  "__proto__",
];
/** Any text, most of them with something hostile inside. */
const hostileText = fc.oneof(
  fc.string({ unit: anyCharacter, maxLength: 80 }),
  fc
    .array(fc.oneof(fc.constantFrom(...hostile), fc.constantFrom("a", "b-1", "0")), { maxLength: 6 })
    .map((parts) => parts.join("")),
);
const safeName = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

/** Printable ASCII, one line, no longer than a few terminal rows. */
function assertPrintable(text: string): void {
  assert.match(text, /^[\x20-\x7e…]*$/);
  assert.ok(text.length < 1500, text);
}

describe("hostile names", function () {
  this.timeout(60_000);

  it("by the thousand: only what fits the grammar passes, as tool, repository or image", () => {
    fc.assert(
      fc.property(hostileText, fc.constantFrom("tools", "policies", "image"), (name, where) => {
        const entry =
          where === "tools"
            ? { version: "1.2.3", image: pinned("x"), smoke: { args: [], expect: "(.)" } }
            : { image: pinned("x") };
        const path = where === "image" ? ["image", "name"] : [where, name];
        const problems = problemsOf(spoiled(path, where === "image" ? name : entry), context);
        assert.equal(problems.length === 0, safeName.test(name), JSON.stringify([name, problems]));
        for (const { what, rule, fix } of problems) for (const text of [what, rule, fix]) assertPrintable(text);
      }),
      { numRuns: times(10_000) },
    );
  });

  it("__proto__ is a name like any other, and refused", () => {
    const raw = JSON.parse(`{"__proto__": {"folder": "policies/security-policy"}}`) as object;
    const codes = problemsOf({ ...valid(), policies: raw }, context).map(({ code }) => code);
    assert.deepEqual(codes, ["name-malformed"]);
    assert.equal(problemsOf(JSON.parse(`{"__proto__": {}}`), context).at(-1)!.code, "key-unknown");
  });
});

describe("hostile values", function () {
  this.timeout(60_000);

  const texts: readonly (readonly string[])[] = [
    ["version"],
    ["registry", "address"],
    ["image", "user"],
    ["base", "image"],
    ["tools", "yq", "version"],
    ["tools", "yq", "path"],
    ["tools", "yq", "image"],
    ["tools", "kyverno", "release", "url"],
    ["tools", "kyverno", "release", "sha256"],
    ["tools", "kyverno", "release", "digest"],
    ["tools", "kyverno", "release", "member"],
    ["policies", "security-policy", "image"],
    ["source"],
    ["mirrors", "github.com"],
  ];

  it("nothing that passes holds white space, quotes, $, back-slashes or control characters", () => {
    fc.assert(
      fc.property(fc.constantFrom(...texts), hostileText, fc.boolean(), (path, text, suffix) => {
        const original = path.reduce<unknown>(
          (value, part) => (value as Record<string, unknown> | undefined)?.[part],
          valid(),
        );
        const value = suffix && typeof original === "string" ? original + text : text;
        const problems = problemsAfter(path, value);
        if (path[0] !== "policies" && problems.length === 0) assert.match(value, /^[^\s"'`$\\\x00-\x1f\x7f-\uffff]*$/);
        for (const { what, rule, fix } of problems) for (const line of [what, rule, fix]) assertPrintable(line);
      }),
      { numRuns: times(3_000) },
    );
  });

  it("values of any kind, anywhere, make errors and no exceptions", () => {
    const anything = fc.dictionary(
      fc.oneof(hostileText, fc.constantFrom(...Object.keys(valid()))),
      fc.anything({ maxDepth: 4 }),
    );
    fc.assert(
      fc.property(anything, (raw) => {
        assert.notEqual(problemsOf(raw, context).length, 0);
      }),
      { numRuns: 500 },
    );
  });

  it("a megabyte is refused fast and shown cut", () => {
    const started = performance.now();
    const [found] = problemsAfter(["base", "image"], `${"a/".repeat(500_000)}`);
    assert.ok(performance.now() - started < 1000);
    assertPrintable(found!.what);
  });
});

describe("secrets", () => {
  it("are refused without being looked at, wherever they stand", () => {
    for (const path of [
      ["base"],
      ["base", "image"],
      ["tools", "kyverno", "release", "url"],
      ["policies"],
      ["anything"],
    ]) {
      const problems = problemsAfter(path, new Secret());
      const own = problems.filter(({ code }) => code === "secret-unexpected");
      assert.equal(own.length, 1, JSON.stringify(problems));
      assert.equal(own[0]!.key, keyPath(path));
    }
  });
});

describe("printed values", () => {
  it("are one bounded line that a terminal does nothing with", () => {
    assert.equal(quoted("a\u001b[31m\n\u202e"), '"a\\u001b[31m\\n\\u202e"');
    assert.equal(quoted("x".repeat(100)).length, 80);
    assert.equal(quoted({ a: 1 }), "a map");
    assert.equal(quoted(new Secret()), "[secret]");
  });

  it("come through a shell as they were", () => {
    const words = ["plain", "it's", "$HOME", "a b", "`id`", '"', "\\", "*", "!"];
    const { stdout } = spawnSync("sh", ["-c", `printf '%s\\n' ${words.map(shellQuote).join(" ")}`], {
      encoding: "utf8",
    });
    assert.deepEqual(stdout.trimEnd().split("\n"), words);
  });

  it("make no line to paste where a key could not be pasted", () => {
    assert.equal(
      setLine(["tools", "a\nb", "version"], "1", context),
      'edit policy-platform:tools["a\\nb"].version in Pulumi.dev.yaml',
    );
  });

  it("name the stack as the shell needs it", () => {
    assert.match(
      setLine(["version"], "auto", { stack: "acme/policy-platform/dev" }),
      /--stack acme\/policy-platform\/dev$/,
    );
    assert.match(setLine(["version"], "auto", { stack: "a;b" }), /--stack 'a;b'$/);
  });
});

describe("what parseSettings returns", () => {
  it("has no key that nobody asked for", () => {
    assert.deepEqual(Object.keys(parseSettings(valid(), context)).sort(), Object.keys(valid()).sort());
  });
});
