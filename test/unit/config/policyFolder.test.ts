import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { sha256, shortDigest } from "../../../lib/oci/digest";
import { checkPolicies, requirePolicies } from "../../../lib/policies/check";
import { memoryFile } from "../../../lib/policies/memory";
import { times } from "../../support/counts";

/** Writes a folder and lists it as a layer image does. */
function repository(contents: Readonly<Record<string, string | Buffer>>) {
  const folder = mkdtempSync(join(tmpdir(), "policy-folder-"));
  for (const [file, content] of Object.entries(contents)) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), content);
  }
  const files = Object.fromEntries(
    Object.entries(contents).map(([file, content]) => [file, shortDigest(sha256(content))]),
  );
  return { folder, files };
}

/** The broken files of one repository, by path. */
async function brokenFiles({
  folder,
  files,
  memory,
}: {
  folder: string;
  files: Record<string, string>;
  memory?: string;
}) {
  return (await checkPolicies([{ shown: folder, source: folder, files, memory }], {})).problems;
}

const policy = "apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata:\n  name: x\n";

describe("YAML of a policy repository", () => {
  it("may be anything that is YAML: policies, values, several documents, own tags, Windows line ends", async () => {
    const { folder, files } = repository({
      "policies/a.yaml": policy,
      "values.yml": "a: 1\n---\nb: !Custom {c: 2}\n...\n",
      "empty.yaml": "",
      "comment.yaml": "# nothing\n",
      "dos.yaml": "a: 1\r\nb: 2\r\n",
      "README.md": "a: [",
      "anchors.yaml": "a: &x {k: 1}\nb: {<<: *x, c: 2}\n",
    });
    assert.deepEqual(await brokenFiles({ folder, files }), []);
  });

  it("is named with its line when it is broken", async () => {
    const { folder, files } = repository({
      "policies/a.yaml": policy,
      "policies/b.yaml": `${policy}  name: twice\n`,
      "c.yml": "a: 1\n---\nb: [1\n",
      "d.yaml": "a: *b\n",
      "e.yaml": Buffer.from([0x61, 0x3a, 0x20, 0xff]),
      "tab.yaml": "a:\n\tb: 1\n",
    });
    const broken = await brokenFiles({ folder, files });
    assert.deepEqual(
      broken.map(({ file, line }) => `${file}:${line}`),
      ["c.yml:4", "d.yaml:1", "e.yaml:1", "policies/b.yaml:5", "tab.yaml:2"],
    );
    await assert.rejects(
      requirePolicies([{ shown: folder, source: folder, files }], {}),
      (error: { code: string; message: string }) => {
        assert.equal(error.code, "policy-yaml-broken");
        assert.ok(error.message.includes(`${folder}/policies/b.yaml:5: Map keys must be unique; "name" is repeated`));
        assert.ok(error.message.includes(".policyignore"));
        return true;
      },
    );
  });

  it("is not looked for in the templates of a chart, and is in any other folder of that name", async () => {
    const template = "{{- if .Values.x }}\na: {{ .Values.a }}\n{{- end }}\n";
    const { folder, files } = repository({
      "chart/Chart.yaml": "name: c\n",
      "chart/templates/a.yaml": template,
      "chart/charts/sub/Chart.yaml": "name: s\n",
      "chart/charts/sub/templates/deep/b.yaml": template,
      "templates/c.yaml": template,
      "chart/values.yaml": "a: 1\n",
    });
    assert.deepEqual(
      (await brokenFiles({ folder, files })).map(({ file }) => file),
      ["templates/c.yaml"],
    );
  });

  it("is parsed once: contents that were in order are remembered, broken ones are not", async () => {
    const { folder, files } = repository({ "a.yaml": policy, "b.yaml": "a: [" });
    const memory = memoryFile(mkdtempSync(join(tmpdir(), "project-")), "security-policy");
    assert.equal((await brokenFiles({ folder, files, memory })).length, 1);
    assert.deepEqual(JSON.parse(readFileSync(memory, "utf8")), {
      format: 2,
      files: {
        [files["a.yaml"]!]: [{ line: 1, apiVersion: "kyverno.io/v1", kind: "ClusterPolicy", namespace: "", name: "x" }],
      },
    });
    // A file that is known by its content is not even opened.
    writeFileSync(join(folder, "a.yaml"), "a: [");
    assert.deepEqual(
      (await brokenFiles({ folder, files, memory })).map(({ file }) => file),
      ["b.yaml"],
    );
    assert.equal((await brokenFiles({ folder, files })).length, 2);
  });

  it("costs next to nothing when nothing changed", async () => {
    const contents = Object.fromEntries(
      Array.from({ length: times(5000) }, (_, index) => [
        `p/${index}.yaml`,
        `${policy.replace("x", `p${index}`)}  labels: {n: "${index}"}\n`,
      ]),
    );
    const { folder, files } = repository(contents);
    const memory = memoryFile(mkdtempSync(join(tmpdir(), "project-")), "big");
    await brokenFiles({ folder, files, memory });
    const { mtimeMs } = statSync(memory);
    const started = performance.now();
    assert.deepEqual(await brokenFiles({ folder, files, memory }), []);
    assert.ok(performance.now() - started < 1000);
    assert.equal(statSync(memory).mtimeMs, mtimeMs);
  }).timeout(20_000);

  it("is checked without a memory where none can be kept, and with an empty one where it is broken", async () => {
    const { folder, files } = repository({ "a.yaml": policy });
    assert.deepEqual(await brokenFiles({ folder, files, memory: join(folder, "a.yaml/x.json") }), []);
    const memory = join(folder, "memory.json");
    writeFileSync(memory, "{");
    assert.deepEqual(await brokenFiles({ folder, files, memory }), []);
    assert.ok(existsSync(memory));
  });

  it("cannot hang the check: bombs, deep nesting, maps of very many keys, huge files", async () => {
    const bomb = Array.from(
      { length: 40 },
      (_, index) => `l${index + 1}: &l${index + 1} [*l${index}, *l${index}]`,
    ).join("\n");
    const { folder, files } = repository({
      "bomb.yaml": `l0: &l0 x\n${bomb}\n`,
      "deep.yaml": "[".repeat(200_000),
      "keys.yaml": Array.from({ length: times(100_000) }, (_, index) => `k${index}: 1`).join("\n"),
      "huge.yaml": Buffer.alloc(9 * 1024 * 1024, "#"),
    });
    const started = performance.now();
    const broken = await brokenFiles({ folder, files });
    assert.deepEqual(
      broken.map(({ file }) => file),
      ["deep.yaml", "huge.yaml"],
    );
    assert.ok(performance.now() - started < 20_000);
  }).timeout(40_000);
});
