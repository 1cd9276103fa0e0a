// What a stack that promotes loads, in a process of its own: nothing that only a build needs.
import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "mocha";
import { exec } from "../../lib/exec";

const root = join(__dirname, "..", "..");

/** Files of the project and of its packages that a flow has loaded, with the registry before it. */
async function loadedBy(flow: string): Promise<string[]> {
  const script = `
    require("./components/registry");
    require("./flows/${flow}");
    console.log(JSON.stringify(Object.keys(require.cache)));
  `;
  const { stdout, stderr, code } = await exec(process.execPath, ["--require", "tsx/cjs", "-e", script], { cwd: root });
  assert.equal(code, 0, stderr);
  return (JSON.parse(stdout) as string[]).map((file) => file.slice(root.length + 1));
}

/**
 * Of a build alone: the SDKs of Docker and of Google Cloud, the gate, what is composed, built and fetched, Google's login. The grammar of
 * git addresses is part of the configuration, which every stack has.
 */
const ofBuilds =
  /^node_modules\/(@pulumi\/docker|@pulumi\/gcp|google-auth-library)\/|^lib\/(gate|docker|git(?!\/url\.)|policies|kyverno)\/|^components\/(platformImage|tool|policyRepository|baseImage|releaseGate)\./;

describe("a stack that promotes", function () {
  this.timeout(60_000); // Nodes of their own, which load the SDK

  it("loads nothing of Docker, of the gate and of what is built", async () => {
    const loaded = await loadedBy("promotion");
    assert.ok(loaded.includes("components/release.ts"), "the flow was loaded");
    assert.deepEqual(
      loaded.filter((file) => ofBuilds.test(file)),
      [],
    );
    assert.ok((await loadedBy("release")).some((file) => /^node_modules\/@pulumi\/docker\//.test(file)));
  });
});
