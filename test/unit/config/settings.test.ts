import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseBuildSettings, problemsOf } from "../../../config/parse";
import { ConfigurationError } from "../../../config/problems";
import { hex, makeProject, pinned, problemsAfter, projectDir, spoiled, valid } from "./valid";

const context = { stack: "dev", projectDir };

describe("a configuration in order", () => {
  it("is parsed with all defaults filled in", () => {
    const { version, image, gate, mirrors, registry, ...rest } = parseBuildSettings(
      {
        registry: { address: "ghcr.io/acme" },
        base: { image: pinned("layers/base") },
        policies: { "security-policy": { folder: "policies/security-policy" } },
      },
      context,
    );
    assert.deepEqual(registry, { kind: "existing", address: "ghcr.io/acme", separator: "/", insecure: false });
    assert.equal(version, "auto");
    assert.deepEqual(image, { name: "policy-platform", user: "65532:65532" });
    assert.deepEqual(gate, {
      smoke: { timeoutSeconds: 60, memoryBytes: 512 * 2 ** 20 },
      checks: { timeoutSeconds: 600, memoryBytes: 2 * 2 ** 30 },
      policyTests: "optional",
      integration: {},
      size: {},
    });
    assert.deepEqual(mirrors, {});
    assert.deepEqual(rest, {
      base: { image: pinned("layers/base") },
      tools: {},
      policies: { "security-policy": { folder: "policies/security-policy" } },
      artifacts: { environments: [], allow: [] },
      bundles: {},
      clusters: {},
    });
  });

  it("gives each tool its path, its source and its version check", () => {
    const { kyverno, yq } = parseBuildSettings(valid(), context).tools;
    assert.equal(kyverno!.path, "/usr/local/bin/kyverno");
    assert.equal(kyverno!.release!.sha256, hex("b"));
    assert.deepEqual(yq!.image, { reference: pinned("layers/tools/yq") });
    assert.deepEqual(yq!.smoke.command, ["/usr/local/bin/yq", "--version"]);
    assert.equal(kyverno!.release!.member, "kyverno");
  });

  it("lets a tool outside the catalogue say how it prints its version", () => {
    const smoke = { args: ["--version"], expect: "jq-(\\S+)" };
    const raw = spoiled(["tools", "jq"], { version: "1.7", image: pinned("jq"), smoke });
    assert.deepEqual(parseBuildSettings(raw, context).tools.jq!.smoke, {
      command: ["/usr/local/bin/jq", "--version"],
      expect: smoke.expect,
    });
  });

  it("pins packages of the base, of one package manager", () => {
    const packages = { apt: { "libstdc++6": "12.2.0-14+deb12u1", tzdata: "2025b-0+deb12u1", vim: "2:9.0.1378-2" } };
    assert.deepEqual(parseBuildSettings(spoiled(["base", "packages"], packages), context).base.packages, packages);
    const apk = { apk: { bash: "5.2.37-r0", "ca-certificates": "20250911-r0", git: "2.49.1_rc2-r10" } };
    assert.deepEqual(parseBuildSettings(spoiled(["base", "packages"], apk), context).base.packages, apk);
  });

  it("takes a base without a package for a base that is used as it is", () => {
    for (const packages of [{}, { apt: {} }])
      assert.deepEqual(parseBuildSettings(spoiled(["base", "packages"], packages), context).base, {
        image: pinned("layers/base"),
      });
  });

  it("admits root for CI hosts that need it", () => {
    assert.equal(parseBuildSettings(spoiled(["image", "user"], "0:0"), context).image.user, "0:0");
  });

  it("takes policies from a folder, an image, a folder of a foreign image, and a git commit", () => {
    const policies = {
      a: { folder: "policies/security-policy" },
      b: { image: pinned("layers/b") },
      c: { image: pinned("alpine"), path: "/repos/x", digest: digestOf("c") },
      d: { git: { url: "ssh://git@git.example.com:2222/~team/p.git", commit: hex("d"), path: ".github/policies" } },
      e: { git: { url: "https://git.example.com/team/p.git", commit: commitHash, digest: digestOf("e") } },
    };
    assert.deepEqual(parseBuildSettings({ ...valid(), policies }, context).policies, policies);
  });

  it("keeps the tag beside a digest, for readers", () => {
    const image = `127.0.0.1:5000/layers/base:12@sha256:${hex("a")}`;
    assert.equal(parseBuildSettings(spoiled(["base", "image"], image), context).base.image, image);
  });
});

