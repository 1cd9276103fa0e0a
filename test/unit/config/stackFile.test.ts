import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { parse } from "yaml";
import { type Edit, editedText, holdsSecrets, valueIn, writeEdits } from "../../../config/stackFile";
import { anyCharacter } from "../../support/anyCharacter";

const text = `# our pins
config:
  policy-platform:version: auto    # the rule decides

  policy-platform:base: {image: "h.io/base:12"}   # renewed weekly
  policy-platform:tools:
    # the policy engine
    kyverno:
      version: "1.13.2" # quoted
      release:
        url: https://example.com/k.tgz
    yq:     {version: '4.54.1', image: "h.io/yq:4"}
    jq: # nothing yet
  policy-platform:policies:
    security-policy: {folder: policies/security-policy}
  # the end
encryptionsalt: v1:abc=
`;

const edit = <Value extends string | boolean>(path: string, value: Value): Edit<Value> => ({
  path: path.split("."),
  value,
});
const without = (path: string): Edit<undefined> => ({ path: path.split("."), value: undefined });
const changedLines = (after: string) => {
  const before = text.split("\n");
  return after.split("\n").filter((line) => !before.includes(line));
};

describe("editing a stack file", () => {
  it("changes the value and keeps comments, spaces and quotes around it", () => {
    assert.deepEqual(changedLines(editedText(text, [edit("base.image", "h.io/base:12@sha256:ab")])), [
      '  policy-platform:base: {image: "h.io/base:12@sha256:ab"}   # renewed weekly',
    ]);
    assert.deepEqual(changedLines(editedText(text, [edit("tools.yq.version", "4.60.0")])), [
      "    yq:     {version: '4.60.0', image: \"h.io/yq:4\"}",
    ]);
  });

  it("adds keys at the end of a block map and of a flow map", () => {
    const after = editedText(text, [
      edit("tools.kyverno.release.sha256", "ab"),
      edit("tools.kyverno.release.digest", "sha256:cd"),
      edit("tools.yq.path", "/bin/yq"),
    ]);
    assert.deepEqual(changedLines(after), [
      '        sha256: "ab"',
      '        digest: "sha256:cd"',
      '    yq:     {version: \'4.54.1\', image: "h.io/yq:4", path: "/bin/yq"}',
    ]);
    assert.equal(after.split("\n").length, text.split("\n").length + 2);
  });

  it("adds maps that are not there, also below an empty entry", () => {
    const after = editedText(text, [
      edit("tools.helm.version", "3.19.0"),
      edit("tools.helm.release.url", "https://h.io/helm"),
      edit("tools.helm.release.sha256", "ab"),
      edit("tools.jq.version", "1.7"),
    ]);
    const { helm, jq } = parse(after).config["policy-platform:tools"];
    assert.deepEqual(helm, { version: "3.19.0", release: { url: "https://h.io/helm", sha256: "ab" } });
    assert.deepEqual(jq, { version: "1.7" });
    for (const comment of text.match(/#.*/g)!) assert.ok(after.includes(comment), comment);
  });

  it("quotes a version that stood there as a number", () => {
    const after = editedText("config:\n  policy-platform:tools:\n    yq: {version: 1.10}\n", [
      edit("tools.yq.version", "1.10"),
    ]);
    assert.equal(after, 'config:\n  policy-platform:tools:\n    yq: {version: "1.10"}\n');
  });

  it("finds keys without a namespace, and keeps Windows line ends", () => {
    const after = editedText("config:\r\n  tools:\r\n    yq:\r\n      version: '1'\r\n", [
      edit("tools.yq.image", "h.io/yq"),
    ]);
    assert.equal(after, "config:\r\n  tools:\r\n    yq:\r\n      version: '1'\r\n      image: \"h.io/yq\"\r\n");
  });

  it("writes new maps into a block line by line, and below a key that was empty", () => {
    const promotion = [edit("promotion.from", "h.io/releases/p"), edit("promotion.rollback", true)];
    const added = '  policy-platform:promotion:\n    from: "h.io/releases/p"\n    rollback: true\n';
    const [before, end] = text.split("  # the end");
    assert.equal(editedText(text, promotion), `${before}${added}  # the end${end}`);
    const empty = "config:\n  a: 1  # one\n  policy-platform:promotion:   # none yet\n    # from: there\n  b: 2\n";
    assert.equal(
      editedText(empty, promotion),
      empty.replace("none yet\n", 'none yet\n    from: "h.io/releases/p"\n    rollback: true\n'),
    );
  });

  it("sets true and false as what they are, and a text that reads like them as a text", () => {
    const before = "config:\n  promotion: {version: v1, rollback: false} # back\n";
    assert.equal(editedText(before, [edit("promotion.rollback", true)]), before.replace("false", "true"));
    assert.equal(editedText(before, [edit("promotion.version", "true")]), before.replace("v1", '"true"'));
  });

  it("takes a key away with its line, and leaves all other comments", () => {
    const before =
      "config:\n  promotion:\n    # which\n    version: v1 # one\n    # why\n    rollback: true # until then\n    # end\n  b: 1";
    assert.equal(
      editedText(before, [without("promotion.rollback")]),
      before.replace("    rollback: true # until then\n", ""),
    );
    assert.equal(
      editedText(before, [without("b"), without("promotion.nothing"), without("x.y")]),
      before.replace("  b: 1", ""),
    );
    assert.equal(editedText(text, [without("policies")]).split("\n").length, text.split("\n").length - 2);
  });

  it("takes a key out of a flow map with one comma, wherever it stands in it", () => {
    const flow = (inner: string) => `config:\n  promotion:   {${inner}}  # flow\n`;
    const away = (inner: string) => editedText(flow(inner), [without("promotion.rollback")]);
    assert.equal(away("version: v1,  rollback: true"), flow("version: v1"));
    assert.equal(away("rollback: true, version: v1"), flow("version: v1"));
    assert.equal(away("a: 1, rollback: true, version: v1"), flow("a: 1, version: v1"));
    assert.equal(away("rollback: true"), flow(""));
    assert.equal(away("\n    a: 1,\n    rollback: true,\n  "), flow("\n    a: 1,\n  "));
    const commented = away("\n    a: 1, # one\n    rollback: true\n  ");
    assert.deepEqual(parse(commented).config.promotion, { a: 1 });
    assert.match(commented, /# one/);
  });

  it("any key taken away is gone, and every other line has its very bytes", () => {
    const paths = [
      "version",
      "base",
      "tools.kyverno",
      "tools.kyverno.version",
      "tools.kyverno.release.url",
      "tools.jq",
      "policies",
    ];
    fc.assert(
      fc.property(fc.subarray(paths), fc.constantFrom("\n", "\r\n"), (gone, newline) => {
        const file = text.replaceAll("\n", newline);
        const after = editedText(file, gone.map(without));
        const wanted = parse(file);
        for (const path of gone) {
          const [first, ...rest] = path.split(".");
          const steps = [`policy-platform:${first}`, ...rest];
          const map = steps.slice(0, -1).reduce((at, step) => at?.[step], wanted.config);
          if (map) delete map[steps.at(-1)!];
        }
        assert.deepEqual(parse(after), wanted);
        const lines = after.split(newline);
        const isEmptied = gone.includes("tools.kyverno.release.url") && !gone.includes("tools.kyverno"); // writes `{}`
        if (!isEmptied)
          assert.deepEqual(
            lines,
            file.split(newline).filter((line) => lines.includes(line)),
          );
      }),
      { numRuns: 100 },
    );
  });

  it("starts a configuration in a file that has none", () => {
    for (const empty of ["", "config:\n", "config: {}\n", "encryptionsalt: v1:x\n", "config: {}"]) {
      assert.equal(
        parse(editedText(empty, [edit("base.image", "h.io/x")])).config["policy-platform:base"].image,
        "h.io/x",
      );
    }
  });

  it("any value at any place reads back as it was set, and everything else as it was", () => {
    const paths = [
      "base.image",
      "tools.kyverno.version",
      "tools.kyverno.release.digest",
      "tools.yq.image",
      "tools.jq.version",
      "tools.new.release.url",
      "policies.x.image",
    ];
    fc.assert(
      fc.property(fc.constantFrom(...paths), fc.string({ unit: anyCharacter, maxLength: 40 }), (path, value) => {
        const before = parse(text);
        const after = parse(editedText(text, [edit(path, value)]));
        const [first, ...rest] = path.split(".");
        let map = before.config;
        for (const part of [`policy-platform:${first}`, ...rest.slice(0, -1)]) {
          map[part] ??= {};
          map = map[part];
        }
        map[rest.at(-1)!] = value;
        assert.deepEqual(after, before);
      }),
      { numRuns: 300 },
    );
  });
});

describe("reading a stack file", () => {
  it("finds single values, with and without the namespace, and nothing where there is a map or nothing", () => {
    assert.equal(valueIn(text, ["tools", "yq", "version"]), "4.54.1");
    assert.equal(valueIn("config:\n  tools: {yq: {version: '1.10'}}\n", ["tools", "yq", "version"]), "1.10");
    for (const path of ["tools.yq", "tools.jq", "tools.jq.version", "nothing"])
      assert.equal(valueIn(text, path.split(".")), undefined, path);
  });

  it("is refused in a file that is no YAML, with its line", () => {
    assert.throws(() => valueIn("config: [", ["base"]), /stack file is no YAML: .*line 1/);
  });

  it("sees encrypted values in every form and namespace, and not the word alone", () => {
    for (const config of [
      "\n  policy-platform:x:\n    secure: v1:ab",
      " {policy-platform:x: {secure: v1:ab}}",
      " {other:x: [{secure: v1:ab}]}",
      '\n  "policy-platform:x": {"secure": "v1:ab"}',
    ])
      assert.equal(holdsSecrets(`config:${config}\n`), true, config);
    assert.equal(holdsSecrets("# secure: v1:ab\nconfig:\n  policy-platform:x: 'secure: v1:ab'\n"), false);
    assert.equal(holdsSecrets(""), false);
  });
});

describe("writing a stack file", () => {
  const folder = () => mkdtempSync(join(tmpdir(), "stack-file-"));

  it("keeps its mode and its link, and leaves nothing beside it", async () => {
    const dir = folder();
    writeFileSync(join(dir, "real.yaml"), text);
    chmodSync(join(dir, "real.yaml"), 0o640);
    symlinkSync("real.yaml", join(dir, "Pulumi.dev.yaml"));
    await writeEdits(join(dir, "Pulumi.dev.yaml"), text, [edit("version", "v1.0.0")]);
    assert.match(readFileSync(join(dir, "real.yaml"), "utf8"), /version: v1.0.0 {4}# the rule decides/);
    assert.equal(statSync(join(dir, "real.yaml")).mode & 0o777, 0o640);
    assert.deepEqual(readdirSync(dir).sort(), ["Pulumi.dev.yaml", "real.yaml"]);
  });

  it("writes nothing when somebody else wrote it meanwhile", async () => {
    const file = join(folder(), "Pulumi.dev.yaml");
    writeFileSync(file, `${text}# theirs\n`);
    await assert.rejects(writeEdits(file, text, [edit("version", "v1.0.0")]), { code: "stack-file-changed" });
    assert.equal(readFileSync(file, "utf8"), `${text}# theirs\n`);
    assert.equal(readdirSync(join(file, "..")).length, 1);
  });
});
