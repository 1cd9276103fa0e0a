import assert from "node:assert/strict";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { fromPulumi, fromStackFile, writtenIn } from "../../../config/load";
import { type ConfigurationError, Secret } from "../../../config/problems";

function stackFile(text: string, project?: string): string {
  const folder = mkdtempSync(join(tmpdir(), "config-load-"));
  if (project !== undefined) writeFileSync(join(folder, "Pulumi.yaml"), project);
  const path = join(folder, "Pulumi.dev.yaml");
  writeFileSync(path, text);
  return path;
}

const load = (text: string, project?: string) => fromStackFile(stackFile(text, project), "dev");

function brokenAt(text: string): string {
  try {
    load(text);
  } catch (error) {
    const { code, problems } = error as ConfigurationError;
    assert.equal(code, "configuration-invalid");
    assert.equal(problems[0]!.code, "stack-file-broken");
    return problems[0]!.what.replace(/^.*Pulumi\.dev\.yaml:/, "");
  }
  throw new Error("was accepted");
}

describe("reading a stack file", () => {
  it("takes the keys of our namespace and those without one, and no others", () => {
    const { raw } = load(`config:
  policy-platform:version: v1.0.0
  registry: {address: "h.io"}
  gcp:project: other
`);
    assert.deepEqual(raw, { version: "v1.0.0", registry: { address: "h.io" } });
  });

  it("lies over the values and defaults of Pulumi.yaml", () => {
    const project = `name: policy-platform
config:
  policy-platform:version: {type: string, default: auto}
  policy-platform:source: {value: abc}
  gcp:project: {value: p}
`;
    assert.deepEqual(load("config: {}\n", project).raw, { version: "auto", source: "abc" });
    assert.deepEqual(load("config: {policy-platform:version: v1.2.3}", project).raw.version, "v1.2.3");
  });

  it("is empty where there is nothing", () => {
    for (const text of ["", "# only a comment\n", "config:\n", "encryptionsalt: v1:abc\n"])
      assert.deepEqual(load(text).raw, {});
  });

  it("tells which environments it names", () => {
    assert.deepEqual(load("environment: [base, prod]\n").environments, ["base", "prod"]);
  });

  it("puts a marker where a secret stands", () => {
    const { raw } = load("config: {policy-platform:base: {image: {secure: v1:hunter2}}}\n");
    assert.ok((raw.base as { image: unknown }).image instanceof Secret);
  });

  it("knows how a number was written, and nothing where there is no file", () => {
    const text = "config:\n  policy-platform:tools:\n    yq: {version: 1.10, image: h.io/yq}\n";
    assert.equal(writtenIn(stackFile(text), ["tools", "yq", "version"]), "1.10");
    assert.equal(writtenIn(stackFile(text), ["tools", "yq", "path"]), undefined);
    assert.equal(writtenIn("/nowhere", ["tools"]), undefined);
  });

  it("names the line of what is broken", () => {
    assert.match(brokenAt("config:\n  a: [1\n  b: 2\n"), /^3: /);
    assert.match(
      brokenAt("config:\n  policy-platform:version: a\n  policy-platform:version: b\n"),
      /^3: Map keys must be unique/,
    );
    assert.match(brokenAt("config: 1\n"), /config is not a map/);
    assert.match(brokenAt("config: {}\n---\nconfig: {}\n"), /several documents/);
    assert.match(brokenAt("config: {a: *nowhere}\n"), /Unknown anchor nowhere/);
  });

  it("refuses bombs, deep nesting and huge files fast", () => {
    const started = performance.now();
    const laughs = Array.from(
      { length: 30 },
      (_, index) => `l${index + 1}: &l${index + 1} [${`*l${index},`.repeat(10)}]`,
    );
    assert.match(brokenAt(`l0: &l0 [x]\n${laughs.join("\n")}\n`), /expands too many aliases/);
    assert.match(brokenAt(`config: {a: ${"[".repeat(100_000)}`), /nested too deeply|1: /);
    assert.match(brokenAt(`config: {a: ${"[".repeat(3_000)}${"]".repeat(3_000)}}`), /nested too deeply/);
    assert.match(brokenAt("#".repeat(1024 * 1024 + 1)), /larger than 1024 KiB/);
    assert.match(brokenAt(Buffer.from([0x61, 0xff]).toString("latin1") + "\u0000: ["), /1: /);
    assert.ok(performance.now() - started < 5000);
  }).timeout(20_000);

  it("says so when the file is missing", () => {
    assert.throws(() => fromStackFile("/nowhere/Pulumi.dev.yaml", "dev"), { code: "stack-file-missing" });
    assert.throws(() => fromStackFile(join(__dirname, "../../../Pulumi.pord.yaml"), "pord"), {
      message: /here are dev,.*prod/,
    });
  });
});

describe("reading the engine's configuration", () => {
  it("takes maps as maps, texts as texts, unknown keys as they are, and secrets as markers", () => {
    pulumi.runtime.setAllConfig(
      {
        "policy-platform:version": "v1.0.0",
        "policy-platform:source": "123456789012",
        "policy-platform:tools": '{"yq":{"version":1.1}}',
        "policy-platform:unknown": "x",
        "policy-platform:base": '{"image":"hunter2"}',
        "policy-platform:registry": "not json",
        "gcp:project": "p",
      },
      ["policy-platform:base"],
    );
    const { base, ...rest } = fromPulumi();
    assert.ok(base instanceof Secret);
    assert.deepEqual(rest, {
      version: "v1.0.0",
      source: "123456789012",
      tools: { yq: { version: 1.1 } },
      unknown: "x",
      registry: "not json",
    });
    pulumi.runtime.setAllConfig({});
  });
});