/** path, value, expected code, key, what contains, exact fix. */
type Case = readonly [string, string[], unknown, string, string, string];
const set = (path: string, value: string, type = "") =>
  `pulumi config set --path 'policy-platform:${path}' '${value}'${type} --stack dev`;
const string = " --type string";
const pin = (name: string) => `policy-platform pin ${name} --stack dev`;
const commitHash = "0123456789abcdef0123456789abcdef01234567";
const offered = (ask: string) =>
  `choose one that there is: docker run --rm --network host --user 0 --entrypoint sh '${pinned("layers/base")}' -c '${ask}'`;
const digestOf = (character: string) => `sha256:${hex(character)}`;

const cases: readonly Case[] = [
  [
    "a tool at latest",
    ["tools", "yq", "version"],
    "latest",
    "version-moving",
    'is a moving version: "latest"',
    pin("yq VERSION"),
  ],
  ["a tool at a range", ["tools", "yq", "version"], "^4.1.0", "version-moving", '"^4.1.0"', pin("yq VERSION")],
  [
    "a tool version with a v",
    ["tools", "yq", "version"],
    "v4.54.1",
    "version-malformed",
    '"v4.54.1"',
    set("tools.yq.version", "4.54.1", string),
  ],
  [
    "an unquoted version",
    ["tools", "yq", "version"],
    1.1,
    "version-unquoted",
    "is the number 1.1, as the engine also writes 1.10, not text",
    set("tools.yq.version", "1.1", string),
  ],
  [
    "an image by tag alone",
    ["tools", "yq", "image"],
    "127.0.0.1:5000/yq:4",
    "reference-unpinned",
    "has no digest",
    pin("yq"),
  ],
  [
    "an image by name alone",
    ["base", "image"],
    "debian.example.com/base",
    "reference-unpinned",
    "has no digest",
    pin("base VERSION"),
  ],
  [
    "a base by tag alone",
    ["base", "image"],
    "debian.example.com/base:12",
    "reference-unpinned",
    "has no digest",
    pin("base"),
  ],
  [
    "a digest of the wrong length",
    ["base", "image"],
    "h.io/b:1@sha256:abc",
    "digest-malformed",
    "malformed digest",
    pin("base"),
  ],
  [
    "a Docker Hub short name",
    ["base", "image"],
    "debian",
    "reference-malformed",
    "is not an image reference",
    set("base.image", "registry.example.com/layers/base@sha256:<64 hex>"),
  ],
  [
    "a package at a range",
    ["base", "packages"],
    { apt: { bash: ">=5.2" } },
    "version-moving",
    'is a moving version: ">=5.2"',
    offered("apt-get update && apt-cache madison bash"),
  ],
  [
    "a package at any version",
    ["base", "packages"],
    { apk: { bash: "latest" } },
    "version-moving",
    'is a moving version: "latest"',
    offered("apk update && apk policy bash"),
  ],
  [
    "a package of apk without its revision",
    ["base", "packages"],
    { apk: { bash: "5.2.37" } },
    "version-malformed",
    'is not a whole version: "5.2.37"',
    offered("apk update && apk policy bash"),
  ],
  [
    "a package with the sign between name and version",
    ["base", "packages"],
    { apt: { bash: "=5.2.15-2" } },
    "version-malformed",
    '"=5.2.15-2"',
    set("base.packages.apt.bash", "5.2.15-2", string),
  ],
  [
    "a package that apt would remove",
    ["base", "packages"],
    { apt: { bash: "5.2.15-" } },
    "version-malformed",
    '"5.2.15-"',
    offered("apt-get update && apt-cache madison bash"),
  ],
  [
    "a package version without quotes",
    ["base", "packages"],
    { apt: { tree: 2.1 } },
    "value-wrong",
    "is the number 2.1, as the engine also writes 2.10, not text",
    set("base.packages.apt.tree", "2.1", string),
  ],
  [
    "a package's name that is an option",
    ["base", "packages"],
    { apt: { "-oDebug::NoLocking": "1.0" } },
    "name-malformed",
    "is not a package's name",
    "rename it in Pulumi.dev.yaml",
  ],
  [
    "a package's name with its version",
    ["base", "packages"],
    { apt: { "bash=5.2": "5.2" } },
    "name-malformed",
    "is not a package's name",
    "rename it to bash in Pulumi.dev.yaml",
  ],
  [
    "packages of two managers",
    ["base", "packages"],
    { apk: { bash: "5.2.37-r0" }, apt: { bash: "5.2.15-2" } },
    "package-managers",
    "two package managers: apk and apt",
    "pulumi config rm --path 'policy-platform:base.packages.apk' --stack dev, or pulumi config rm --path 'policy-platform:base.packages.apt' --stack dev",
  ],
  [
    "a package manager that is not known",
    ["base", "packages"],
    { yum: { bash: "5.2.37" } },
    "key-unknown",
    "is no known key",
    "pulumi config rm --path 'policy-platform:base.packages.yum' --stack dev",
  ],
  [
    "packages as a list",
    ["base", "packages"],
    { apt: ["bash=5.2"] },
    "value-wrong",
    "is a list, not a map by name",
    "pulumi config rm --path 'policy-platform:base.packages.apt' --stack dev && pulumi config set --path 'policy-platform:base.packages.apt.bash' '5.2.15-2+b7' --stack dev",
  ],
  [
    "more packages than a step takes",
    ["base", "packages"],
    { apt: Object.fromEntries(Array.from({ length: 101 }, (_, index) => [`package${index}`, "1.0"])) },
    "too-many-entries",
    "names 101 packages",
    "leave out what others depend on, or make a base of your own",
  ],
  [
    "a release without a checksum",
    ["tools", "kyverno", "release", "sha256"],
    undefined,
    "checksum-missing",
    "is missing",
    pin("kyverno"),
  ],
  [
    "a checksum of the wrong length",
    ["tools", "kyverno", "release", "sha256"],
    "abcd",
    "checksum-malformed",
    "is a checksum of 4 characters, not 64",
    pin("kyverno"),
  ],
  [
    "a checksum in capitals",
    ["tools", "kyverno", "release", "sha256"],
    hex("B"),
    "checksum-malformed",
    "is not a checksum",
    set("tools.kyverno.release.sha256", hex("b")),
  ],
  [
    "a layer digest without its algorithm",
    ["tools", "kyverno", "release", "digest"],
    hex("c"),
    "digest-malformed",
    "is not a digest",
    set("tools.kyverno.release.digest", digestOf("c")),
  ],
  [
    "a moving URL",
    ["tools", "kyverno", "release", "url"],
    "https://h.io/releases/latest/download/k.tgz",
    "url-moving",
    "is a moving URL",
    pin("kyverno"),
  ],
  [
    "a URL over http",
    ["tools", "kyverno", "release", "url"],
    "http://h.io/k.tgz",
    "url-malformed",
    "is not https",
    set("tools.kyverno.release.url", "https://downloads.example.com/tool/v1.2.3/tool_linux_amd64.tar.gz"),
  ],
  [
    "a short version to release",
    ["version"],
    "1.4",
    "version-malformed",
    '"1.4"',
    "pulumi config set 'policy-platform:version' 'v1.4.0' --stack dev",
  ],
  [
    "a version with a leading zero",
    ["version"],
    "v1.04.2",
    "version-malformed",
    '"v1.04.2"',
    "pulumi config set 'policy-platform:version' 'v1.4.2' --stack dev",
  ],
  [
    "an address with a scheme",
    ["registry", "address"],
    "https://ghcr.io/acme/",
    "address-malformed",
    "is not a registry's address",
    set("registry.address", "ghcr.io/acme"),
  ],
  [
    "another separator",
    ["registry", "separator"],
    "_",
    "value-wrong",
    'is not allowed: "_"',
    set("registry.separator", "-"),
  ],
  [
    "a text where a boolean is meant",
    ["registry", "insecure"],
    "yes",
    "value-wrong",
    'is text, not true or false: "yes"',
    `pulumi config rm --path 'policy-platform:registry.insecure' --stack dev && ${set("registry.insecure", "true")}`,
  ],
  ["a user by name", ["image", "user"], "root", "user-malformed", '"root"', set("image.user", "0:0")],
  [
    "an image name in capitals",
    ["image", "name"],
    "Policy_Platform",
    "name-malformed",
    "is not a name",
    set("image.name", "policy-platform"),
  ],
  [
    "a time-out without a unit",
    ["gate", "smoke", "timeout"],
    60,
    "value-wrong",
    "is the number 60, not text",
    set("gate.smoke.timeout", "60s"),
  ],
  [
    "a size in the wrong unit",
    ["gate", "smoke", "memory"],
    "512MB",
    "size-malformed",
    '"512MB"',
    set("gate.smoke.memory", "512Mi"),
  ],
  [
    "a mirror with a password",
    ["mirrors", "github.com"],
    "https://u:hunter2@h.io/",
    "url-credentials",
    "holds a user or a password",
    `pulumi config set --path 'policy-platform:mirrors["github.com"]' 'https://mirror.example.com/github' --stack dev`,
  ],
  [
    "a relative path for a tool",
    ["tools", "yq", "path"],
    "bin/yq",
    "path-malformed",
    '"bin/yq"',
    set("tools.yq.path", "/usr/local/bin/kyverno"),
  ],
  [
    "a tool below /repos",
    ["tools", "yq", "path"],
    "/repos/yq",
    "path-malformed",
    '"/repos/yq"',
    set("tools.yq.path", "/usr/local/bin/kyverno"),
  ],
  [
    "two tools with one path",
    ["tools", "yq", "path"],
    "/usr/local/bin/kyverno",
    "tool-path-taken",
    'tool "kyverno" stands',
    set("tools.yq.path", "/usr/local/bin/yq"),
  ],
  [
    "no base",
    ["base"],
    undefined,
    "key-missing",
    "policy-platform:base is missing",
    set("base.image", "registry.example.com/layers/base@sha256:<64 hex>"),
  ],
  [
    "no policies",
    ["policies"],
    undefined,
    "key-missing",
    "policy-platform:policies is missing",
    set("policies.security-policy.folder", "policies/security-policy"),
  ],
  [
    "an empty map of policies",
    ["policies"],
    {},
    "key-missing",
    "names no policy repository",
    set("policies.security-policy.folder", "policies/security-policy"),
  ],
  [
    "a registry that is a text",
    ["registry"],
    "ghcr.io",
    "value-wrong",
    'is text, not a map: "ghcr.io"',
    `pulumi config rm 'policy-platform:registry' --stack dev && ${set("registry.address", "registry.example.com/platform")}`,
  ],
  [
    "a tool with two sources",
    ["tools", "kyverno", "image"],
    pinned("kyverno"),
    "source-forms",
    "has two sources: image and release",
    "pulumi config rm --path 'policy-platform:tools.kyverno.image' --stack dev",
  ],
  [
    "a tool without a source",
    ["tools", "kyverno", "release"],
    undefined,
    "source-forms",
    "has no source",
    pin("kyverno"),
  ],
  [
    "a repository with two sources",
    ["policies", "security-policy", "image"],
    pinned("p"),
    "source-forms",
    "has two sources: folder and image",
    "pulumi config rm --path 'policy-platform:policies.security-policy.folder' --stack dev",
  ],
  [
    "a git repository that is pinned by a part of a commit's hash",
    ["policies", "team"],
    { git: { url: "https://git.example.com/team.git", commit: "0123abc" } },
    "commit-short",
    'is a part of a commit hash: "0123abc"',
    pin("team"),
  ],
  [
    "a git repository that is pinned by a branch",
    ["policies", "team"],
    { git: { url: "https://git.example.com/team.git", commit: "main" } },
    "commit-moving",
    'is a branch or a tag, not a commit: "main"',
    pin("team"),
  ],
  [
    "a commit that would pass for an option",
    ["policies", "team"],
    { git: { url: "https://git.example.com/team.git", commit: "--upload-pack=sh" } },
    "commit-malformed",
    'is not a commit: "--upload-pack=sh"',
    pin("team VERSION"),
  ],
  [
    "a git address that would run a program",
    ["policies", "team"],
    { git: { url: "ext::sh -c id", commit: commitHash } },
    "url-malformed",
    'is not https or ssh: "ext::sh -c id"',
    set("policies.team.git.url", "https://git.example.com/team/policies.git"),
  ],
  [
    "a git address in ssh's short form",
    ["policies", "team"],
    { git: { url: "git@github.com:acme/policies.git", commit: commitHash } },
    "url-malformed",
    "is not https or ssh",
    set("policies.team.git.url", "ssh://git@github.com/acme/policies.git"),
  ],
  [
    "a git address with a token",
    ["policies", "team"],
    { git: { url: "https://ci:hunter2@git.example.com/team.git", commit: commitHash } },
    "url-credentials",
    "holds a user or a password",
    set("policies.team.git.url", "https://git.example.com/team.git"),
  ],
  [
    "a git folder that climbs",
    ["policies", "team"],
    { git: { url: "https://git.example.com/team.git", commit: commitHash, path: "../x" } },
    "path-malformed",
    '"../x"',
    set("policies.team.git.path", "policies"),
  ],
  [
    "a path beside no image",
    ["policies", "team"],
    { git: { url: "https://git.example.com/team.git", commit: commitHash }, path: "/repos/x" },
    "key-misplaced",
    "stands beside no image",
    "pulumi config rm --path 'policy-platform:policies.team.path' --stack dev",
  ],
  [
    "a digest beside a layer image, which is one",
    ["policies", "team"],
    { image: pinned("p"), digest: `sha256:${"a".repeat(64)}` },
    "key-misplaced",
    "stands beside no path",
    "pulumi config rm --path 'policy-platform:policies.team.digest' --stack dev",
  ],
  [
    "a relative path in a foreign image",
    ["policies", "team"],
    { image: pinned("p"), path: "repos/x/" },
    "path-malformed",
    '"repos/x/"',
    set("policies.team.path", "/repos/x"),
  ],
  [
    "a folder that is not there",
    ["policies", "security-policy", "folder"],
    "../nowhere",
    "folder-missing",
    'does not exist: "../nowhere"',
    set("policies.security-policy.folder", "policies/security-policy"),
  ],
  [
    "a folder that is a file",
    ["policies", "security-policy", "folder"],
    "policies/security-policy/a.yaml",
    "folder-missing",
    "is no folder",
    set("policies.security-policy.folder", "policies/security-policy"),
  ],
  [
    "an unknown key with a near one",
    ["tool"],
    {},
    "key-unknown",
    "did you mean tools?",
    "rename it to tools in Pulumi.dev.yaml, or pulumi config rm 'policy-platform:tool' --stack dev",
  ],
  [
    "an unknown key deep down",
    ["tools", "yq", "verison"],
    "4",
    "key-unknown",
    "did you mean version?",
    "rename it to version in Pulumi.dev.yaml, or pulumi config rm --path 'policy-platform:tools.yq.verison' --stack dev",
  ],
  [
    "an unknown key like no other",
    ["signatures"],
    {},
    "key-unknown",
    "policy-platform:signatures is no known key",
    "pulumi config rm 'policy-platform:signatures' --stack dev",
  ],
  [
    "a nested key that was set without --path",
    ["gate.smoke.timeout"],
    "90s",
    "key-unknown",
    "is one key with dots",
    `pulumi config rm 'policy-platform:gate.smoke.timeout' --stack dev && ${set("gate.smoke.timeout", "90s")}`,
  ],
  [
    "a name with two dots",
    ["policies", "../etc"],
    { image: pinned("p") },
    "name-malformed",
    'policy-platform:policies["../etc"] is not a name',
    "rename it to etc in Pulumi.dev.yaml",
  ],
  [
    "a source that is no commit",
    ["source"],
    "main",
    "commit-malformed",
    '"main"',
    "pulumi config set 'policy-platform:source' '0123456789abcdef0123456789abcdef01234567' --stack dev",
  ],
];

