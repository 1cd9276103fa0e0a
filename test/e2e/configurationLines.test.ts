// Every line that an error prints is pasted into a shell and run by the real engine: afterwards the error is gone.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fromStackFile } from "../../config/load";
import { problemsOf } from "../../config/parse";

const digest = `sha256:${"0123456789abcdef".repeat(4)}`;
const stackFile = `# our pins
config:
  policy-platform:version: "1.4"
  policy-platform:registry: {address: "https://127.0.0.1:5000/", insecure: "yes", separator: "_"}
  policy-platform:image: {name: Policy_P, user: root}
  policy-platform:base: {image: "h.io/base@${digest}", images: x}
  policy-platform:tools:
    yq: {version: 1.10, image: "h.io/yq@${digest}"} # ours
    jq: {version: "v1.7.1", image: "h.io/jq@${digest}"}
    dig: {version: "9.18.1", image: "h.io/dig@${digest}", smoke: {command: [dig, -v], expect: "DiG (\\\\S+)"}}
    two: {version: "1.2.3", release: {url: "http://h.io/x", sha256: "${"A".repeat(64)}"}, image: "h.io/x@${digest}", path: /usr/local/bin/yq}
  policy-platform:policies: {}
  policy-platform:gate: {smoke: {timeout: 60, memory: 512MB}}
  policy-platform:gate.smoke.timeout: 90s
  policy-platform:mirrors: {"github.com": "ftp://x", "it's.example": "https://u:p@x/"}
  policy-platform:nothing at all: {}
  policy-platform:source: 123456789012345678901
`;

/** A project of its own with an engine of its own; nothing is in its stack file yet. */
function stack() {
  const projectDir = mkdtempSync(join(tmpdir(), "configuration-lines-"));
  const file = join(projectDir, "Pulumi.dev.yaml");
  mkdirSync(join(projectDir, "policies/security-policy"), { recursive: true });
  mkdirSync(join(projectDir, "state"));
  writeFileSync(join(projectDir, "policies/security-policy/a.yaml"), "a: 1\n");
  writeFileSync(join(projectDir, "Pulumi.yaml"), "name: policy-platform\nruntime: nodejs\n");
  const env = {
    ...process.env,
    PULUMI_HOME: join(projectDir, "home"),
    PULUMI_BACKEND_URL: `file://${projectDir}/state`,
    PULUMI_CONFIG_PASSPHRASE: "x",
    PULUMI_SKIP_UPDATE_CHECK: "true",
  };
  const shell = (line: string) => {
    const { status, stderr } = spawnSync("sh", ["-c", line], { cwd: projectDir, env, encoding: "utf8" });
    assert.equal(status, 0, `${line}\n${stderr}`);
  };
  return { projectDir, file, shell };
}

describe("the lines that configuration errors print", () => {
  it("mend the stack file when they are pasted, and keep its comments", () => {
    const { projectDir, file, shell } = stack();
    const problems = () => problemsOf(fromStackFile(file, "dev").raw, { stack: "dev", projectDir });

    shell("pulumi stack init dev");
    writeFileSync(file, stackFile);
    const found = problems();
    assert.equal(found.length, 25, found.map(({ what }) => what).join("\n"));
    for (const { fix } of found.filter(({ fix }) => fix.startsWith("pulumi "))) shell(fix);

    const left = problems().map(({ what }) => what);
    // What has to be renamed needs somebody who knows what was meant.
    assert.deepEqual(left, [
      "policy-platform:base.images is no known key; did you mean image?",
      `policy-platform:mirrors["it's.example"] is not a host`,
    ]);
    const text = readFileSync(file, "utf8");
    assert.match(text, /^# our pins\n/);
    assert.match(text, /yq: \{version: "1\.10", .*\} # ours/);
  }).timeout(120_000);

  it("mend a version without quotes that the engine wrote anew as another number, and leave a quoted one alone", () => {
    const { projectDir, file, shell } = stack();
    const tools = (yq: string) => `config:
  policy-platform:registry: {address: "127.0.0.1:5000"}
  policy-platform:base: {image: "h.io/base@${digest}"}
  policy-platform:policies: {security-policy: {folder: policies/security-policy}}
  policy-platform:tools:
    # ours
    helm: {version: "1.10", image: "h.io/helm@${digest}"}
    yq: {version: ${yq}, image: "h.io/yq@${digest}"}
`;
    const found = () => problemsOf(fromStackFile(file, "dev").raw, { stack: "dev", projectDir });
    writeFileSync(file, tools("1.10"));
    shell("pulumi stack init dev");
    const written = readFileSync(file, "utf8");
    assert.match(written, /^encryptionsalt: v1:/m);
    assert.match(written, /# ours\n {4}helm: \{version: "1\.10", /);
    assert.match(written, /yq: \{version: 1\.1, /, "the engine reads 1.10 as a number");
    const [problem, ...others] = found();
    assert.deepEqual(others, []);
    assert.equal(
      problem!.what,
      "policy-platform:tools.yq.version is the number 1.1, as the engine also writes 1.10, not text",
    );
    assert.match(problem!.fix, / 'policy-platform:tools\.yq\.version' '1\.1' --type string --stack dev$/);
    shell(problem!.fix);
    assert.deepEqual(found(), []);
  }).timeout(120_000);

  it("of the how-to for who comes from a script set the version, and give it back to the rule", () => {
    const page = readFileSync(join(__dirname, "../../docs/how-to/set-up-a-stack.md"), "utf8");
    const block = /### Come from a script that tagged `v1\.0\.2`\n.*?```bash\n(.*?)```/s.exec(page)![1]!;
    const [above, release, auto, ...rest] = block.trim().split("\n");
    assert.deepEqual([release, rest], ["pulumi up", []]);

    const { projectDir, file, shell } = stack();
    shell("pulumi stack init dev");
    const version = () => fromStackFile(file, "dev").raw.version;
    shell(above!);
    assert.equal(version(), "v1.0.3");
    assert.deepEqual(
      problemsOf(fromStackFile(file, "dev").raw, { stack: "dev", projectDir }).filter(({ what }) =>
        what.startsWith("policy-platform:version"),
      ),
      [],
    );
    shell(auto!);
    assert.equal(version(), "auto");
  }).timeout(120_000);
});
