// Which release `promote` takes where it is not told: of versions the highest, of commits the newest.
import assert from "node:assert/strict";
import { startFaultProxy } from "../support/faultProxy";
import {
  commits,
  contentWith,
  devAt,
  promotionIn,
  promotionProject,
  putRelease,
  startPromotionStage,
} from "../support/promotionProject";
import { startScriptedServer } from "../support/scriptedServer";
import { shared } from "../support/shared";
import { run } from "../unit/cli/run";

describe("the release that policy-platform promote takes", () => {
  const stage = shared(startPromotionStage);

  it("names the line that takes what is there in place of a version that is not", async () => {
    const { project } = await stage.twoReleases();
    const { code, data } = await project.promote("--version", "v3.0.0", "-o", "json");
    const { error } = data as { error: { code: string; what: string; fix: string } };
    assert.deepEqual([code, error.code], [1, "release-missing"]);
    assert.match(error.what, / holds no version v3\.0\.0; its highest are v1\.1\.0, v1\.0\.0$/);
    const line = error.fix.replace("take the highest one that is there: policy-platform ", "").split(" ");
    assert.equal((await run(...line, "--cwd", project.folder)).code, 0);
    assert.equal(promotionIn(project.text()).version, "v1.1.0");
  });

  it("names the five highest versions that are there, by number, and how many more", async () => {
    const at = stage.places();
    const content = contentWith("a");
    for (const minor of [10, 2, 1, 0, 9, 3, 4])
      await putRelease(at.source, `v1.${minor}.0`, { content, commits: [commits[0]] });
    const project = promotionProject(at.from, at.to);
    const { code, stderr } = await project.promote("--version", "v9.9.9");
    assert.equal(code, 1);
    assert.match(
      stderr,
      /holds no version v9\.9\.9; its highest are v1\.10\.0, v1\.9\.0, v1\.4\.0, v1\.3\.0, v1\.2\.0 and 2 more;/,
    );
  });

  it("passes over a version whose image is gone (stand-in: a registry that still lists it)", async () => {
    const { project, from } = await stage.twoReleases();
    const server = await startScriptedServer(
      ({ path: asked }) => (asked.endsWith("/manifests/v1.1.0") ? { status: 404 } : "forward"),
      { forwardTo: stage.source.host },
    );
    try {
      project.write("dev", devAt(from.replace(stage.source.host, server.host)));
      const gone = await project.promote("--version", "v1.1.0", "-o", "json");
      const { error } = gone.data as { error: { code: string; what: string } };
      assert.deepEqual([gone.code, error.code], [1, "release-missing"]);
      assert.match(error.what, / holds no version v1\.1\.0; its highest are v1\.0\.0$/);
      assert.equal((await project.promote()).code, 0);
      assert.equal(promotionIn(project.text()).version, "v1.0.0");
    } finally {
      await server.stop();
    }
  });

  it("says that there is nothing to promote yet", async () => {
    const { from, to } = stage.places();
    const project = promotionProject(from, to);
    const { code, data } = await project.promote("-o", "json");
    const { error } = data as { error: { code: string; fix: string } };
    assert.deepEqual([code, error.code, error.fix], [1, "release-missing", "release first: pulumi up --stack dev"]);
  });

  it("refuses versions and commits of another form, with the form that was meant", async () => {
    const { project } = await stage.twoReleases();
    for (const [argv, fix] of [
      [["--version", "1.1.0"], "--version v1.1.0"],
      [["--version", "auto"], "--version v1.4.2"],
      [["--commit", "sha-bbbbbbbbbbbb"], "--commit bbbbbbbbbbbb"],
      [["--commit", "HEAD"], "--commit 0123456789ab"],
    ] as const) {
      const { code, data } = await project.promote(...argv, "-o", "json");
      const { error } = data as { error: { code: string; fix: string } };
      assert.deepEqual([code, error.code, error.fix], [2, "promote-argument", fix]);
    }
  });

  describe("where several commits name one image", () => {
    async function several(...named: string[]) {
      const at = stage.places();
      await putRelease(at.source, "v1.0.0", { content: contentWith("a"), commits: named });
      return promotionProject(at.from, at.to);
    }

    it("takes the newest that git knows", async () => {
      const at = stage.places();
      const project = promotionProject(at.from, at.to);
      await project.git("init", "-q");
      const [old, newest, other] = [await project.commit(10), await project.commit(30), await project.commit(20)];
      const named = [commits[0], old, `${newest}-01234567`, other, "ffffffffffff"];
      await putRelease(at.source, "v1.0.0", { content: contentWith("a"), commits: named });
      await putRelease(at.source, "v0.1.0", { content: contentWith("b"), commits: [await project.commit(40)] });
      const { code, stderr } = await project.promote();
      assert.equal(code, 0, stderr);
      assert.equal(promotionIn(project.text()).commit, `${newest}-01234567`);
    });

    it("asks the registry for the newest ones of git first, a few at a time", async () => {
      const at = stage.places();
      const project = promotionProject(at.from, at.to);
      await project.git("init", "-q");
      const many: string[] = [];
      for (let second = 0; second < 40; second++) many.push(await project.commit(second));
      await putRelease(at.source, "v1.0.0", { content: contentWith("a"), commits: [...many.slice(0, 39), ...commits] });
      await putRelease(at.source, "v1.1.0", { content: contentWith("b"), commits: [many[39]!] });
      const proxy = await startFaultProxy(stage.source.host);
      try {
        project.write("dev", devAt(at.from.replace(stage.source.host, proxy.host)));
        assert.equal((await project.promote()).code, 0);
        assert.equal(promotionIn(project.text()).commit, many[39]);
        const asked = proxy.lines.filter((line) => /\/manifests\/sha-/.test(line));
        assert.ok(asked.length <= 17, asked.join("\n")); // and once more by the look-up of the program
      } finally {
        await proxy.stop();
      }
    }).timeout(60_000);

    it("asks which one without git, by a line that works, and keeps the one that stands there", async () => {
      const project = await several(...commits);
      const before = project.text();
      const { code, data } = await project.promote("-o", "json");
      const { error } = data as { error: { code: string; what: string; fix: string } };
      assert.deepEqual([code, error.code], [1, "commit-ambiguous"]);
      for (const commit of commits) assert.ok(error.what.includes(commit));
      assert.equal(project.text(), before);
      const line = error.fix.replace("name one of them: policy-platform ", "").split(" ");
      assert.equal((await run(...line, "--cwd", project.folder)).code, 0);
      assert.equal(promotionIn(project.text()).commit, commits[0]);
      const kept = project.text();
      assert.equal((await project.promote()).code, 0);
      assert.equal(project.text(), kept);
    });

    it("keeps a whole hash that stands in the file as it is written there", async () => {
      const project = await several(...commits);
      assert.equal((await project.promote("--commit", commits[1])).code, 0);
      for (const length of [40, 64]) {
        const whole = commits[1].padEnd(length, "0");
        project.write("prod", project.text().replace(/(commit: ).*$/m, `$1"${whole}"`));
        const { code, stdout, stderr } = await project.promote();
        assert.equal(code, 0, stderr);
        assert.equal(promotionIn(project.text()).commit, whole);
        assert.doesNotMatch(stdout, /promotion\.commit/);
      }
    });

    it("takes a whole hash for the commit of a tag, and refuses one that names another image", async () => {
      const project = await several(commits[0], commits[1]);
      assert.equal((await project.promote("--commit", commits[1] + "0".repeat(28))).code, 0);
      assert.equal(promotionIn(project.text()).commit, commits[1]);
      const { code, data } = await project.promote("--commit", commits[2], "-o", "json");
      assert.deepEqual([code, (data.error as { code: string }).code], [1, "promotion-mismatch"]);
    });

    it("says so where there is none", async () => {
      const { code, data } = await (await several()).promote("-o", "json");
      assert.deepEqual([code, (data.error as { code: string }).code], [1, "commit-missing"]);
    });
  });
});
