import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RegistryClient } from "../../lib/oci/client";
import { type Digest, sha256 } from "../../lib/oci/digest";
import { folderLayerImage, type LayerImage, pushLayerImage } from "../../lib/oci/layer";
import { parseRepository, type Repository } from "../../lib/oci/reference";
import { type Inputs, inputDigest } from "../../lib/pins/model";
import { type Preflight, type PreflightOptions, preflight } from "../../lib/release/preflight";
import { times } from "../support/counts";
import { pushLayers } from "../support/pushLayers";
import { startRegistry, type TestRegistry } from "../support/registry";
import { labelsFor } from "../unit/release/memoryRegistry";

const policy = (name: string, rules: string[]) =>
  `apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata:\n  name: ${name}\nspec:\n  rules:\n` +
  rules.map((rule) => `  - name: ${rule}\n`).join("");

describe("the preflight, on a real registry", () => {
  let registry: TestRegistry;
  let folder: string;
  let releases: Repository;
  let count = 0;
  const client = new RegistryClient();
  const home = (name: string) => parseRepository(`${registry.host}/layers/repositories/${name}`);
  const layers = (name: string) => [home(name)];

  before(async () => {
    registry = await startRegistry();
    folder = await mkdtemp(join(tmpdir(), "preflight-"));
  });
  after(async () => {
    await registry.stop();
    await rm(folder, { recursive: true, force: true });
  });
  beforeEach(() => {
    releases = parseRepository(`${registry.host}/releases/image-${++count}`);
  });

  /** A policy repository with these files, as the program sees it. */
  async function repository(files: Record<string, string>): Promise<LayerImage> {
    const path = await mkdtemp(join(folder, "policies-"));
    for (const [name, text] of Object.entries(files)) {
      await mkdir(join(path, name, ".."), { recursive: true });
      await writeFile(join(path, name), text);
    }
    return folderLayerImage(path, { at: "/repos/security-policy" });
  }

  function inputsOf(policies: LayerImage, version = "4.54.1"): Inputs {
    const tools = { yq: { digest: sha256(version), version } };
    return {
      base: sha256("base"),
      format: 1,
      image: { user: "65532:65532" },
      repositories: { "security-policy": { digest: policies.digest } },
      tools,
    };
  }

  /** An image with the labels of these inputs, as a build would push it. */
  async function push(labels: Record<string, string>, ...tags: string[]): Promise<Digest> {
    const { digest } = await pushLayers(client, releases, [], { labels });
    const { bytes, mediaType } = (await client.manifest(releases, digest))!;
    for (const tag of tags) await client.putManifest(releases, tag, bytes, mediaType);
    return digest;
  }

  function look(inputs: Inputs, more: Partial<PreflightOptions> = {}): Promise<Preflight> {
    return preflight(client, { releases, layers, folders: {}, wanted: "auto", inputs, stack: "local", ...more });
  }

  async function release(
    version: string,
    policies: LayerImage,
    tool?: string,
  ): Promise<{ inputs: Inputs; digest: Digest }> {
    await pushLayerImage(client, home("security-policy"), policies);
    const inputs = inputsOf(policies, tool);
    return { inputs, digest: await push(labelsFor(inputs), `sha-${version}`, version, "latest") };
  }

  const original = { "policies/a.yaml": policy("a", ["one", "two"]), "policies/b.yaml": policy("b", ["one"]) };

  it("finds no release in a repository that is not there", async () => {
    const found = await look(inputsOf(await repository(original)));
    assert.deepEqual([found.version, found.last, found.image], ["v1.0.0", undefined, undefined]);
  });

  it("tells a policy update from a change of structure, by the old layer image and a folder that is not pushed yet", async () => {
    await release("v1.0.0", await repository(original));
    const cases = [
      [{ ...original, "policies/c.yaml": policy("c", ["one"]) }, "v1.0.0 → v1.0.1 (policy update)"],
      [{ ...original, "policies/a.yaml": policy("a", ["two", "one"]) }, "v1.0.0 → v1.0.1 (policy update)"],
      [{ ...original, "policies/a.yaml": policy("a", ["two"]) }, "v1.0.0 → v2.0.0 (policy structure change)"],
      [
        { "rules/a.yaml": original["policies/a.yaml"], "rules/b.yaml": original["policies/b.yaml"] },
        "v1.0.0 → v2.0.0 (policy structure change)",
      ],
    ] as const;
    for (const [files, reason] of cases) {
      const layer = await repository(files);
      const found = await look(inputsOf(layer), { folders: { "security-policy": layer } });
      assert.deepEqual([found.reason, found.changes.entries.length], [reason, 1]);
    }
  });

  it("reads both layer images from the registry where the repository is given by digest", async () => {
    await release("v1.0.0", await repository(original));
    const layer = await repository({ "policies/b.yaml": original["policies/b.yaml"] });
    await pushLayerImage(client, home("security-policy"), layer);
    const { lines } = await look(inputsOf(layer));
    assert.match(lines[0]!, /removed ClusterPolicy a, rule one of ClusterPolicy a, rule two of ClusterPolicy a\)$/);
  });

  it("survives broken YAML in an old layer", async () => {
    await release("v1.0.0", await repository({ ...original, "policies/c.yaml": "kind: [unclosed" }));
    const layer = await repository({ ...original, "policies/c.yaml": policy("c", ["one"]) });
    const found = await look(inputsOf(layer), { folders: { "security-policy": layer } });
    assert.equal(found.reason, "v1.0.0 → v1.0.1 (policy update)");
  });

  it("gives back version and digest of what is released, from the registry alone", async () => {
    const layer = await repository(original);
    await release("v1.0.0", layer, "4.50.0");
    const { inputs, digest } = await release("v2.0.0", layer);
    const found = await look(inputs);
    assert.deepEqual([found.version, found.image, found.lines], ["v2.0.0", { digest }, ["v2.0.0 (unchanged)"]]);
    assert.equal(found.changes.entries[0]?.text, "tools yq: 4.50.0 → 4.54.1 (tool upgrade)");
  });

  it("goes back to an earlier release as the next patch, on its digest", async () => {
    const layer = await repository(original);
    const { inputs, digest } = await release("v1.0.0", layer);
    await release("v2.0.0", layer, "5.0.0");
    const found = await look(inputs);
    assert.deepEqual([found.reason, found.image], ["v2.0.0 → v2.0.1 (back to the pins of v1.0.0)", { digest }]);
  });

  it("reports a foreign image under the highest version, and takes a version above it", async () => {
    const layer = await repository(original);
    const { inputs } = await release("v1.0.0", layer);
    await push({ maintainer: "somebody" }, "v1.2.0");
    await assert.rejects(look(inputs), {
      code: "release-foreign",
      message: /v1\.2\.0 .*pulumi config set policy-platform:version v1\.2\.1 --stack local/,
    });
    assert.equal((await look(inputs, { wanted: "v2.0.0" })).version, "v2.0.0");
  });

  it("holds on to what the stack released when the tag was moved by hand", async () => {
    const first = await release("v1.0.0", await repository(original));
    const second = await release("v1.0.1", await repository({ ...original, "README.md": "new" }));
    await push(labelsFor(first.inputs), "v1.0.1");
    const known = Promise.resolve({
      version: "v1.0.1",
      digest: second.digest,
      inputDigest: inputDigest(second.inputs),
    });
    const found = await look(second.inputs, { known });
    assert.deepEqual([found.version, found.image], ["v1.0.1", { digest: second.digest }]);
    assert.equal(
      found.lines[0],
      `tag v1.0.1 was moved in the registry, from ${second.digest} to ${first.digest}: pulumi up --refresh --stack local puts it back`,
    );
    assert.equal((await look(second.inputs)).version, "v1.0.2", "without the state it cannot be told");
  });

  it("has a line for latest and for the commit's tag that were moved or deleted, while no other stack released since", async () => {
    const first = await release("v1.0.0", await repository(original));
    const second = await release("v1.0.1", await repository({ ...original, "README.md": "new" }));
    await push(labelsFor(first.inputs), "latest");
    const { digest } = second;
    const tags = ["latest", "sha-0123456789ab"];
    const known = Promise.resolve({ version: "v1.0.1", digest, inputDigest: inputDigest(second.inputs), tags });
    assert.deepEqual((await look(second.inputs, { known })).lines, [
      `tag latest was moved in the registry, from ${digest} to ${first.digest}: pulumi up --refresh --stack local puts it back`,
      "tag sha-0123456789ab is gone from the registry: pulumi up --refresh --stack local puts it back",
      "v1.0.1 (unchanged)",
    ]);
    for (const tag of tags) await push(labelsFor(second.inputs), tag);
    assert.deepEqual((await look(second.inputs, { known })).lines, ["v1.0.1 (unchanged)"]);
    await push(labelsFor(first.inputs), "latest");
    await release("v1.1.0", await repository({ ...original, "README.md": "newer" }));
    assert.doesNotMatch((await look(second.inputs, { known })).lines.join("\n"), /tag latest/);
  });

  it("finds the highest version within a second, however many there are", async () => {
    const layer = await repository(original);
    const { inputs, digest } = await release("v1.0.0", layer);
    const versions = times(2000);
    // Written into the registry's storage, as it takes half a minute to push them.
    const stored = join(registry.dir, "storage/docker/registry/v2/repositories", releases.path, "_manifests/tags");
    for (let at = 0; at < versions; at++) {
      for (const tag of [`v0.1.${at}`, `sha-${at.toString(16).padStart(12, "0")}`]) {
        mkdirSync(join(stored, tag, "current"), { recursive: true });
        writeFileSync(join(stored, tag, "current/link"), digest);
      }
    }
    assert.equal((await client.tags(releases)).length, 2 * versions + 3);
    const started = performance.now();
    assert.equal((await look(inputs)).version, "v1.0.0");
    assert.ok(performance.now() - started < 1000);
  }).timeout(10_000);

  it("fails when the registry is down, and does not call that no release", async () => {
    const gone = await startRegistry();
    await gone.stop();
    const impatient = new RegistryClient({ limits: { attempts: 1 } });
    const layer = await repository(original);
    await assert.rejects(
      preflight(impatient, {
        releases: parseRepository(`${gone.host}/releases/policy-platform`),
        layers,
        folders: {},
        wanted: "auto",
        inputs: inputsOf(layer),
        stack: "local",
      }),
      { code: "registry-unavailable" },
    );
  });

  it("fails when the registry asks for credentials that are not there", async () => {
    const guarded = await startRegistry({ basic: true });
    try {
      const anonymous = new RegistryClient({ credentials: { find: async () => undefined } });
      const options = { layers, folders: {}, inputs: inputsOf(await repository(original)), stack: "local" };
      const path = parseRepository(`${guarded.host}/releases/policy-platform`);
      for (const wanted of ["auto", "v1.0.0"])
        await assert.rejects(preflight(anonymous, { ...options, releases: path, wanted }), {
          code: "registry-unauthorized",
        });
    } finally {
      await guarded.stop();
    }
  });
});
