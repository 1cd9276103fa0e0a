// Between two real registries on this machine, as between those of two environments.
import assert from "node:assert/strict";
import { readFileSync, statSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { keepVariables } from "../support/environment";
import { startFaultProxy } from "../support/faultProxy";
import { golden } from "../support/golden";
import {
  commits,
  contentWith,
  devAt,
  promotionIn,
  promotionProject,
  putRelease,
  startPromotionStage,
} from "../support/promotionProject";
import { dockerConfig, startRegistry } from "../support/registry";
import { shared } from "../support/shared";
import { run } from "../unit/cli/run";

describe("policy-platform promote", () => {
  const stage = shared(startPromotionStage);

  const block = (from: string, version: string, digest: string, commit: string) =>
    `  policy-platform:promotion:\n    from: "${from}"\n    version: "${version}"\n    digest: "${digest}"\n    commit: "${commit}"\n`;

  it("writes the highest release of dev into the file of prod, and says what comes", async () => {
    const { project, source: from, digests } = await stage.twoReleases("  # the end\n");
    const { code, stdout, stderr } = await project.promote();
    assert.equal(code, 0, stderr);
    const [head] = project.text().split("  policy-platform:promotion:");
    assert.equal(project.text(), `${head}${block(from, "v1.1.0", digests[1], commits[1])}  # the end\n`);
    golden("screens/promote-first.golden", named(stderr + stdout, from));
  });

  it("says that nothing changes the second time, and leaves the file alone", async () => {
    const { project } = await stage.twoReleases();
    assert.equal((await project.promote()).code, 0);
    const file = join(project.folder, "Pulumi.prod.yaml");
    utimesSync(file, 1, 1);
    const text = project.text();
    const { code, stdout, stderr } = await project.promote();
    assert.equal(code, 0, stderr);
    assert.equal(statSync(file).mtimeMs, 1000);
    assert.equal(project.text(), text);
    assert.doesNotMatch(stdout, /promotion\./);
    assert.match(
      stderr,
      /✔ Pulumi\.prod\.yaml says so already, and was not written; next: pulumi preview --stack prod\n$/,
    );
  });

  it("moves to the next release: three values, and what is different in it", async () => {
    const { project, source: from, deliver } = await stage.twoReleases();
    await project.promote("--version", "v1.0.0");
    await deliver("v1.0.0");
    project.write(
      "prod",
      project.text().replace('    version: "v1.0.0"', "    # reviewed\n    version: v1.0.0   # one"),
    );
    const before = project.text();
    const { code, stdout, stderr } = await project.promote();
    assert.equal(code, 0, stderr);
    const changed = project
      .text()
      .split("\n")
      .filter((line) => !before.split("\n").includes(line));
    assert.deepEqual(
      changed.map((line) => line.trim().split(":")[0]),
      ["version", "digest", "commit"],
    );
    assert.match(project.text(), / {4}# reviewed\n {4}version: v1\.1\.0 {3}# one\n/);
    golden("screens/promote-next.golden", named(stderr + stdout, from));
  });

  it("answers programs", async () => {
    const { project, source: from, digests, deliver } = await stage.twoReleases();
    await project.promote("--version", "v1.0.0");
    await deliver("v1.0.0");
    const { data } = await project.promote("-o", "json");
    const { notes, ...rest } = data as { notes: string[] };
    assert.deepEqual(rest, {
      stack: "prod",
      source: "dev",
      promotion: { from, version: "v1.1.0", digest: digests[1], commit: commits[1], artifacts: {}, rollback: false },
      changes: [
        { key: "policy-platform:promotion.version", from: "v1.0.0", to: "v1.1.0" },
        { key: "policy-platform:promotion.digest", from: digests[0], to: digests[1] },
        { key: "policy-platform:promotion.commit", from: commits[0], to: commits[1] },
      ],
      next: "pulumi preview --stack prod",
    });
    assert.match(notes[0]!, /^promotes v1\.1\.0 \([0-9a-f]{12}\) from .*, sha-bbbbbbbbbbbb, over v1\.0\.0$/);
    assert.match(notes[1]!, /^policies security-policy: /);
  });

  it("goes back only when told so, by the line that it prints, and takes the permission away with the next release", async () => {
    const { project, source: from, deliver, digests } = await stage.twoReleases();
    await project.promote();
    await deliver("v1.0.0");
    await deliver("v1.1.0");
    const before = project.text();
    const refused = await project.promote("--version", "v1.0.0", "-o", "json");
    assert.equal(refused.code, 1);
    const { error } = refused.data as { error: { code: string; fix: string } };
    assert.deepEqual(
      [error.code, error.fix],
      ["promotion-downgrade", "policy-platform promote dev prod --version v1.0.0 --rollback"],
    );
    assert.equal(project.text(), before);
    assert.ok(readFileSync("docs/how-to/roll-back.md", "utf8").includes(`\nnpx ${error.fix}\n`));

    const back = await run(...error.fix.split(" ").slice(1), "--cwd", project.folder);
    assert.equal(back.code, 0, back.stderr);
    const promotion = promotionIn(project.text());
    const release = { from, version: "v1.0.0", digest: digests[0], commit: commits[0] };
    assert.deepEqual(promotion, { ...release, rollback: true });
    golden("screens/promote-rollback.golden", named(back.stderr + back.stdout, from));

    project.write("prod", project.text().replace("    rollback: true", "    # see incident 7\n    rollback: true"));
    const up = await project.promote();
    assert.equal(up.code, 0, up.stderr);
    assert.match(up.stdout, /^policy-platform:promotion\.rollback: true → removed$/m);
    assert.equal(project.text(), `${before}    # see incident 7\n`);
  });

  it("goes from a version back to one in between only when told so again, and keeps the permission", async () => {
    const { project, source, target, digests, deliver } = await stage.twoReleases();
    await deliver("v1.0.0");
    await deliver("v1.1.0");
    for (const [place, ...tags] of [[source], [target, "latest"]] as const)
      await putRelease(place, "v1.2.0", { content: contentWith("v1.2.0"), commits: [commits[2]], tags });
    assert.equal((await project.promote("--version", "v1.0.0", "--rollback")).code, 0);
    const before = project.text();
    const between = ["--version", "v1.1.0"];
    const { code, data } = await project.promote(...between, "-o", "json");
    const { error } = data as { error: { code: string; fix: string } };
    assert.deepEqual([code, error.code], [1, "promotion-downgrade"]);
    assert.equal(error.fix, `policy-platform promote dev prod ${between.join(" ")} --rollback`);
    assert.equal(project.text(), before);

    const { stdout, stderr } = await project.promote(...between, "--rollback");
    assert.match(stdout, /^rolls back from v1\.2\.0 to v1\.1\.0 /m, stderr);
    assert.doesNotMatch(stdout, /promotion\.rollback/, "it stays as it is");
    const { version, digest, rollback } = promotionIn(project.text());
    assert.deepEqual([version, digest, rollback], ["v1.1.0", digests[1], true]);
  });

  it("asks once which versions the target has, whether or not it goes back", async () => {
    const { project, to, deliver } = await stage.twoReleases();
    await deliver("v1.0.0");
    await deliver("v1.1.0");
    const proxy = await startFaultProxy(to.split("/")[0]!);
    try {
      project.write("prod", devAt(to.replace(to.split("/")[0]!, proxy.host)));
      for (const argv of [["--version", "v1.0.0", "--rollback"], []]) {
        const asked = proxy.lines.length;
        assert.equal((await project.promote(...argv)).code, 0);
        const lists = proxy.lines.slice(asked).filter((line) => line.includes("/tags/list"));
        assert.equal(lists.length, 1, lists.join("\n"));
      }
    } finally {
      await proxy.stop();
    }
  });

  it("needs no --rollback where nothing goes back, and writes none", async () => {
    const { project } = await stage.twoReleases();
    const { code, stderr } = await project.promote("--rollback");
    assert.equal(code, 0, stderr);
    assert.match(stderr, /--rollback is not needed: v1\.1\.0 is below no version of /);
    assert.equal(promotionIn(project.text()).rollback, undefined);
  });

  it("names what stands beside a promotion with the lines that remove it, and writes nothing", async () => {
    const beside = "  policy-platform:version: v1.0.0\n  policy-platform:tools: {yq: {version: '4.54.1'}}\n";
    const { project } = await stage.twoReleases(beside);
    const before = project.text();
    const { code, data } = await project.promote("-o", "json");
    assert.equal(code, 2);
    const { problems } = (data as { error: { problems: { code: string; fix: string }[] } }).error;
    assert.deepEqual(
      problems.map((one) => [one.code, one.fix]),
      [
        ["promotion-beside", "pulumi config rm 'policy-platform:version' --stack prod"],
        ["promotion-beside", "pulumi config rm 'policy-platform:tools' --stack prod"],
      ],
    );
    assert.equal(project.text(), before);
  });

  it("completes a promotion that was begun by hand, and keeps what else stands there", async () => {
    const started =
      "  policy-platform:promotion:\n    from: registry.example.com/r # old\n    stack: organization/policy-platform/dev\n";
    const { project, source: from, digests } = await stage.twoReleases(started);
    const { code, stderr } = await project.promote();
    assert.equal(code, 0, stderr);
    assert.deepEqual(promotionIn(project.text()), {
      from,
      stack: "organization/policy-platform/dev",
      version: "v1.1.0",
      digest: digests[1],
      commit: commits[1],
    });
    assert.match(project.text(), /# old/);
  });

  it("cross-checks the stack that it takes from, where the file named another one", async () => {
    const started = "  policy-platform:promotion:\n    stack: organization/policy-platform/staging # watched\n";
    const { project } = await stage.twoReleases(started);
    const { code, stdout, stderr } = await project.promote();
    assert.equal(code, 0, stderr);
    assert.match(project.text(), / {4}stack: organization\/policy-platform\/dev # watched\n/);
    assert.match(
      stdout,
      /promotion\.stack: "organization\/policy-platform\/staging" → organization\/policy-platform\/dev/,
    );
    assert.doesNotMatch((await project.promote()).stdout, /promotion\.stack/);
  });

  it("cross-checks a stack that is named in full by that name", async () => {
    const full = "organization/policy-platform/dev";
    for (const written of [full, "organization/policy-platform/staging", "other/policy-platform/dev"]) {
      const { project } = await stage.twoReleases(`  policy-platform:promotion:\n    stack: ${written}\n`);
      const { code, stderr } = await run("promote", full, "prod", "--cwd", project.folder);
      assert.equal(code, 0, stderr);
      assert.equal(promotionIn(project.text()).stack, full);
    }
  });

  it("takes from a stack that promotes itself, and from one whose other settings are wrong", async () => {
    const { project, deliver, target: staged } = await stage.twoReleases();
    await deliver("v1.1.0");
    await project.promote();
    project.write("staging", project.text().replace("config:", "config:\n  policy-platform:tools: 7"));
    const last = stage.places();
    project.write("prod", `config:\n  policy-platform:registry: {address: "${last.to}"}\n`);
    const { code, stderr } = await run("promote", "staging", "prod", "--cwd", join(project.folder, "below"));
    assert.equal(code, 0, stderr);
    assert.equal(promotionIn(project.text()).from, staged);
  });

  it("needs a registry in the file that it takes from, and a file to write into", async () => {
    const { project, from: address } = await stage.twoReleases();
    const sound = `config:\n  policy-platform:registry: {address: "${address}"}\n`;
    project.write("dev", 'config:\n  policy-platform:registry: {address: "https://h.io"}\n  policy-platform:base: 1\n');
    const broken = await project.promote("-o", "json");
    assert.equal(broken.code, 2);
    const { problems } = (broken.data as { error: { problems: { key: string; fix: string }[] } }).error;
    assert.deepEqual(
      problems.map(({ key }) => key),
      ["policy-platform:registry.address"],
    );
    assert.match(problems[0]!.fix, /--stack dev$/);
    project.write("dev", sound);
    for (const [from, to] of [
      ["dev", "nowhere"],
      ["nowhere", "prod"],
    ] as const) {
      const { code, data } = await run("promote", from, to, "--cwd", project.folder, "-o", "json");
      assert.deepEqual([code, (data.error as { code: string }).code], [2, "stack-file-missing"]);
    }
  });

  it("does not promote a stack to itself", async () => {
    const { project } = await stage.twoReleases();
    const { code, data } = await run("promote", "dev", "dev", "--cwd", project.folder, "-o", "json");
    assert.deepEqual([code, (data.error as { code: string }).code], [1, "promotion-self"]);
  });

  it("names both stacks that release to one place, and what tells them apart", async () => {
    const { project, from, source } = await stage.twoReleases();
    project.write("prod", `config:\n  policy-platform:registry: {address: "${from}"}\n`);
    const { code, data } = await project.promote("-o", "json");
    const { error } = data as { error: { code: string; what: string; fix: string } };
    assert.deepEqual([code, error.code], [1, "promotion-self"]);
    assert.equal(error.what, `stack prod has its releases where stack dev has them, in ${source}`);
    assert.match(error.fix, /pulumi config set --path policy-platform:image\.name NAME --stack prod$/);
  });

  it("refuses a source without TLS on another machine, in one sentence, unless it is the registry of both", async () => {
    const { project } = await stage.twoReleases();
    const plain = (path: string) =>
      `config:\n  policy-platform:registry: {address: "registry.invalid:5000/${path}", insecure: true}\n`;
    project.write("dev", plain("dev"));
    const before = project.text();
    const { code, data } = await project.promote("-o", "json");
    const { error } = data as { error: { code: string; what: string; fix: string } };
    assert.deepEqual([code, error.code], [1, "promotion-plain"]);
    assert.match(error.fix, /pulumi config rm --path policy-platform:registry\.insecure --stack dev$/);
    assert.equal(project.text(), before);
    project.write("prod", plain("prod"));
    const asked = await project.promote("-o", "json");
    assert.equal((asked.data.error as { code: string }).code, "registry-unavailable");
  });

  it("refuses what the program would refuse: a version that is taken, an image of somebody else", async () => {
    const { project, target: to } = await stage.twoReleases();
    await putRelease(to, "v1.1.0", { content: contentWith("other"), commits: [] });
    const before = project.text();
    const taken = await project.promote("-o", "json");
    assert.deepEqual([taken.code, (taken.data.error as { code: string }).code], [1, "version-taken"]);
    assert.match((taken.data.error as { fix: string }).fix, /policy-platform promote dev prod$/);
    assert.equal(project.text(), before);
    const at = stage.places();
    await putRelease(at.source, "v1.0.0", { content: { labelled: false }, commits: [commits[0]] });
    const foreign = await promotionProject(at.from, at.to).promote("-o", "json");
    assert.deepEqual([foreign.code, (foreign.data.error as { code: string }).code], [1, "promotion-foreign"]);
  });

  it("writes nothing over an edit that somebody else made meanwhile", async () => {
    const { project, from, to } = await stage.twoReleases();
    const proxy = await startFaultProxy(stage.source.host);
    try {
      project.write("dev", devAt(from.replace(stage.source.host, proxy.host)));
      const held = proxy.hold(/^GET .*tags\/list/);
      const running = project.promote("-o", "json");
      const request = await held;
      project.write("prod", `config:\n  policy-platform:registry: {address: "${to}"} # theirs\n`);
      const theirs = project.text();
      await request.pass();
      const { code, data } = await running;
      assert.deepEqual([code, (data.error as { code: string }).code], [1, "stack-file-changed"]);
      assert.equal(project.text(), theirs);
    } finally {
      await proxy.stop();
    }
  });

  it("logs in to a closed registry by the docker config, and writes nothing without a login", async () => {
    const closed = await startRegistry({ basic: true });
    const restore = keepVariables();
    try {
      const { project, from } = await stage.twoReleases();
      const before = project.text();
      project.write("dev", devAt(closed.host));
      process.env.DOCKER_CONFIG = "/nowhere";
      const refused = await project.promote("-o", "json");
      assert.deepEqual([refused.code, (refused.data.error as { code: string }).code], [1, "registry-unauthorized"]);
      assert.equal(project.text(), before);
      process.env.DOCKER_CONFIG = dockerConfig(closed.host);
      project.write("dev", devAt(from));
      project.write("prod", `config:\n  policy-platform:registry: {address: "${closed.host}"}\n`);
      assert.equal((await project.promote()).code, 0);
    } finally {
      restore();
      await closed.stop();
    }
  });

  it("takes a registry that the stack is yet to create for empty, and no other one (stand-in: the engine)", async () => {
    const closed = await startRegistry({ basic: true });
    const restore = keepVariables();
    try {
      process.env.DOCKER_CONFIG = "/nowhere";
      const { project } = await stage.twoReleases();
      const declared = "{kind: artifactRegistry, project: acme-prod, location: europe-west1, address: ADDRESS}";
      const prod = `config:\n  policy-platform:registry: ${declared.replace("ADDRESS", closed.host)}\n`;
      project.write("prod", prod);
      const unread = await project.promote("-o", "json");
      assert.deepEqual([unread.code, (unread.data.error as { code: string }).code], [1, "registry-unauthorized"]);
      assert.match(
        (unread.data.error as { fix: string }).fix,
        /which was not read: pulumi stack init prod, or pulumi login/,
      );
      stage.answerAsEngine({ deployment: { resources: [] } });
      const { code, stdout, stderr } = await project.promote();
      assert.equal(code, 0, stderr);
      assert.equal(
        stderr.match(/policy-releases\/policy-platform may not be read: not created yet, or no permission/g)?.length,
        1,
      );
      assert.match(stdout, /: the first release here$/m);

      project.write("prod", prod);
      const outputs = { repositoryId: "policy-releases" };
      const releases = { urn: "urn:x", type: "gcp:artifactregistry/repository:Repository", outputs };
      stage.answerAsEngine({ deployment: { resources: [releases] } });
      const refused = await project.promote("-o", "json");
      assert.deepEqual([refused.code, (refused.data.error as { code: string }).code], [1, "registry-unauthorized"]);
    } finally {
      stage.answerAsEngine(undefined);
      restore();
      await closed.stop();
    }
  });
});

/** A screen without the addresses of this run. */
function named(text: string, from: string): string {
  const to = /reading (\S+)\n(?=.*state was not read)/.exec(text)?.[1];
  return [from, to].reduce<string>(
    (all, one, index) => (one ? all.replaceAll(one, ["<dev>", "<prod>"][index]!) : all),
    text,
  );
}
