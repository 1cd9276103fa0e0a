// Clusters as files: what an update writes, what leaves with a cluster, and what is left alone.
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { keepContents } from "../../../lib/flux/renderedContents";
import { clusterFiles } from "../../../provider/clusterFiles";
import type { ResourceContext, Values } from "../../../provider/host";
import { UNKNOWN } from "../../../provider/host";
import { useOwnCache } from "../../support/ownCache";

const mark = "# Made by policy-platform for cluster a;\n";
const filesOf = (text: string) => ({
  "kustomization.yaml": `${mark}resources: []\n`,
  "policies.yaml": `${mark}${text}`,
});

describe("clusters as files", () => {
  let before: string;
  let infos: string[];
  let warnings: string[];
  const context = (preview = false) =>
    ({
      urn: "urn:pulumi:dev::p::policychain:index:ClusterFiles::rendered-files",
      preview,
      signal: new AbortController().signal,
      info: (text: string) => infos.push(text),
      warn: (text: string) => warnings.push(text),
    }) as unknown as ResourceContext;
  /** Inputs of a stack with these clusters, each in `clusters/<name>`, as the program leaves them. */
  const inputs = async (texts: Readonly<Record<string, string>>): Promise<Values> => {
    const contents = Object.entries(texts).map(([name, text]) => [`clusters/${name}`, filesOf(text)]);
    return { folders: await keepContents(process.cwd(), "dev", Object.fromEntries(contents)) };
  };
  const changes = async (old: Values, news: Values) =>
    Object.keys((await clusterFiles.diff!(context(true), "rendered", old, old, news)).changes);
  useOwnCache();
  beforeEach(() => {
    [infos, warnings] = [[], []];
    before = process.cwd();
    process.chdir(mkdtempSync(join(tmpdir(), "cluster-files-")));
  });
  afterEach(() => process.chdir(before));

  it("are what a preview says, are written by the update, and are nothing to do a second time", async () => {
    const both = await inputs({ a: "one", b: "two" });
    await clusterFiles.create(context(true), both);
    assert.deepEqual(infos, [
      "clusters/a: would change policies.yaml, kustomization.yaml",
      "clusters/b: would change policies.yaml, kustomization.yaml",
    ]);
    assert.equal(existsSync("clusters"), false);
    const { outputs } = await clusterFiles.create(context(), both);
    assert.deepEqual(outputs, both);
    assert.equal(readFileSync("clusters/b/policies.yaml", "utf8"), `${mark}two`);
    assert.deepEqual(await changes(both, both), []);
  });

  it("are written again where somebody changed them or took them away, which a preview shows", async () => {
    const both = await inputs({ a: "one", b: "two" });
    await clusterFiles.create(context(), both);
    writeFileSync("clusters/a/policies.yaml", `${mark}edited`);
    rmSync("clusters/b", { recursive: true });
    assert.deepEqual(await changes(both, both), ['folders["clusters/a"]', 'folders["clusters/b"]']);
    await clusterFiles.update(context(), "rendered", both, both, both);
    assert.equal(readFileSync("clusters/a/policies.yaml", "utf8"), `${mark}one`);
    assert.deepEqual(await changes(both, both), []);
  });

  it("go with a cluster that left the stack, and beside them what is not ours stays", async () => {
    const both = await inputs({ a: "one", b: "two" });
    await clusterFiles.create(context(), both);
    writeFileSync("clusters/b/notes.yaml", "mine: true\n");
    const one = await inputs({ a: "one" });
    await clusterFiles.update(context(true), "rendered", both, both, one);
    assert.deepEqual(
      infos.splice(0).at(-1),
      "clusters/b: would change kustomization.yaml (removed), policies.yaml (removed)",
    );
    assert.equal(readdirSync("clusters/b").length, 3);
    await clusterFiles.update(context(), "rendered", both, both, one);
    assert.deepEqual(readdirSync("clusters/b"), ["notes.yaml"]);
    assert.deepEqual(readdirSync("clusters/a").length, 2);
    assert.deepEqual(warnings, []);
  });

  it("go with a stack that is destroyed", async () => {
    const both = await inputs({ a: "one", b: "two" });
    await clusterFiles.create(context(), both);
    await clusterFiles.delete!(context(), "rendered", both);
    assert.deepEqual([readdirSync("clusters/a"), readdirSync("clusters/b")], [[], []]);
  });

  it("stay, with a warning, where they are another content by now, as of a stack that took the cluster over", async () => {
    const both = await inputs({ a: "one", b: "two" });
    await clusterFiles.create(context(), both);
    writeFileSync("clusters/b/policies.yaml", `${mark}of another stack`);
    await clusterFiles.update(context(), "rendered", both, both, await inputs({ a: "one" }));
    assert.equal(readdirSync("clusters/b").length, 2);
    assert.match(
      warnings.join(),
      /^clusters\/b was written for a cluster that is no longer in this stack, and changed since/,
    );
  });

  it("stay where a cluster only writes its folder in another way", async () => {
    const one = await inputs({ a: "one" });
    await clusterFiles.create(context(), one);
    const contents = { "./clusters/a": filesOf("one") };
    const other = { folders: await keepContents(process.cwd(), "dev", contents) };
    await clusterFiles.update(context(), "rendered", one, one, other);
    assert.equal(readdirSync("clusters/a").length, 2);
  });

  it("are refused where another run of the stack took the place of what was rendered", async () => {
    const one = await inputs({ a: "one" });
    await inputs({ a: "two" });
    await assert.rejects(clusterFiles.create(context(), one), {
      code: "render-lost",
      message: /^what this run rendered into clusters\/a is not in the user's cache any more; .*pulumi up --stack dev$/,
    });
    assert.equal(existsSync("clusters"), false);
  });

  it("are refused where a link leads out of the project, before anything is removed there", async () => {
    const one = await inputs({ a: "one" });
    await clusterFiles.create(context(), one);
    const elsewhere = mkdtempSync(join(tmpdir(), "elsewhere-"));
    for (const [name, text] of Object.entries(filesOf("one"))) writeFileSync(join(elsewhere, name), text);
    rmSync("clusters/a", { recursive: true });
    symlinkSync(elsewhere, "clusters/a");
    await assert.rejects(clusterFiles.delete!(context(), "rendered", one), { code: "render-outside" });
    assert.equal(readdirSync(elsewhere).length, 2);
  });

  it("are honestly unknown where their content is", async () => {
    const unknown = await clusterFiles.create(context(true), { folders: UNKNOWN });
    assert.deepEqual(unknown, { id: "", outputs: { folders: UNKNOWN } });
    assert.deepEqual(await changes(await inputs({ a: "one" }), { folders: UNKNOWN }), ["folders"]);
  });

  it("are named by their folder where a digest is none", async () => {
    const { failures } = await clusterFiles.check!(context(), undefined, { folders: { "clusters/a": "x" } });
    assert.deepEqual(
      failures?.map(({ property }) => property),
      ['folders["clusters/a"]'],
    );
  });
});
