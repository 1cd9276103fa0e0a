// Where something comes from is no part of an image: only what it becomes has a version.
import assert from "node:assert/strict";
import { RegistryClient } from "../../../lib/oci/client";
import { folderLayerImage } from "../../../lib/oci/layer";
import { requiredBump } from "../../../lib/pins/bump";
import { diffInputs } from "../../../lib/pins/diff";
import type { Inputs } from "../../../lib/pins/model";
import { type CompositionSettings, compose } from "../../../lib/plan/composition";
import { makeProject } from "../config/valid";
import { digestOf } from "./arbitraries";

const folder = `${makeProject()}/policies/security-policy`;
const pinned = (path: string, content = path) => `registry.example.com/${path}@${digestOf(content)}`;

const settings: CompositionSettings = {
  base: { image: pinned("layers/base") },
  image: { user: "65532:65532" },
  tools: {
    yq: { version: "4.54.1", path: "/usr/local/bin/yq", image: { reference: pinned("layers/tools/yq", "yq") } },
  },
  policies: { "security-policy": { folder } },
  mirrors: {},
  artifacts: { environments: ["dev", "production"] },
  bundles: {},
};

async function inputsOf(changes: Partial<CompositionSettings> = {}): Promise<Inputs> {
  return (await compose({ ...settings, ...changes }, { mayDownload: false, client: new RegistryClient() })).inputs!;
}

/** Kinds of the changes from the settings above. */
async function changesWith(changes: Partial<CompositionSettings>): Promise<string[]> {
  return diffInputs(await inputsOf(), await inputsOf(changes)).map(({ kind }) => kind);
}

describe("where something comes from", () => {
  let digest: string;
  before(async () => {
    ({ digest } = await folderLayerImage(folder, { at: "/repos/security-policy" }));
  });

  it("changes nothing for a policy repository that moves from a folder to git, to an image, or to a foreign one, with equal content", async () => {
    const commit = "0123456789abcdef0123456789abcdef01234567";
    for (const source of [
      { image: `registry.example.com/team/policies@${digest}` },
      { image: `elsewhere.example.com/policies:v2@${digest}` },
      { image: pinned("alpine"), path: "/repos/x", digest },
      { git: { url: "https://git.example.com/policies", commit, digest } },
      { git: { url: "https://git.example.com/policies", commit: commit.replace("0", "f"), path: "policies", digest } },
    ])
      assert.deepEqual(await changesWith({ policies: { "security-policy": source } }), [], JSON.stringify(source));
  });

  it("is a policy update, or a structure change, when another commit has other content", async () => {
    const commit = "0123456789abcdef0123456789abcdef01234567";
    const git = { url: "https://git.example.com/policies", commit, digest: digestOf("other") };
    assert.deepEqual(await changesWith({ policies: { "security-policy": { git } } }), ["policies-updated"]);
    const next = await inputsOf({ policies: { "security-policy": { git } } });
    const removed = { "security-policy": { removed: ["ClusterPolicy a"], added: [] } };
    assert.equal(requiredBump(diffInputs(await inputsOf(), next, removed)), "major");
  });

  it("changes nothing for a tool whose layer image moves from a download to another registry, or for mirrors", async () => {
    const release = { url: "https://example.com/yq", sha256: "a".repeat(64), digest: digestOf("yq") };
    for (const source of [
      { image: { reference: `elsewhere.example.com/yq:4@${digestOf("yq")}` } },
      { image: { reference: pinned("foreign"), member: "/usr/bin/yq", digest: digestOf("yq") } },
      { release },
    ])
      assert.deepEqual(
        await changesWith({ tools: { yq: { version: "4.54.1", path: "/usr/local/bin/yq", ...source } } }),
        [],
        JSON.stringify(source),
      );
    assert.deepEqual(await changesWith({ mirrors: { "github.com": "https://mirror.example.com" } }), []);
    assert.deepEqual(await changesWith({ base: { image: `mirror.example.com/base@${digestOf("layers/base")}` } }), []);
  });

  it("is a removal and an addition when a repository gets another name, whatever its content", async () => {
    assert.deepEqual(await changesWith({ policies: { renamed: { folder } } }), [
      "repository-added",
      "repository-removed",
    ]);
  });

  it("changes nothing where environments are written in another order", async () => {
    assert.deepEqual(await changesWith({ artifacts: { environments: ["production", "dev"] } }), []);
    assert.deepEqual(await changesWith({ artifacts: { environments: ["dev"] } }), ["environment-removed"]);
  });
});
