// The pages for registries that are there already: the lines that set the address, run on the committed stack files by the real engine.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fromStackFile } from "../../config/load";
import { problemsOf } from "../../config/parse";
import { releasePlace } from "../../config/releasePlace";

const root = join(__dirname, "..", "..");
const stacks = ["dev", "prod"] as const;

/** Where both stacks release to when the page was followed. */
const pages = [
  ["publish-to-ghcr", "ghcr.io/acme/releases/policy-platform", "ghcr.io/acme/prod/releases/policy-platform"],
  ["publish-to-docker-hub", "docker.io/acme/releases-policy-platform", "docker.io/acmeprod/releases-policy-platform"],
  [
    "use-a-company-registry",
    "registry.acme.example/platform/releases/policy-platform",
    "registry.acme.example/platform-prod/releases/policy-platform",
  ],
] as const;

describe("the page", function () {
  this.timeout(120_000);
  let projectDir: string;
  beforeEach(() => {
    projectDir = mkdtempSync(join(tmpdir(), "registry-pages-"));
    for (const name of ["Pulumi.yaml", "Pulumi.dev.yaml", "Pulumi.prod.yaml", "policies"])
      cpSync(join(root, name), join(projectDir, name), { recursive: true });
    mkdirSync(join(projectDir, "state"));
  });
  afterEach(() => rmSync(projectDir, { recursive: true, force: true }));

  const shell = (script: string) => {
    const env = {
      ...process.env,
      PULUMI_HOME: join(projectDir, "home"),
      PULUMI_BACKEND_URL: `file://${projectDir}/state`,
      PULUMI_CONFIG_PASSPHRASE: "x",
      PULUMI_SKIP_UPDATE_CHECK: "true",
    };
    const { status, stderr } = spawnSync("bash", ["-c", `set -eu\n${script}`], {
      cwd: projectDir,
      env,
      encoding: "utf8",
    });
    assert.equal(status, 0, `${script}\n${stderr}`);
  };
  const read = (stack: string) => {
    const { raw } = fromStackFile(join(projectDir, `Pulumi.${stack}.yaml`), stack);
    return { raw, context: { stack, projectDir } };
  };
  const problems = (stack: string) => {
    const { raw, context } = read(stack);
    return problemsOf(raw, context).map(({ key, what }) => `${key}: ${what}`);
  };

  for (const [page, ...places] of pages)
    it(`${page} takes the committed stacks to that registry, and makes no error of its own`, () => {
      const open = stacks.map(problems);
      for (const stack of stacks) shell(`pulumi stack init ${stack}`);
      const text = readFileSync(join(root, `docs/how-to/${page}.md`), "utf8");
      const blocks = [...text.matchAll(/^```bash\n(pulumi config .*?)^```$/gms)].map(([, block]) => block!);
      assert.equal(blocks.length, stacks.length);
      for (const block of blocks) shell(block);
      assert.deepEqual(stacks.map(problems), open);
      for (const [index, stack] of stacks.entries()) {
        const { raw, context } = read(stack);
        assert.equal(releasePlace(raw, context), places[index]);
      }
    });
});
