import assert from "node:assert/strict";
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { exec } from "../../../lib/exec";
import { type CommitTagOptions, commitTag } from "../../../lib/release/source";
import { digestOf } from "../pins/arbitraries";

const inputDigest = digestOf("inputs");
const suffix = inputDigest.slice("sha256:".length, "sha256:".length + 8);

describe("the commit tag", () => {
  let folder: string;
  let project: string;
  let original: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "source-"));
    project = join(folder, "project");
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  async function git(...args: string[]): Promise<string> {
    const identity = {
      GIT_AUTHOR_NAME: "a",
      GIT_AUTHOR_EMAIL: "a@b",
      GIT_COMMITTER_NAME: "a",
      GIT_COMMITTER_EMAIL: "a@b",
    };
    const { code, stdout, stderr } = await exec("git", args, { cwd: project, env: identity });
    assert.equal(code, 0, stderr);
    return stdout.trim();
  }
  function write(path: string, text: string): void {
    mkdirSync(dirname(join(project, path)), { recursive: true });
    writeFileSync(join(project, path), text);
  }
  async function commit(path: string, text = path): Promise<string> {
    write(path, text);
    await git("add", "-f", path);
    await git("commit", "-q", "-m", path);
    return (await git("rev-parse", "HEAD")).slice(0, 12);
  }
  /** Three commits, made once: each test gets a copy. */
  let made: { stackFile: string; policies: string };
  before(async () => {
    const template = mkdtempSync(join(tmpdir(), "source-template-"));
    project = join(template, "project");
    mkdirSync(project);
    await git("init", "-q", "--template=");
    const stackFile = await commit("Pulumi.dev.yaml");
    const policies = await commit("policies/security-policy/a.yaml");
    await commit("README.md");
    made = { stackFile, policies };
    original = template;
  });
  after(() => rmSync(original, { recursive: true, force: true }));
  async function clone(): Promise<{ stackFile: string; policies: string }> {
    cpSync(join(original, "project"), project, { recursive: true });
    return made;
  }
  function tag(changes: Partial<CommitTagOptions> = {}): Promise<string> {
    const paths = ["policies/security-policy"];
    return commitTag({
      projectDir: project,
      stackFile: "Pulumi.dev.yaml",
      paths,
      stack: "dev",
      inputDigest,
      ...changes,
    });
  }

  it("names the last commit that touched the stack file or a policy folder, and no later one", async () => {
    const { policies } = await clone();
    assert.equal(await tag(), `sha-${policies}`);
    const pinned = await commit("Pulumi.dev.yaml", "new pins");
    await commit("docs/page.md");
    assert.equal(await tag(), `sha-${pinned}`);
  });

  it("looks at nothing but these paths, absolute or relative", async () => {
    const { stackFile, policies } = await clone();
    assert.equal(await tag({ paths: [] }), `sha-${stackFile}`);
    assert.equal(await tag({ paths: [join(project, "policies/security-policy")] }), `sha-${policies}`);
  });

  it("always names the inputs too in stack local, whose edits need no commit", async () => {
    const { policies } = await clone();
    write("policies/security-policy/a.yaml", "edited");
    assert.equal(await tag({ stack: "local", stackFile: "Pulumi.local.yaml" }), `sha-${policies}-${suffix}`);
  });

  it("does without a stack file that is ignored by git", async () => {
    const { policies } = await clone();
    write(".gitignore", "Pulumi.local.yaml\n");
    write("Pulumi.local.yaml", "config: {}");
    assert.equal(await tag({ stackFile: "Pulumi.local.yaml" }), `sha-${policies}`);
  });

  it("names the current commit in stack local when nothing of it was ever committed", async () => {
    await clone();
    const head = (await git("rev-parse", "HEAD")).slice(0, 12);
    assert.equal(await tag({ stack: "local", stackFile: "none.yaml", paths: ["new"] }), `sha-${head}-${suffix}`);
    await assert.rejects(tag({ stackFile: "none.yaml", paths: ["new"] }), { code: "git-uncommitted" });
  });

  it("leaves out a policy folder outside the repository, where git could not look", async () => {
    const { stackFile } = await clone();
    mkdirSync(join(folder, "elsewhere"));
    assert.equal(await tag({ paths: ["../elsewhere", folder] }), `sha-${stackFile}`);
  });

  it("works in a project below the top of its repository, and through a symbolic link", async () => {
    await clone();
    const below = await commit("sub/Pulumi.dev.yaml");
    await commit("Pulumi.dev.yaml", "another project's");
    symlinkSync(join(project, "sub"), join(folder, "link"));
    for (const projectDir of [join(project, "sub"), join(folder, "link")])
      assert.equal(await tag({ projectDir, paths: [] }), `sha-${below}`);
  });

  it("takes a folder name for what it is, with blanks, stars and colons in it", async () => {
    await clone();
    const odd = await commit("policies/:(glob)* x/a.yaml");
    await commit("policies/other x/a.yaml");
    assert.equal(await tag({ paths: ["policies/:(glob)* x"] }), `sha-${odd}`);
  });

  it("is refused in a shallow clone, with the line that mends it", async () => {
    await clone();
    const shallow = join(folder, "shallow");
    await git("clone", "-q", "--depth", "1", `file://${project}`, shallow);
    await assert.rejects(tag({ projectDir: shallow }), { code: "git-shallow", message: /git fetch --unshallow/ });
    project = shallow;
    await git("fetch", "-q", "--unshallow");
    assert.match(await tag(), /^sha-[0-9a-f]{12}$/);
  });

  it("asks for the key source where there is no repository, no commit or no git", async () => {
    mkdirSync(project);
    const refusal = { code: "git-missing", message: /pulumi config set policy-platform:source <commit> --stack/ };
    await assert.rejects(tag(), refusal);
    await git("init", "-q");
    await assert.rejects(tag(), refusal);
    await assert.rejects(tag({ stack: "local" }), refusal);
    const path = process.env.PATH;
    process.env.PATH = folder;
    try {
      await assert.rejects(tag(), { code: "git-missing", message: /not installed/ });
    } finally {
      process.env.PATH = path;
    }
  });

  it("is the key source where that is set, without asking git", async () => {
    const source = "0123456789abcdef0123456789abcdef01234567";
    assert.equal(await tag({ source }), "sha-0123456789ab");
    assert.equal(await tag({ source: "0123456789ab", stack: "local" }), `sha-0123456789ab-${suffix}`);
    for (const wrong of ["", "main", "0123456789a", "0123456789aG", "0123456789ab\n", source.repeat(2), "ABCDEF012345"])
      await assert.rejects(tag({ source: wrong }), { code: "source-malformed" }, wrong);
  });

  it("is read from a checkout that belongs to somebody else, as in containers", async function () {
    if (process.getuid?.() !== 0) return this.skip();
    const { policies } = await clone();
    await exec("chown", ["-R", "12345:12345", project]);
    assert.equal(await tag(), `sha-${policies}`);
  });

  it("runs nothing that the repository's configuration names", async () => {
    const { policies } = await clone();
    const trap = join(folder, "trap");
    writeFileSync(trap, `#!/bin/sh\necho x >> ${folder}/sprung\n`);
    chmodSync(trap, 0o755);
    for (const key of ["gpg.program", "core.fsmonitor", "core.pager", "pager.log"]) await git("config", key, trap);
    await git("config", "log.showSignature", "true");
    assert.equal(await tag(), `sha-${policies}`);
    assert.throws(() => readFileSync(join(folder, "sprung")), { code: "ENOENT" });
  });

  it("does not follow a GIT_DIR that a hook left in the environment", async () => {
    const { policies } = await clone();
    process.env.GIT_DIR = join(folder, "nowhere");
    try {
      assert.equal(await tag(), `sha-${policies}`);
    } finally {
      delete process.env.GIT_DIR;
    }
  });
});
