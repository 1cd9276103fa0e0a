// What is kept of a gate's run, and when it stands for another run.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { failed, passed, skipped } from "../../../lib/gate/check";
import {
  expectedNames,
  keepResult,
  keptFolder,
  outputFile,
  recallResult,
  rememberedFile,
  rememberResult,
} from "../../../lib/gate/kept";
import { sha256 } from "../../../lib/oci/digest";
import { keepVariables } from "../../support/environment";

const key = sha256("spec");
const names = expectedNames({
  tools: { yq: { version: "4.54.1", command: ["/yq"], expect: "" } },
  repositories: { p: { digest: sha256("p"), layers: "r.example/p" } },
  integration: {},
  environments: ["dev"],
});
const artifact = { digest: sha256("artifact"), revision: sha256("layer") };
const artifacts = { dev: artifact };
const checks = [
  passed("smoke: shell", "/bin/bash runs as root"),
  passed("smoke: yq", "4.54.1"),
  passed("smoke: /repos/p", "1 file"),
  passed("policies: p", "1 rule", "out\tput\n\x1b[31m\x07red"),
  skipped("policies: p in charts", "no environment"),
  passed("size", "1 MiB"),
  skipped("tests: p", "none"),
  passed("parity: dev", "equal"),
];

describe("what the gate found", () => {
  let dir: string;
  let restore: () => void;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "kept-"));
    restore = keepVariables();
    process.env.XDG_CACHE_HOME = join(dir, "cache");
  });
  afterEach(() => {
    restore();
    rmSync(dir, { recursive: true });
  });
  const project = () => join(dir, "project");
  const folder = () => keptFolder(project(), sha256("image"));
  const file = () => rememberedFile(project(), key);
  const recalled = () => recallResult(file(), key, names);
  const write = (content: string) => {
    mkdirSync(dirname(file()), { recursive: true });
    writeFileSync(file(), content);
  };
  const short = checks.map(({ name, status, detail }) => ({ name, status, detail }));

  it("is taken for the very same inputs, without the outputs", async () => {
    await rememberResult(file(), key, { passed: true, checks, artifacts });
    assert.deepEqual(await recalled(), { passed: true, checks: short, artifacts });
    assert.equal(await recallResult(file(), sha256("other"), names), undefined);
    assert.equal(await recallResult(rememberedFile(project(), sha256("other")), key, names), undefined);
    assert.equal(await recallResult(rememberedFile(join(dir, "another"), key), key, names), undefined);
  });

  it("is never believed from a file in the checkout, which a commit can bring", async () => {
    await keepResult(folder(), { passed: true, checks });
    writeFileSync(
      join(folder(), "result.json"),
      JSON.stringify({ format: 3, key, passed: true, checks: short, artifacts }),
    );
    assert.equal(await recalled(), undefined);
    assert.ok(!file().startsWith(project()), file());
  });

  it("is never taken when it failed, or when its file says that it passed with a check that failed", async () => {
    await rememberResult(file(), key, { passed: true, checks, artifacts });
    await rememberResult(file(), key, { passed: false, checks: [failed("policies: p", "no")], artifacts: {} });
    assert.equal(await recalled(), undefined);
    const wrong = short.map((check) => (check.name === "policies: p" ? failed(check.name, "no") : check));
    write(JSON.stringify({ format: 3, key, passed: true, checks: wrong, artifacts }));
    assert.equal(await recalled(), undefined);
  });

  it("is taken only with every check that these inputs ask for, each once, and no unknown one", async () => {
    const lists: unknown[] = [
      [],
      undefined,
      [null],
      [...short, short[0]],
      [...short, passed("smoke: other", "no tool of this image")],
      short.map((check) => ({ ...check, status: "fine" })),
      ...names.map((left) => short.filter(({ name }) => name !== left)),
    ];
    for (const list of lists) {
      write(JSON.stringify({ format: 3, key, passed: true, checks: list, artifacts }));
      assert.equal(await recalled(), undefined, JSON.stringify(list));
    }
    for (const content of ["", "{}", "null", '{"format":3']) {
      write(content);
      assert.equal(await recalled(), undefined, content);
    }
    write(JSON.stringify({ format: 3, key, passed: true, checks: short, artifacts }));
    assert.deepEqual(await recalled(), { passed: true, checks: short, artifacts });
  });

  it("is taken only with the digest of each environment's artifact", async () => {
    const others: unknown[] = [
      undefined,
      {},
      { dev: null },
      { dev: { digest: "v1", revision: artifact.revision } },
      { dev: { ...artifact, render: "none" } },
      { production: artifact },
      { dev: artifact, production: artifact },
    ];
    for (const other of others) {
      write(JSON.stringify({ format: 3, key, passed: true, checks: short, artifacts: other }));
      assert.equal(await recalled(), undefined, JSON.stringify(other));
    }
  });

  it("has a file for each check, with nothing in it that a terminal acts on", async () => {
    await keepResult(folder(), { passed: true, checks });
    assert.deepEqual(
      readdirSync(folder()).sort(),
      [...checks.map(({ name }) => outputFile(name)), "result.json"].sort(),
    );
    assert.equal(
      readFileSync(join(folder(), "policies-p.txt"), "utf8"),
      "policies: p: passed\n1 rule\n\nout\tput\nred\n",
    );
    assert.equal(outputFile("smoke: /repos/../x"), "smoke-_repos_.._x.txt");
  });
});