describe("a configuration with one error", () => {
  for (const [title, path, value, code, what, fix] of cases) {
    it(`${title}: ${code}`, () => {
      const problems = problemsAfter(path, value);
      assert.equal(problems.length, 1, JSON.stringify(problems, undefined, 1));
      assert.equal(problems[0]!.code, code);
      assert.ok(problems[0]!.what.includes(what), problems[0]!.what);
      assert.equal(problems[0]!.fix, fix);
      assert.ok(problems[0]!.what.startsWith(problems[0]!.key));
      assert.notEqual(problems[0]!.rule, "");
    });
  }

  it("an empty policy folder is refused", () => {
    mkdirSync(join(projectDir, "policies/empty/.git"), { recursive: true });
    assert.equal(problemsAfter(["policies", "empty"], { folder: "policies/empty" })[0]!.code, "folder-empty");
  });

  it("a password never reaches a message, wherever it stands", () => {
    for (const path of [
      ["mirrors", "github.com"],
      ["tools", "kyverno", "release", "url"],
    ]) {
      const [found] = problemsAfter(path, "https://user:hunter2@h.io/x");
      assert.equal(found!.code, "url-credentials");
      assert.ok(!JSON.stringify(found).includes("hunter2"));
    }
  });

  it("a password of a git server is refused with where it belongs", () => {
    for (const url of [
      "https://u:hunter2@h.io/x",
      "ssh://git:hunter2@h.io/x",
      "https://hunter2@h.io/x",
      "git://u:hunter2@h/x",
      "https://h.io/x?token=hunter2",
    ]) {
      const [found, ...others] = problemsAfter(["policies", "p"], { git: { url, commit: commitHash } });
      assert.deepEqual([found!.code, others], ["url-credentials", []], url);
      assert.ok(!JSON.stringify(found).includes("hunter2"));
      assert.match(found!.rule, /credential helpers.*netrc.*ssh agent.*never reach the state/);
    }
  });

  it("git addresses that are no plain https or ssh are refused", () => {
    const bad = [
      "http://git.example.com/x",
      "git://h.io/x",
      "file://host/x",
      "/srv/x.git",
      "ssh://-oProxyCommand=id/x",
      "https://h.io/x y",
      "https://h.io/x%0a",
      "https://-h.io/x",
      "fd::17/x",
      "https://h.io",
    ];
    for (const url of bad) {
      const [found] = problemsAfter(["policies", "p"], { git: { url, commit: commitHash } });
      assert.equal(found?.code, "url-malformed", url);
    }
    const good = [
      "http://127.0.0.1:3000/x.git",
      "https://[::1]:1/x",
      "file:///srv/x.git",
      "ssh://h.io/x",
      "https://h.io/a%20b/x.git",
    ];
    for (const url of good)
      assert.deepEqual(problemsAfter(["policies", "p"], { git: { url, commit: commitHash } }), [], url);
  });

  it("a tool outside the catalogue says how it prints its version", () => {
    const [found] = problemsAfter(["tools", "jq"], { version: "1.7", image: pinned("jq") });
    assert.equal(found!.key, "policy-platform:tools.jq.smoke");
    assert.ok(found!.fix.startsWith(set("tools.jq.smoke.args[0]", "version")));
  });

  const former = (smoke: unknown) => problemsAfter(["tools", "jq"], { version: "1.7", image: pinned("jq"), smoke });
  const rename = "pulumi config rm --path 'policy-platform:tools.jq.smoke.command' --stack dev && ";

  it("a smoke check with its former key `command` is told what to write now, once", () => {
    const problems = former({ command: ["jq", "--version", "-1"], expect: "jq-(\\S+)" });
    assert.deepEqual(
      problems.map(({ code, key }) => `${code} ${key}`),
      ["smoke-command policy-platform:tools.jq.smoke.command"],
    );
    const line = (index: number) => `pulumi config set --path 'policy-platform:tools.jq.smoke.args[${index}]'`;
    assert.equal(
      problems[0]!.fix,
      `${rename}${line(0)} --stack dev -- '--version' && ${line(1)} --type string --stack dev -- '-1'`,
    );
    const shell = former({ command: "jq --version", expect: "jq" });
    assert.equal(shell[0]!.fix, rename + set("tools.jq.smoke.args[0]", "version"));
    assert.equal(shell.length, 1);
  });

  it("arguments of a smoke check are a list, which may be empty; a command beside them is refused", () => {
    assert.deepEqual(former({ args: [], expect: "jq" }), []);
    assert.equal(former({ args: [], command: ["jq"], expect: "jq" })[0]!.code, "smoke-command");
    assert.equal(former({ args: "--version", expect: "jq" })[0]!.code, "value-wrong");
    assert.equal(former({ args: ["\n"], expect: "jq" })[0]!.code, "argument-malformed");
    assert.equal(former({ expect: "jq" })[0]!.key, "policy-platform:tools.jq.smoke.args");
  });

  it("the number behind a version is shown as it was written, where the file can be read", () => {
    const folder = makeProject();
    writeFileSync(join(folder, "Pulumi.dev.yaml"), "config: {policy-platform:tools: {yq: {version: 1.10}}}\n");
    const raw = spoiled(["tools", "yq", "version"], 1.1);
    const [found] = problemsOf(raw, { ...context, projectDir: folder });
    assert.equal(found!.what, 'policy-platform:tools.yq.version is the number 1.1, as YAML reads "1.10", not text');
    assert.equal(found!.fix, set("tools.yq.version", "1.10", string));
  });

  it("a name that a tool and a repository share is pinned by its full name", () => {
    const raw = { ...spoiled(["policies", "yq"], { image: "127.0.0.1:5000/p:1" }) };
    assert.equal(problemsOf(raw, context)[0]!.fix, pin("policies.yq"));
  });
});

