// The stack files that are committed: what they say is in order, and what they leave open is said with the line that fills it in.
import assert from "node:assert/strict";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { fromStackFile } from "../../../config/load";
import { parseSettings, problemsOf } from "../../../config/parse";
import { editedText } from "../../../config/stackFile";
import { repositoryNames } from "../../../lib/registry/names";
import { run } from "../cli/run";
import { hex } from "./valid";

const root = join(__dirname, "..", "..", "..");
const textOf = (stack: string) => readFileSync(join(root, `Pulumi.${stack}.yaml`), "utf8");

/** The project with another text of a stack's file. */
function projectWith(stack: string, text: string): string {
  const folder = mkdtempSync(join(tmpdir(), "environments-"));
  cpSync(join(root, "Pulumi.yaml"), join(folder, "Pulumi.yaml"));
  cpSync(join(root, "policies"), join(folder, "policies"), { recursive: true });
  writeFileSync(join(folder, `Pulumi.${stack}.yaml`), text);
  return folder;
}

function read(stack: string, text: string) {
  const projectDir = projectWith(stack, text);
  const { raw } = fromStackFile(join(projectDir, `Pulumi.${stack}.yaml`), stack);
  return { raw, context: { stack, projectDir } };
}

function problems(stack: string, text: string) {
  const { raw, context } = read(stack, text);
  return problemsOf(raw, context);
}

/** Any download and layer image, in the place of what only the true ones tell. */
const completed = editedText(textOf("dev"), [
  { path: ["tools", "spectral", "release", "sha256"], value: hex("5") },
  ...["kyverno", "yq", "pluto", "helm", "spectral"].map((name) => ({
    path: ["tools", name, "release", "digest"],
    value: `sha256:${hex("d")}`,
  })),
]);

/** As the engine writes a file: by key, without comments, with what a passphrase leaves. */
const rewritten = `${stringify(parse(completed), { sortMapEntries: true, lineWidth: 0 })}encryptionsalt: v1:c2FsdA==:v1:bm9uY2U=\n`;

