// The lines with which users have tested their image by hand, typed as they stand in their documents: only the image's name
// is another one. All five tools and all three repositories, released; nothing tells the engine about a network.
import assert from "node:assert/strict";
import { exec } from "../../lib/exec";
import { createProject, type Project, wholePins } from "../support/project";
import { startRegistry, type TestRegistry } from "../support/registry";
import { hasDockerCommand, type ImageRun, runImage, runLine } from "../support/runImage";

const smokeLines = {
  "docker run --rm policy-platform:latest kyverno version": /^Version: v1\.13\.2$/m,
  "docker run --rm policy-platform:latest pluto version": /^Version:5\.21\.1 /m,
  "docker run --rm policy-platform:latest helm version": /Version:"v3\.19\.0"/,
  "docker run --rm policy-platform:latest ls -R /repos/":
    /^\/repos\/security-policy\/policies:\n([a-z-]+\.yaml\n)*disallow-latest-tag\.yaml$/m,
};
const pipelineLines = {
  "docker run policy-platform:${BUILD_NUMBER} kyverno version": /^Version: v1\.13\.2$/m,
  "docker run policy-platform:${BUILD_NUMBER} pluto version": /^Version:5\.21\.1 /m,
  "docker run policy-platform:${BUILD_NUMBER} ls /repos/security-policy/": /^policies$/m,
};
const integrationLine = `docker run --rm -v $(pwd):/workspace policy-platform:latest bash -c '\\
  helm template app /repos/backend-applications/charts/app \\
    -f /repos/backend-applications/charts/app/values.yaml \\
  | kyverno apply /repos/security-policy/ --resource -'`;

describe("the released image", function () {
  this.timeout(300_000);
  let registry: TestRegistry;
  let project: Project;
  let reference: string;

  before(async () => {
    registry = await startRegistry();
    project = await createProject({
      ...wholePins(),
      "policy-platform:registry": { kind: "existing", address: registry.host },
    });
    await project.up();
    ({ reference } = (await project.outputs()).image);
  });
  after(async () => {
    if (await hasDockerCommand()) {
      // The pipeline's lines have no --rm.
      const left = await exec("docker", ["ps", "-aq", "--filter", `ancestor=${reference}`], { env: project.env });
      await exec("docker", ["rm", "--force", ...left.stdout.split("\n").filter(Boolean)], { env: project.env });
    }
    project?.remove();
    await registry?.stop();
  });

  const typed = async (line: string): Promise<string> => {
    const named = line.replace(/policy-platform:(latest|\$\{BUILD_NUMBER\})/, reference);
    const { code, stdout, stderr } = await runLine(named, { cwd: project.dir, env: project.env });
    assert.equal(code, 0, `${named}\n${stdout}${stderr}`);
    return stdout;
  };
  /** With nothing that can be written but /tmp, as the image's own user, without a network. */
  const lint = (args: readonly string[], files: Readonly<Record<string, string>> = {}): Promise<ImageRun> => {
    const written = Object.entries(files).map(([name, text]) => `cat > ${name} <<'END'\n${text}\nEND\n`);
    const script = `cd /tmp\n${written.join("")}exec spectral "$@"`;
    return runImage(reference, ["bash", "-c", script, "bash", ...args], { readOnly: true, env: project.env });
  };

  for (const [line, expected] of Object.entries({ ...smokeLines, ...pipelineLines })) {
    it(`runs \`${line}\``, async () => assert.match(await typed(line), expected));
  }

  for (const [form, line] of [
    ["as it stands", integrationLine],
    ["without its indentation", integrationLine.replace(/^ +/gm, "")],
  ]) {
    it(`runs the integration line ${form}, which applies rules to what the chart renders`, async () => {
      const output = await typed(line!);
      const [, rules, resources] = /^Applying (\d+) policy rule\(s\) to (\d+) resource\(s\)\.\.\.$/m.exec(output) ?? [];
      assert.ok(Number(rules) > 0 && Number(resources) > 0, output);
      assert.match(output, /^pass: [1-9]\d*, fail: 0, warn: 0, error: 0, skip: \d+ *$/m);
    });
  }

  it("has no network but its own loopback, whatever is asked for", async () => {
    const devices = await typed("docker run --rm policy-platform:latest cat /proc/net/dev");
    assert.deepEqual(
      devices.match(/^ *\w+(?=:)/gm)?.map((name) => name.trim()),
      ["lo"],
    );
  });

  it("lints a chart's values with the repository's ruleset, and names what breaks it", async () => {
    const ruleset = "/repos/backend-applications/.spectral.yaml";
    const values = "/repos/backend-applications/charts/app/values.yaml";
    const good = await lint(["lint", values, "--ruleset", ruleset]);
    assert.equal(good.code, 0, good.stdout + good.stderr);
    const rules =
      "rules: {two: {given: $.replicas, severity: error, then: {function: schema, functionOptions: {schema: {minimum: 2}}}}}";
    const bad = await lint(["lint", "values.yaml", "--ruleset", "rules.yaml"], {
      "rules.yaml": rules,
      "values.yaml": "name: app\nreplicas: 1",
    });
    assert.equal(bad.code, 1, bad.stderr);
    assert.match(bad.stdout, /2:11 +error +two +.*replicas/);
  });

  it("lints with rulesets of every form, functions of their own and every format of report", async () => {
    const files = {
      "api.yaml": "openapi: 3.1.0\ninfo: {title: x, version: 1.0.0}\npaths: {}",
      "yaml.yaml":
        'extends: ["spectral:oas", "./sub.json"]\nfunctions: [mine]\nfunctionsDir: .\nrules: {info-contact: off, mine: {given: $.info.title, severity: error, then: {function: mine}}}',
      "sub.json":
        '{"rules": {"lower": {"given": "$.info.title", "then": {"function": "casing", "functionOptions": {"type": "macro"}}}}}',
      "mine.js": "export default (title) => (title.length < 2 ? [{ message: `${title} is short` }] : []);",
      "js.js":
        'import { oas } from "@stoplight/spectral-rulesets";\nimport { truthy } from "@stoplight/spectral-functions";\nexport default { extends: [oas], rules: { licence: { given: "$.info", severity: "error", then: { field: "license", function: truthy } } } };',
    };
    const yaml = await lint(["lint", "api.yaml", "-r", "yaml.yaml", "-f", "json"], files);
    assert.equal(yaml.code, 1, yaml.stderr);
    const codes = JSON.parse(/^\[.*\]/s.exec(yaml.stdout)![0]).map(({ code }: { code: string }) => code);
    assert.ok(codes.includes("mine") && codes.includes("lower") && codes.includes("oas3-api-servers"), `${codes}`);
    assert.ok(!codes.includes("info-contact"), `${codes}`);
    const js = await lint(["lint", "api.yaml", "-r", "js.js", "-f", "junit"], files);
    assert.equal(js.code, 1, js.stderr);
    assert.match(js.stdout, /<testsuites>[\s\S]*licence[\s\S]*<\/testsuites>/);
    assert.equal((await lint(["lint", "none.yaml", "-r", "js.js"], files)).code, 2);
  });
});
