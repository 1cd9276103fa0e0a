// The life of an artifact through the real engine and a real registry: folder → layer image → Artifact → its tags, beside an image.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fluxArtifact } from "../../lib/flux/artifact";
import { artifactFiles } from "../../lib/flux/content";
import { pushArtifact } from "../../lib/flux/push";
import { RegistryClient } from "../../lib/oci/client";
import type { Digest } from "../../lib/oci/digest";
import { folderLayerImage } from "../../lib/oci/layer";
import { parseRepository } from "../../lib/oci/reference";
import { type EngineProject, engineProject, type ProgramResource } from "../support/engine";
import { startRegistry } from "../support/registry";
import {
  inputsOf,
  moveTag,
  pushImage,
  type RegistryProxy,
  remove,
  removeTag,
  startProxy,
  tagged,
} from "./pluginRegistry";

const policy = (name: string, rule = "one") =>
  `apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {name: ${name}}\nspec: {rules: [{name: ${rule}}]}\n`;

describe("an artifact through the engine", function () {
  this.timeout(60_000);
  let registry: Awaited<ReturnType<typeof startRegistry>>;
  let proxy: RegistryProxy;
  let project: EngineProject;
  let folder: string;
  let home: string;
  let releases: string;
  let image: Digest;

  const write = (name: string, text: string) => writeFileSync(join(folder, name), text);
  const artifactOf = (files: Record<string, string>) => {
    const security = new Map(Object.entries(files).map(([path, text]) => [path, Buffer.from(text)]));
    return fluxArtifact(artifactFiles({ repositories: { security } }).files);
  };
  /**
   * `known`: what the program computed before the gate ran. `gated`: what the gate has seen, else that, else what the folder makes.
   * `released`: the image gets its version too.
   */
  const program = async (
    known: { digest?: string; revision?: string },
    {
      version = "v1.0.0",
      released = true,
      gated = known.digest ?? artifactOf({ "a.yaml": readFileSync(join(folder, "a.yaml"), "utf8") }).digest,
    } = {},
  ): Promise<ProgramResource[]> => {
    const layers = `${proxy.host}/layers/repositories/security`;
    const layer = await folderLayerImage(folder, { at: "/repos/security" });
    const beside = { repository: releases, digest: image };
    const tag = (role: string, name: string) => ({
      type: "Tag" as const,
      name: `dev_${role}`,
      args: {
        repository: home,
        role,
        tag: name,
        digest: "${dev.digest}",
        revision: known.revision ?? "${dev.revision}",
        beside,
      },
    });
    return [
      {
        type: "Manifest",
        name: "security",
        args: { repository: layers, folder: { path: folder, at: "/repos/security" } },
      },
      { type: "Copy", name: "copy", args: { from: `${proxy.host}/candidates/x`, to: releases, digest: image } },
      {
        type: "Artifact",
        name: "dev",
        args: {
          repository: home,
          environment: "dev",
          repositories: { security: { digest: layer.digest, layers } },
          image: { repository: releases, digest: "${copy.digest}" },
          gated,
          ...known,
        },
      },
      tag("commit", `sha-${version}`),
      tag("version", version),
      ...(released
        ? [
            {
              type: "Tag" as const,
              name: "version",
              args: {
                repository: releases,
                role: "version",
                tag: version,
                digest: "${copy.digest}",
                inputDigest: inputsOf("1"),
              },
            },
          ]
        : []),
    ];
  };

  before(async () => {
    registry = await startRegistry();
    proxy = await startProxy(registry.host);
    project = await engineProject();
    home = `${proxy.host}/releases/policies/dev`;
    releases = `${proxy.host}/releases/x`;
    folder = mkdtempSync(join(tmpdir(), "policychain-artifact-"));
    mkdirSync(join(folder, "docs"));
    write("a.yaml", policy("a"));
    image = await pushImage(`${proxy.host}/candidates/x`, "1");
  });
  after(async () => {
    project?.dispose();
    await proxy?.stop();
    await registry?.stop();
    if (folder) rmSync(folder, { recursive: true, force: true });
  });
  beforeEach(() => proxy.clear());

  it("is known at preview by the digest that the program computed, and nothing is written", async () => {
    const { digest, revision } = artifactOf({ "a.yaml": policy("a") });
    project.write(await program({ digest, revision }));
    const { code, output } = await project.run("preview", "--diff");
    assert.equal(code, 0, output);
    assert.match(output, new RegExp(`digest *: "${digest}"`));
    assert.doesNotMatch(output, /\[unknown\]|output<string>/);
    assert.deepEqual(proxy.writes(), []);
  });

  it("is pushed and named by up, with the very digest of the preview", async () => {
    const { digest, revision } = artifactOf({ "a.yaml": policy("a") });
    await project.up();
    const { dev } = await project.outputs();
    assert.deepEqual([dev!.digest, dev!.revision, dev!.reference], [digest, revision, `${home}@${digest}`]);
    for (const name of ["sha-v1.0.0", "v1.0.0"]) assert.equal(await tagged(home, name), digest, name);
  });

  it("is a no-op when it is run again, also where nobody computed the digest, without one request that writes", async () => {
    for (const known of [artifactOf({ "a.yaml": policy("a") }), {}]) {
      const { digest, revision } = known as { digest?: string; revision?: string };
      project.write(await program({ ...(digest && { digest, revision }) }));
      const { code, output } = await project.run("up", "--yes", "--skip-preview", "--expect-no-changes");
      assert.equal(code, 0, output);
      assert.deepEqual(proxy.writes(), []);
    }
  });

  it("stays the same artifact, without a byte, when something changes that no cluster gets", async () => {
    const { digest, revision } = artifactOf({ "a.yaml": policy("a") });
    write("README.md", "# more\n");
    project.write(await program({ digest, revision }));
    await project.up();
    assert.equal(await tagged(home, "v1.0.0"), digest);
    assert.deepEqual(
      proxy.writes().filter((line) => line.includes("releases/policies")),
      [],
    );
  });

  it("says honestly that its digest is unknown where nobody computed it and the gate has not run", async () => {
    write("a.yaml", policy("a", "two"));
    const release = { url: "https://releases.example.com/yq", sha256: "0".repeat(64), at: "/usr/local/bin/yq" };
    const later = { repository: `${proxy.host}/later`, release };
    const unknown = await program({}, { version: "v1.0.1", released: false, gated: "${later.digest}" });
    project.write([{ type: "Manifest", name: "later", args: later }, ...unknown]);
    const { code, output } = await project.run("preview", "--diff");
    assert.equal(code, 0, output);
    assert.match(output, /~ policychain:index:Artifact: \(update\)\n.*\n.*\n *- digest: "sha256:[0-9a-f]{64}"\n/);
    assert.match(output, /~ digest *: "sha256:[0-9a-f]{64}" => \[unknown\]/);
  });

  it("moves its version while the image's does not exist, as after a run that was interrupted", async () => {
    project.write(await program({}, { version: "v1.0.1", released: false }));
    await project.up();
    const interrupted = await tagged(home, "v1.0.1");
    assert.equal(interrupted, artifactOf({ "a.yaml": policy("a", "two") }).digest);
    write("a.yaml", policy("a", "three"));
    const { digest, revision } = artifactOf({ "a.yaml": policy("a", "three") });
    project.write(await program({ digest, revision }, { version: "v1.0.1" }));
    await project.up();
    assert.equal(await tagged(home, "v1.0.1"), digest);
    assert.equal(await tagged(releases, "v1.0.1"), image);
  });

  it("never moves its version after that, whoever asks", async () => {
    write("a.yaml", policy("a", "four"));
    const { digest, revision } = artifactOf({ "a.yaml": policy("a", "four") });
    project.write(await program({ digest, revision }, { version: "v1.0.1" }));
    const { code, output } = await project.run("preview");
    assert.notEqual(code, 0);
    assert.match(
      output,
      /releases\/policies\/dev:v1\.0\.1 names another artifact, sha256:[0-9a-f]{64}, and \S+\/releases\/x:v1\.0\.1 is released;/,
    );
    write("a.yaml", policy("a", "three"));
  });

  it("is refused under a digest that it does not have, and nothing is pushed", async () => {
    const { digest, revision } = artifactOf({ "a.yaml": policy("other") });
    project.write(await program({ digest, revision }, { version: "v1.0.2" }));
    const { code, output } = await project.run("up", "--yes", "--skip-preview");
    assert.notEqual(code, 0);
    assert.match(
      output,
      /the policies of dev make the artifact sha256:[0-9a-f]{64}, and the gate has seen sha256:[0-9a-f]{64};/,
    );
    assert.equal(await tagged(home, "v1.0.2"), undefined);
    const { digest: right, revision: layer } = artifactOf({ "a.yaml": policy("a", "three") });
    project.write(await program({ digest: right, revision: layer }, { version: "v1.0.1" }));
    await project.run("cancel", "--yes");
    await project.up("--refresh");
  });

  it("is refused where the gate has seen another one, by a preview too, although the registry has what was announced", async () => {
    const weak = artifactOf({ "a.yaml": policy("a", "weak") });
    await pushArtifact(new RegistryClient(), parseRepository(home), weak);
    const { digest: seen } = artifactOf({ "a.yaml": policy("a", "three") });
    const announced = { digest: weak.digest, revision: weak.revision };
    project.write(await program(announced, { version: "v1.0.2", gated: seen }));
    for (const command of [["preview"], ["up", "--yes", "--skip-preview"]]) {
      const { code, output } = await project.run(...command);
      assert.notEqual(code, 0);
      assert.ok(
        output.includes(`the gate has seen artifact ${seen} of dev, and ${weak.digest} was announced;`),
        output,
      );
    }
    for (const name of ["sha-v1.0.2", "v1.0.2"]) assert.equal(await tagged(home, name), undefined);
    assert.equal(await tagged(home, "v1.0.1"), seen);
    project.write(await program({}, { version: "v1.0.1" }));
    await project.up();
  });

  it("is refused also where what the gate has not seen is there already, as of a run before this rule", async () => {
    const three = artifactOf({ "a.yaml": policy("a", "three") });
    const { digest: seen } = artifactOf({ "a.yaml": policy("a", "five") });
    project.write(
      await program({ digest: three.digest, revision: three.revision }, { version: "v1.0.2", gated: seen }),
    );
    const { code, output } = await project.run("preview");
    assert.notEqual(code, 0);
    assert.ok(output.includes(`the gate has seen artifact ${seen} of dev, and ${three.digest} was announced;`), output);
  });

  it("refuses a tag on an artifact of other policies than those of the release", async () => {
    const { digest } = artifactOf({ "a.yaml": policy("a", "three") });
    project.write(
      await program({ digest, revision: artifactOf({ "a.yaml": policy("b") }).revision }, { version: "v1.0.3" }),
    );
    const { code, output } = await project.run("preview");
    assert.notEqual(code, 0);
    assert.match(
      output,
      /holds sha256:[0-9a-f]{64}, and (sha-)?v1\.0\.3 is to name sha256:[0-9a-f]{64}; a tag goes only/,
    );
    const { revision } = artifactOf({ "a.yaml": policy("a", "three") });
    project.write(await program({ digest, revision }, { version: "v1.0.1" }));
  });

  const drifts: readonly [string, () => Promise<void> | void, RegExp][] = [
    [
      "a version tag that was moved",
      async () => moveTag(home, "v1.0.1", artifactOf({ "a.yaml": policy("a") }).digest),
      /~ policychain:index:Tag dev_version refresh/,
    ],
    [
      "a tag that was deleted",
      () => removeTag(registry.dir, "releases/policies/dev", "sha-v1.0.1"),
      /- policychain:index:Tag dev_commit/,
    ],
    [
      "a manifest that was deleted",
      async () => remove(home, "manifests", artifactOf({ "a.yaml": policy("a", "three") }).digest),
      /- policychain:index:Artifact dev /,
    ],
  ];
  for (const [what, harm, shown] of drifts) {
    it(`shows ${what} in a refresh, and up --refresh repairs it`, async () => {
      const { digest } = artifactOf({ "a.yaml": policy("a", "three") });
      await harm();
      const { output } = await project.run("refresh", "--preview-only");
      assert.match(output.replace(/ +/g, " "), shown);
      await project.up("--refresh");
      for (const name of ["sha-v1.0.1", "v1.0.1"]) assert.equal(await tagged(home, name), digest, name);
    });
  }
});