describe("a configuration with many errors", () => {
  const raw = {
    tools: { yq: { version: 1.1, image: "h.io/yq:4", extra: true }, kyverno: { version: "latest" } },
    registry: { adress: "ghcr.io" },
    policies: { "a/b": { folder: "nowhere" } },
    versoin: "v1.0.0",
  };

  it("names all of them at once, misspelt keys first, then in the order of the schema", () => {
    assert.deepEqual(
      problemsOf(raw, context).map(({ key, code }) => `${key} ${code}`),
      [
        "policy-platform:registry.adress key-unknown",
        "policy-platform:versoin key-unknown",
        "policy-platform:registry.address key-missing",
        "policy-platform:base key-missing",
        "policy-platform:tools.kyverno source-forms",
        "policy-platform:tools.kyverno.version version-moving",
        "policy-platform:tools.yq.extra key-unknown",
        "policy-platform:tools.yq.image reference-unpinned",
        "policy-platform:tools.yq.version version-unquoted",
        'policy-platform:policies["a/b"] name-malformed',
        'policy-platform:policies["a/b"].folder folder-missing',
      ],
    );
  });

  it("has the same list whatever order the keys have", () => {
    const reversed = Object.fromEntries(Object.entries(raw).reverse());
    assert.deepEqual(problemsOf(reversed, context), problemsOf(raw, context));
  });

  it("throws one error with one code, numbered", () => {
    assert.throws(
      () => parseBuildSettings(raw, context),
      (error: ConfigurationError) => {
        assert.ok(error instanceof ConfigurationError);
        assert.equal(error.code, "configuration-invalid");
        assert.match(
          error.message,
          /^11 errors in Pulumi\.dev\.yaml:\n {3}1\. policy-platform:registry\.adress is no known key; /,
        );
        assert.equal(error.message.split("\n").length, 12);
        return true;
      },
    );
  });

  it("is one line where there is one error", () => {
    const text = new ConfigurationError(problemsAfter(["image", "user"], "root"), { stack: "dev" }).message;
    assert.equal(
      text,
      `policy-platform:image.user is not a user: "root"; a user is uid:gid in numbers, as runners cannot look names up; ${set("image.user", "0:0")}`,
    );
  });

  it("prints at most fifty", () => {
    const keys = Object.fromEntries(Array.from({ length: 80 }, (_, index) => [`zz${index}`, 1]));
    const problems = problemsOf({ ...valid(), ...keys }, context);
    const lines = new ConfigurationError(problems, context).message.split("\n");
    assert.equal(lines.length, 52);
    assert.equal(lines.at(-1), "  and 30 more");
  });
});
