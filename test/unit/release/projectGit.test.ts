import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exec } from "../../../lib/exec";
import { knownCommits } from "../../../lib/release/projectGit";

describe("the commits of releases that a checkout knows", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "project-git-"));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  async function git(args: readonly string[], env: Record<string, string> = {}): Promise<string> {
    const { code, stdout, stderr } = await exec("git", args, { cwd: folder, env });
    assert.equal(code, 0, stderr);
    return stdout.trim();
  }
  async function commit(second: number): Promise<string> {
    const who = { NAME: "a", EMAIL: "a@b", DATE: `@${1_700_000_000 + second} +0000` };
    const env = ["AUTHOR", "COMMITTER"].flatMap((one) =>
      Object.entries(who).map(([name, value]) => [`GIT_${one}_${name}`, value]),
    );
    await git(["commit", "-q", "--allow-empty", "-m", String(second)], Object.fromEntries(env));
    return (await git(["rev-parse", "HEAD"])).slice(0, 12);
  }

  it("come newest first, as they were written, without those that it does not know", async () => {
    await git(["init", "-q"]);
    const [first, third, second] = [await commit(1), await commit(3), await commit(2)];
    const asked = [`${first}-01234567`, "ffffffffffff", second, third];
    assert.deepEqual(await knownCommits(folder, asked), [third, second, `${first}-01234567`]);
  });

  it("are commits alone: a tree of that name is none", async () => {
    await git(["init", "-q"]);
    await commit(1);
    const tree = (await git(["rev-parse", "HEAD^{tree}"])).slice(0, 12);
    assert.deepEqual(await knownCommits(folder, [tree]), []);
  });

  it("are none without any to ask for, in a folder that is no checkout, in an empty one, and without git", async () => {
    assert.deepEqual(await knownCommits(folder, ["ffffffffffff"]), []);
    await git(["init", "-q"]);
    assert.deepEqual(await knownCommits(folder, ["ffffffffffff"]), []);
    const only = await commit(1);
    assert.deepEqual(await knownCommits(folder, []), []);
    const { PATH } = process.env;
    try {
      process.env.PATH = "/nowhere";
      assert.deepEqual(await knownCommits(folder, [only]), []);
    } finally {
      process.env.PATH = PATH;
    }
  });
});
