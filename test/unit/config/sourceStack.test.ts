import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sourceStack } from "../../../config/sourceStack";

describe("the stack that a promotion comes from", () => {
  let projectDir: string;
  beforeEach(() => {
    projectDir = mkdtempSync(join(tmpdir(), "source-stack-"));
  });
  afterEach(() => rmSync(projectDir, { recursive: true, force: true }));

  const file = (stack: string, ...lines: string[]) =>
    writeFileSync(
      join(projectDir, `Pulumi.${stack}.yaml`),
      `config:\n${lines.map((line) => `  policy-platform:${line}\n`).join("")}`,
    );
  const found = (promotion: object, stack = "prod") => sourceStack(promotion, { stack, projectDir });
  const from = "h.io/dev/releases/policy-platform";

  it("is the one that it names itself", () => {
    assert.equal(found({ stack: "organization/policy-platform/dev", from }), "dev");
  });

  it("is the only one whose releases are there, whatever else its file says or lacks", () => {
    file("dev", "registry: {address: h.io/dev}", "tools: 7");
    file("other", "registry: {address: h.io/other}");
    file("broken", "registry: {address: 'https://h.io'}");
    assert.equal(found({ from }), "dev");
    assert.equal(found({ stack: "no stack", from }), "dev");
  });

  it("is told by another name of the same registry too", () => {
    file("dev", "registry: {address: docker.io/acme, separator: '-'}");
    for (const host of ["docker.io", "index.docker.io", "registry-1.docker.io", "docker.io:443"])
      assert.equal(found({ from: `${host}/acme/releases-policy-platform` }), "dev", host);
    assert.equal(found({ from: "docker.io.example/acme/releases-policy-platform" }), undefined);
  });

  it("may promote itself, and have its registry in Google Cloud", () => {
    const google = "{kind: artifactRegistry, project: acme-staging, location: europe-west1}";
    file("staging", `registry: ${google}`, "promotion: {from: x}", "image: {name: p}");
    assert.equal(found({ from: "europe-west1-docker.pkg.dev/acme-staging/policy-releases/p" }), "staging");
  });

  it("is never the stack itself", () => {
    file("prod", "registry: {address: h.io/dev}");
    assert.equal(found({ from }), undefined);
    assert.equal(found({ from }, "organization/policy-platform/prod"), undefined);
  });

  it("is not told by several, by none, and by what is no text", () => {
    for (const stack of ["dev", "qa"]) file(stack, "registry: {address: h.io/dev}");
    for (const promotion of [{ from }, { from: "h.io/x" }, { from: "[::::]/x" }, { from: 7, stack: 7 }, {}])
      assert.equal(found(promotion), undefined, JSON.stringify(promotion));
  });
});