describe("the committed Pulumi.dev.yaml", () => {
  it("has no error but pins that no public place tells, each with the line that fills it in", async () => {
    const { code, data, stdout } = await run("check", "-o", "json", "--stack", "dev", "--cwd", root);
    assert.equal(code, 2, stdout);
    const lines = (list: string) => (data[list] as { code: string; fix: string }[]).map((one) => [one.code, one.fix]);
    assert.deepEqual(lines("problems"), [["checksum-missing", "policy-platform pin spectral --stack dev"]]);
    assert.deepEqual(
      lines("unpinned"),
      ["kyverno", "yq", "pluto", "helm"].map((name) => ["digest-unpinned", `policy-platform pin ${name} --stack dev`]),
    );
  });

  it("is in order, and leaves nothing open, when those lines have filled them in", async () => {
    const { code, stderr } = await run("check", "--stack", "dev", "--cwd", projectWith("dev", completed));
    assert.equal(code, 0, stderr);
    assert.equal(stderr, "► checking Pulumi.dev.yaml\n✔ Pulumi.dev.yaml is in order\n");
  });

  it("names a public place for every checksum and digest, at a commit that cannot move, in a comment beside it", () => {
    const lines = textOf("dev").split("\n");
    const pinned = lines.flatMap((line, index) => (/(sha256: "|@sha256:)[0-9a-f]{64}|-r\d+"$/.test(line) ? index : []));
    assert.equal(pinned.length, 7);
    for (const index of pinned) {
      const above = lines.slice(Math.max(0, index - 5), index);
      const comments = above.slice(above.findLastIndex((line) => /sha256: "|-r\d+"$/.test(line)) + 1);
      assert.ok(
        comments.some((line) => /^\s*#.*https:\/\/github\.com\/[^\s/]+\/[^\s/]+\/blob\/[0-9a-f]{40}\//.test(line)),
        lines[index],
      );
    }
    for (const line of lines.filter((text) => /github\.com\/\S+\/(?:blob|commits|tree)\//.test(text)))
      assert.match(line, /\/blob\/[0-9a-f]{40}\//);
  });

  it("means the same when the engine has written it anew", () => {
    const before = read("dev", completed);
    const after = read("dev", rewritten);
    assert.ok(!rewritten.includes("#"), "no comment is left");
    assert.deepEqual(parseSettings(after.raw, after.context), parseSettings(before.raw, before.context));
  });

  it("is refused with key and quoted form where the engine wrote a version as a number", () => {
    const unquoted = [
      ['version: "3.19.0"', "version: 1.10", "tools.helm.version", '1.1, as YAML reads "1.10"', "1.10"],
      ['version: "3.19.0"', "version: 1.1", "tools.helm.version", "1.1, as the engine also writes 1.10", "1.1"],
      ['bash: "5.2.37-r0"', "bash: 5.20", "base.packages.apk.bash", '5.2, as YAML reads "5.20"', undefined],
      [
        'kubernetes: "1.31"',
        "kubernetes: 1.30",
        "gate.integration.app-dev.kubernetes",
        '1.3, as YAML reads "1.30"',
        "1.30",
      ],
    ] as const;
    for (const [quoted, written, key, shown, form] of unquoted) {
      assert.ok(completed.includes(quoted), quoted);
      const found = problems("dev", completed.replace(quoted, written));
      assert.deepEqual(
        found.map((one) => one.key),
        [`policy-platform:${key}`],
      );
      assert.ok(found[0]!.what.includes(`is the number ${shown}, not text`), found[0]!.what);
      if (form)
        assert.match(found[0]!.fix, new RegExp(`^pulumi config set --path '${found[0]!.key}' '${form}' --type string`));
    }
  });
});

describe("the committed Pulumi.prod.yaml", () => {
  const promoted = editedText(textOf("prod"), [
    { path: ["promotion", "version"], value: "v1.4.2" },
    { path: ["promotion", "digest"], value: `sha256:${hex("d")}` },
    { path: ["promotion", "commit"], value: "123456789012" },
  ]);

  it("has no error but the release that is not there yet, and names the line that promotes it", async () => {
    const { code, data, stdout } = await run("check", "-o", "json", "--stack", "prod", "--cwd", root);
    assert.equal(code, 2, stdout);
    assert.deepEqual(
      (data.problems as { key: string; fix: string }[]).map(({ key, fix }) => [key, fix]),
      ["commit", "digest", "version"].map((name) => [
        `policy-platform:promotion.${name}`,
        "policy-platform promote dev prod",
      ]),
    );
    assert.deepEqual(data.unpinned, []);
  });

  it("is in order when a release has been promoted, and means the same when the engine has written it anew", () => {
    const before = read("prod", promoted);
    const anew = `${stringify(parse(promoted), { sortMapEntries: true })}encryptionsalt: v1:c2FsdA==:v1:bm9uY2U=\n`;
    const after = read("prod", anew);
    assert.deepEqual(parseSettings(after.raw, after.context), parseSettings(before.raw, before.context));
  });

  it("takes from where the committed Pulumi.dev.yaml releases to", () => {
    const { raw, context } = read("dev", completed);
    const { registry, image } = parseSettings(raw, context);
    const { from } = parse(textOf("prod")).config["policy-platform:promotion"];
    assert.equal(from, repositoryNames(registry).releases(image.name));
  });

  it("enforces in its cluster what that of the committed Pulumi.dev.yaml audits, each with the login of its cloud", () => {
    const clustersOf = (stack: string, text: string) => {
      const { raw, context } = read(stack, text);
      return Object.entries(parseSettings(raw, context).clusters).map(
        ([name, { environment, enforcement, provider }]) => ({ name, environment, enforcement, provider }),
      );
    };
    assert.deepEqual(clustersOf("dev", completed), [
      { name: "dev", environment: "dev", enforcement: "audit", provider: "gcp" },
    ]);
    assert.deepEqual(clustersOf("prod", promoted), [
      { name: "production", environment: "production", enforcement: "enforce", provider: "gcp" },
    ]);
    const released = parse(textOf("dev")).config["policy-platform:artifacts"].environments;
    for (const environment of ["dev", "production"]) assert.ok(released.includes(environment), environment);
  });

  it("is refused with key and quoted form where a commit of digits alone was written as a number", () => {
    const [found, ...others] = problems("prod", promoted.replace('"123456789012"', "123456789012"));
    assert.deepEqual(others, []);
    assert.equal(found!.what, "policy-platform:promotion.commit is the number 123456789012, not text");
    assert.equal(
      found!.fix,
      "pulumi config set --path 'policy-platform:promotion.commit' '123456789012' --type string --stack prod",
    );
  });

  it("names no stack to promote from where none beside it, or more than one, releases there", () => {
    const { raw, context } = read("prod", textOf("prod"));
    const fixes = () => problemsOf(raw, context).map(({ fix }) => fix);
    assert.deepEqual(fixes(), Array(3).fill("policy-platform promote FROM prod"));
    for (const stack of ["dev", "qa"]) writeFileSync(join(context.projectDir, `Pulumi.${stack}.yaml`), textOf("dev"));
    writeFileSync(join(context.projectDir, "Pulumi.broken.yaml"), "config: [");
    assert.deepEqual(fixes(), Array(3).fill("policy-platform promote FROM prod"));
    rmSync(join(context.projectDir, "Pulumi.qa.yaml"));
    assert.deepEqual(fixes(), Array(3).fill("policy-platform promote dev prod"));
  });
});
