import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { keepVariables } from "../../support/environment";
import { hex, makeProject, pinned } from "../config/valid";
import { run } from "./run";

const inOrder = `config:
  policy-platform:registry: {address: "127.0.0.1:5000"}
  policy-platform:base: {image: "${pinned("layers/base")}"}
  policy-platform:policies: {security-policy: {folder: policies/security-policy}}
`;

function project(stackFile = inOrder): string {
  const folder = makeProject();
  writeFileSync(join(folder, "Pulumi.yaml"), "name: policy-platform\nruntime: nodejs\n");
  writeFileSync(join(folder, "Pulumi.dev.yaml"), stackFile);
  return folder;
}

describe("policy-platform check", () => {
  it("says that a configuration is in order, and nothing on stdout", async () => {
    const { code, stdout, stderr } = await run("check", "--stack", "dev", "--cwd", project());
    assert.equal(code, 0, stderr);
    assert.equal(stdout, "");
    assert.equal(stderr, "► checking Pulumi.dev.yaml\n✔ Pulumi.dev.yaml is in order\n");
  });

  it("works from a folder below the project", async () => {
    assert.equal((await run("check", "-s", "dev", "-C", join(project(), "policies"))).code, 0);
  });

  it("lists every error, of the keys and of the policy files, and exits 2", async () => {
    const folder = project(`${inOrder}  policy-platform:tools: {yq: {version: 1.10, image: "h.io/yq:4"}}\n`);
    writeFileSync(join(folder, "policies/security-policy/b.yaml"), "a: 1\nb: [\n");
    const { code, stdout, stderr } = await run("check", "--stack", "dev", "--cwd", folder);
    assert.equal(code, 2);
    assert.equal(stderr, "► checking Pulumi.dev.yaml\n✗ Pulumi.dev.yaml: 3 errors\n");
    const lines = stdout.trimEnd().split("\n");
    assert.match(
      lines[0]!,
      /^1\. policy-platform:tools\.yq\.image has no digest: .*; policy-platform pin yq --stack dev$/,
    );
    assert.match(
      lines[1]!,
      /^2\. policy-platform:tools\.yq\.version is the number 1\.1, as YAML reads "1\.10", not text; .*'1\.10' --type string --stack dev$/,
    );
    assert.match(
      lines[2]!,
      /^3\. policy-platform:policies\.security-policy\.folder: policies\/security-policy\/b\.yaml:3: /,
    );
    assert.equal(lines.length, 3);
  });

  it("answers programs with one JSON document", async () => {
    const { code, data } = await run(
      "check",
      "-o",
      "json",
      "--stack",
      "dev",
      "--cwd",
      project("config: {policy-platform:toolz: {}}\n"),
    );
    assert.equal(code, 2);
    const { problems, ...rest } = data as { problems: Record<string, string>[] };
    assert.deepEqual(rest, { stack: "dev", file: "Pulumi.dev.yaml", valid: false, unpinned: [] });
    assert.deepEqual(
      problems.map(({ key }) => key),
      ["toolz", "registry", "base", "policies"].map((key) => `policy-platform:${key}`),
    );
    for (const { meant, ...problem } of problems) {
      assert.deepEqual(Object.keys(problem).sort(), ["code", "fix", "key", "rule", "what"]);
      assert.equal(meant, problem.key === "policy-platform:toolz" ? "policy-platform:tools" : undefined);
    }
    const good = await run("check", "-o", "json", "--stack", "dev", "--cwd", project());
    assert.deepEqual(good.data, { stack: "dev", file: "Pulumi.dev.yaml", valid: true, problems: [], unpinned: [] });
  });

  it("names what leaves the image open until a preview can know it, which is no error", async () => {
    const open =
      project(`${inOrder.replace("policies/security-policy}", `policies/security-policy}, shared: {git: {url: "https://h.io/p.git", commit: ${hex("a").slice(24)}}}, foreign: {image: "${pinned("p")}", path: /p}`)}  policy-platform:tools:
    yq: {version: "4.54.1", release: {url: "https://h.io/v4.54.1/yq", sha256: ${hex("b")}}}
    helm: {version: "3.19.0", image: {reference: "${pinned("helm")}", member: /usr/bin/helm}}
    pluto: {version: "5.21.1", image: "${pinned("pluto")}"}
`);
    const { code, data, stderr } = await run("check", "-o", "json", "-s", "dev", "-C", open);
    assert.equal(code, 0, stderr);
    assert.deepEqual(
      (data.unpinned as { key: string; fix: string }[]).map(({ key, fix }) => [key, fix]),
      [
        ["policy-platform:tools.yq.release.digest", "policy-platform pin yq --stack dev"],
        ["policy-platform:tools.helm.image.digest", "policy-platform pin helm --stack dev"],
        ["policy-platform:policies.shared.git.digest", "policy-platform pin shared --stack dev"],
        ["policy-platform:policies.foreign.digest", "policy-platform pin foreign --stack dev"],
      ],
    );
    assert.match(
      stderr,
      /► policy-platform:tools\.yq\.release\.digest is not pinned yet; .*; policy-platform pin yq --stack dev\n/,
    );
    assert.match(stderr, /✔ Pulumi\.dev\.yaml is in order\n$/);
  });

  it("does not miss what an environment may supply", async () => {
    const { code, stderr } = await run("check", "-s", "dev", "-C", project("environment: [shared]\nconfig: {}\n"));
    assert.equal(code, 0);
    assert.match(stderr, /keys that may come from shared are not missed here/);
  });

  it("names an empty and a missing folder once", async () => {
    const folder = project(inOrder.replace("policies/security-policy}", "nowhere}, empty: {folder: policies/empty}"));
    mkdirSync(join(folder, "policies/empty"), { recursive: true });
    const { data } = await run("check", "-o", "json", "-s", "dev", "-C", folder);
    assert.deepEqual(
      (data as { problems: { code: string }[] }).problems.map(({ code }) => code),
      ["folder-empty", "folder-missing"],
    );
  });

  it("reports a broken file with its line, as JSON too", async () => {
    const { code, data, stderr } = await run("check", "-o", "json", "-s", "dev", "-C", project("config:\n  a: [\n"));
    assert.equal(code, 2);
    assert.match(stderr, /Pulumi\.dev\.yaml:3: /);
    assert.equal((data as { error: { code: string } }).error.code, "configuration-invalid");
  });

  it("says which stacks there are when none is named", async () => {
    const restore = keepVariables();
    process.env.PULUMI_HOME = "/nowhere";
    delete process.env.PULUMI_STACK;
    try {
      const { code, stderr } = await run("check", "-C", project());
      assert.equal(code, 2);
      assert.equal(
        stderr,
        "✗ no stack is selected; a verb works on one stack; here are dev; name it with --stack, or select it with pulumi stack select\n",
      );
      process.env.PULUMI_STACK = "dev";
      assert.equal((await run("check", "-C", project())).code, 0);
    } finally {
      restore();
    }
  });

  it("says so outside a project and for a stack without a file", async () => {
    assert.match((await run("check", "-C", "/")).stderr, /no Pulumi\.yaml in \/ or above/);
    const { code, stderr } = await run("check", "-s", "prod", "-C", project());
    assert.equal(code, 2);
    assert.match(stderr, /no file .*Pulumi\.prod\.yaml/);
  });
});
