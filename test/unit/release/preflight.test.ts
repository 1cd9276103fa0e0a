import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pack } from "tar-stream";
import { type Digest, shortDigest } from "../../../lib/oci/digest";
import { configType } from "../../../lib/oci/mediaTypes";
import { type Inputs, inputDigest, inputDigestLabel, inputsLabel } from "../../../lib/pins/model";
import type { KnownRelease } from "../../../lib/release/known";
import { type Preflight, type PreflightOptions, preflight } from "../../../lib/release/preflight";
import { rememberStructure, structureMemory } from "../../../lib/release/structureMemory";
import { useOwnCache } from "../../support/ownCache";
import { digestOf, inputsWith } from "../pins/arbitraries";
import { labelsFor, MemoryRegistry } from "./memoryRegistry";

const releases = { registry: "127.0.0.1:5000", path: "releases/policy-platform" };
const layers = (name: string) => [{ registry: "127.0.0.1:5000", path: `layers/repositories/${name}` }];

const base = (name: string): Inputs => inputsWith({ base: digestOf(name) });
const [first, second, third] = [base("1"), base("2"), base("3")];

function look(registry: MemoryRegistry, inputs: Inputs, more: Partial<PreflightOptions> = {}): Promise<Preflight> {
  return preflight(registry.client(), { releases, layers, folders: {}, wanted: "auto", inputs, stack: "dev", ...more });
}

function remembers(version: string, digest: Digest, inputs: Inputs): { known: Promise<KnownRelease> } {
  return { known: Promise.resolve({ version, digest, inputDigest: inputDigest(inputs) }) };
}

const baseLine = (from: string, to: string) =>
  `base image: ${shortDigest(digestOf(from))} → ${shortDigest(digestOf(to))} (base update)`;

describe("the preflight", () => {
  let registry: MemoryRegistry;
  beforeEach(() => {
    registry = new MemoryRegistry();
  });

  it("says v1.0.0 where nothing was released yet, after one request", async () => {
    const found = await look(registry, first);
    assert.deepEqual(found, {
      version: "v1.0.0",
      reason: "v1.0.0 (first release)",
      required: "first",
      lines: ["v1.0.0 (first release)"],
      changes: { bump: "first", required: "first", entries: [], reason: "v1.0.0 (first release)" },
    });
    assert.deepEqual(registry.requests, ["tags"]);
  });

  it("shows each changed pin against the last release, then the version and its reason", async () => {
    registry.release("v1.0.0", first);
    const found = await look(registry, second);
    assert.deepEqual(found.lines, [baseLine("1", "2"), "v1.0.0 → v1.0.1 (base update)"]);
    assert.deepEqual([found.version, found.last?.version, found.image], ["v1.0.1", "v1.0.0", undefined]);
    assert.deepEqual(
      { ...found.changes, entries: found.changes.entries.map(({ text }) => text) },
      { bump: "patch", required: "patch", entries: [baseLine("1", "2")], reason: "v1.0.0 → v1.0.1 (base update)" },
    );
  });

  it("names each package of the base that changed, from what the released image says of its own base", async () => {
    const image = digestOf("debian");
    const made = (bash: string) => ({ image, packages: { apt: { bash } } });
    const labels = { ...labelsFor(first), "dev.policychain.base": JSON.stringify(made("5.2.9-1")) };
    registry.tags.set("v1.0.0", registry.push(labels));
    const { lines } = await look(registry, second, { base: made("5.2.15-1") });
    assert.deepEqual(lines, [
      "base packages.apt.bash: 5.2.9-1 → 5.2.15-1 (package upgrade)",
      "v1.0.0 → v1.0.1 (package upgrade)",
    ]);
    registry.tags.set("v1.0.0", registry.push({ ...labels, "dev.policychain.base": "somebody else's" }));
    assert.deepEqual((await look(registry, second, { base: made("5.2.15-1") })).lines.length, 3);
  });

  it("keeps the version and the image while the pins are equal, by manifest and config of two releases only", async () => {
    registry.release("v1.0.0", first);
    const digest = registry.release("v1.0.1", second);
    for (let index = 0; index < 3000; index++) registry.tags.set(`v0.${index}.0`, digest);
    const found = await look(registry, second);
    assert.deepEqual(found.lines, ["v1.0.1 (unchanged)"]);
    assert.deepEqual([found.version, found.image], ["v1.0.1", { digest }]);
    assert.equal(registry.requests.length, 5);
    assert.deepEqual(registry.requests.slice(0, 3), ["tags", "manifest v1.0.1", "manifest v1.0.0"]);
  });

  it("says the same changes in every run until the next release", async () => {
    registry.release("v1.0.0", first);
    const { changes } = await look(registry, second);
    registry.release("v1.0.1", second);
    assert.deepEqual((await look(registry, second)).changes, changes);
    assert.deepEqual((await look(registry, second, { wanted: "v1.0.1" })).changes, changes);
  });

  it("ignores prereleases, build metadata and every other tag", async () => {
    const digest = registry.release("v1.0.0", first);
    for (const tag of [
      "v2.0.0-rc.1",
      "v2.0.0_b",
      "2.0.0",
      "sha-0123456789ab",
      `sha256-${"a".repeat(64)}.sig`,
      "latest",
    ])
      registry.tags.set(tag, registry.push({}, tag));
    assert.deepEqual((await look(registry, first)).image, { digest });
  });

  it("looks below a version that the list still names and the registry lost", async () => {
    registry.release("v1.0.0", first);
    registry.lose(registry.release("v1.0.1", third));
    assert.equal((await look(registry, second)).reason, "v1.0.0 → v1.0.1 (base update)");
  });

  for (const code of [
    "registry-unauthorized",
    "registry-forbidden",
    "registry-unavailable",
    "registry-throttled",
    "registry-answer",
  ]) {
    it(`fails with ${code} when the registry says so, and never takes that for "nothing released"`, async () => {
      registry.refuses = code;
      await assert.rejects(look(registry, first), { code });
      await assert.rejects(look(registry, first, { wanted: "v1.0.0" }), { code });
    });
  }

  it("fails when the stack's state cannot be read", async () => {
    await assert.rejects(look(registry, first, { known: Promise.reject(new Error("locked")) }), /locked/);
  });
});

describe("going back to the pins of an earlier release", () => {
  it("is the next patch on the old digest, known before anything is built, and stays so afterwards", async () => {
    const registry = new MemoryRegistry();
    const upgraded = inputsWith({ tools: { ...first.tools, yq: { digest: digestOf("yq5"), version: "5.0.0" } } });
    const old = registry.release("v1.0.0", inputsWith());
    registry.release("v2.0.0", upgraded);
    const found = await look(registry, inputsWith());
    assert.equal(found.reason, "v2.0.0 → v2.0.1 (back to the pins of v1.0.0)");
    assert.deepEqual([found.image, found.changes.bump, found.changes.required], [{ digest: old }, "patch", "patch"]);
    registry.tags.set("v2.0.1", old);
    const again = await look(registry, inputsWith());
    assert.deepEqual([again.version, again.image, again.changes], ["v2.0.1", { digest: old }, found.changes]);
  });

  it("is looked for in the sixteen releases before the last one, newest first, and no further", async () => {
    const registry = new MemoryRegistry();
    for (let patch = 0; patch <= 17; patch++) registry.release(`v1.0.${patch}`, base(`${patch}`));
    assert.equal((await look(registry, base("1"))).reason, "v1.0.17 → v1.0.18 (back to the pins of v1.0.1)");
    assert.equal((await look(registry, base("0"))).reason, "v1.0.17 → v1.0.18 (base update)");
  });
});

describe("a version that is set by hand", () => {
  let registry: MemoryRegistry;
  let digest: Digest;
  beforeEach(() => {
    registry = new MemoryRegistry();
    registry.release("v1.0.0", first);
    digest = registry.release("v1.0.1", second);
  });

  it("that exists with these very pins names the image, also with a fresh state", async () => {
    const found = await look(registry, second, { wanted: "v1.0.1" });
    assert.deepEqual([found.version, found.image, found.lines], ["v1.0.1", { digest }, ["v1.0.1 (unchanged)"]]);
    assert.equal(registry.requests.filter((request) => request === "manifest v1.0.1").length, 1);
  });

  it("that exists with other pins is shown with what changed, and carries the refusal of an update", async () => {
    const found = await look(registry, third, { wanted: "v1.0.1" });
    assert.deepEqual([found.version, found.image], ["v1.0.1", undefined]);
    assert.deepEqual(found.lines, [baseLine("2", "3"), "v1.0.1 (exists with other pins)"]);
    assert.equal(found.taken?.code, "version-taken");
    assert.match(found.taken.message, /policy-platform:version v1\.0\.2 --stack dev$/);
  });

  it("that is too low is refused before anything is written", async () => {
    await assert.rejects(look(registry, third, { wanted: "v1.0.0-rc" }), { code: "version-malformed" });
    await assert.rejects(look(registry, third, { wanted: "v0.9.0" }), { code: "version-too-low" });
  });

  it("may be given to pins that are released already, and keeps their digest", async () => {
    const found = await look(registry, second, { wanted: "v1.1.0" });
    assert.deepEqual([found.version, found.image], ["v1.1.0", { digest }]);
    assert.deepEqual(found.changes, {
      bump: "minor",
      required: "none",
      entries: [],
      reason: "v1.0.1 → v1.1.0 (no pin changed)",
    });
  });

  it("stays what it is in the stack that released it, after others released more", async () => {
    const known = remembers("v1.0.0", registry.tags.get("v1.0.0")!, first);
    const found = await look(registry, first, { wanted: "v1.0.0", ...known });
    assert.deepEqual([found.version, found.image], ["v1.0.0", { digest: registry.tags.get("v1.0.0")! }]);
    await assert.rejects(look(registry, first, { wanted: "v1.0.0" }), { code: "version-reused" });
  });
});

describe("a version tag that was moved by hand", () => {
  let registry: MemoryRegistry;
  let old: Digest;
  let released: Digest;
  beforeEach(() => {
    registry = new MemoryRegistry();
    old = registry.release("v1.0.0", first);
    released = registry.release("v1.0.1", second);
    registry.tags.set("v1.0.1", old);
  });
  const state = () => remembers("v1.0.1", released, second);

  for (const wanted of ["auto", "v1.0.1"]) {
    it(`changes neither the version nor the image in the stack that released it, with version ${wanted}`, async () => {
      const found = await look(registry, second, { wanted, ...state() });
      assert.deepEqual([found.version, found.image], ["v1.0.1", { digest: released }]);
      assert.deepEqual(found.lines, [
        `tag v1.0.1 was moved in the registry, from ${released} to ${old}: pulumi up --refresh --stack dev puts it back`,
        "v1.0.1 (unchanged)",
      ]);
      assert.deepEqual(
        found.changes.entries.map(({ text }) => text),
        [baseLine("1", "2")],
      );
    });
  }

  it("does not hide what changed since: the comparison is with what was released", async () => {
    const found = await look(registry, third, state());
    assert.equal(found.lines[0], baseLine("2", "3"));
    assert.equal(found.reason, "v1.0.1 → v1.0.2 (base update)");
  });

  it("to an unlabelled image is no foreign release there", async () => {
    registry.tags.set("v1.0.1", registry.push({}));
    assert.deepEqual((await look(registry, second, state())).image, { digest: released });
  });

  it("to a rebuild or a forgery with equal labels is not believed either", async () => {
    registry.tags.set("v1.0.1", registry.push(labelsFor(second), "other bytes"));
    assert.deepEqual((await look(registry, second, state())).image, { digest: released });
  });

  it("without a state cannot be told from a release: the pins come back as a new version, and nothing moves", async () => {
    assert.equal((await look(registry, second)).version, "v1.0.2");
  });

  it("is recognised after the image is gone, as long as the pins are the same", async () => {
    registry.lose(released);
    const found = await look(registry, second, state());
    assert.deepEqual([found.version, found.image], ["v1.0.1", undefined]);
    assert.equal((await look(registry, third, state())).version, "v1.0.2");
  });

  it("does not matter once somebody released a higher version", async () => {
    registry.release("v1.0.2", third);
    assert.equal((await look(registry, third, state())).reason, "v1.0.2 (unchanged)");
  });
});

describe("a version tag that was deleted", () => {
  let registry: MemoryRegistry;
  let released: Digest;
  beforeEach(() => {
    registry = new MemoryRegistry();
    registry.release("v1.0.0", first);
    released = registry.release("v1.4.0", second);
    registry.tags.delete("v1.4.0");
  });
  const state = () => remembers("v1.4.0", released, second);

  it("comes back under the same name, on the same digest", async () => {
    for (const wanted of ["auto", "v1.4.0"]) {
      const found = await look(registry, second, { wanted, ...state() });
      assert.deepEqual([found.version, found.image], ["v1.4.0", { digest: released }]);
      assert.equal(
        found.lines[0],
        "tag v1.4.0 is gone from the registry: pulumi up --refresh --stack dev puts it back",
      );
    }
  });

  it("is never given to other pins", async () => {
    assert.equal((await look(registry, third, state())).version, "v1.4.1");
    await assert.rejects(look(registry, third, { wanted: "v1.4.0", ...state() }), { code: "version-reused" });
  });

  it("leaves nothing behind once the state forgot it: the rule counts from what is there", async () => {
    assert.equal((await look(registry, second)).version, "v1.0.1");
  });

  it("counts for nothing in a registry that was emptied", async () => {
    assert.equal((await look(new MemoryRegistry(), third, state())).version, "v1.0.0");
  });
});

describe("an image that was released by hand", () => {
  const hostile: Record<string, Record<string, unknown>> = {
    "without labels": {},
    "with a label that is no document": { [inputsLabel]: "{}" },
    "with a label that is no text": { [inputsLabel]: 1 },
    "with the input digest of other pins": { ...labelsFor(first), [inputDigestLabel]: inputDigest(second) },
    "without the input digest": { [inputsLabel]: labelsFor(first)[inputsLabel] },
  };
  for (const [how, labels] of Object.entries(hostile)) {
    it(`${how} under the highest version is foreign: version is set once, above it`, async () => {
      const registry = new MemoryRegistry();
      registry.release("v1.0.0", first);
      registry.tags.set("v7.0.0", registry.push(labels));
      await assert.rejects(look(registry, first), {
        code: "release-foreign",
        message: /policy-platform:version v7\.0\.1 --stack dev/,
      });
      assert.equal((await look(registry, first, { wanted: "v8.0.0" })).version, "v8.0.0");
      registry.release("v8.0.0", first);
      assert.equal((await look(registry, first)).version, "v8.0.0");
    });
  }

  it("is foreign too when it is no image at all, or its config is gone or huge", async () => {
    const manifests = [
      "[]",
      "null",
      "not json",
      '{"config":{"digest":"latest","size":1}}',
      JSON.stringify({
        schemaVersion: 2,
        config: { mediaType: configType, digest: digestOf("x"), size: 9_999_999 },
        layers: [],
      }),
    ];
    for (const manifest of manifests) {
      const registry = new MemoryRegistry();
      registry.tags.set("v7.0.0", registry.put(manifest));
      await assert.rejects(look(registry, first), { code: "release-foreign" }, manifest);
    }
    const registry = new MemoryRegistry();
    registry.lose(registry.configOf(registry.release("v7.0.0", first)));
    await assert.rejects(look(registry, first), { code: "release-foreign" });
  });
});

describe("a policy repository that changed", () => {
  useOwnCache();
  const policy = (rules: string[]) =>
    `apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {name: p}\nspec: {rules: [${rules.map((name) => `{name: ${name}}`)}]}\n`;
  const withPolicies = (text: string) =>
    inputsWith({ repositories: { "security-policy": { digest: digestOf(text) } } });
  /** A layer image as the program has it in hand. */
  const folder = (text: string) => ({
    "security-policy": {
      digest: digestOf(text),
      open: () => {
        const tar = pack();
        tar.entry({ name: "repos/security-policy/", type: "directory" });
        tar.entry({ name: "repos/security-policy/policies/p.yaml" }, text);
        tar.finalize();
        return Readable.from(tar);
      },
    },
  });

  it("whose old content is gone counts as a structure change, and says so", async () => {
    const registry = new MemoryRegistry();
    const [old, next] = [policy(["a"]), policy(["a", "b"])];
    registry.release("v1.0.0", withPolicies(old));
    const found = await look(registry, withPolicies(next), { folders: folder(next) });
    assert.equal(found.reason, "v1.0.0 → v2.0.0 (policy structure change)");
    assert.match(found.lines[0]!, /its content cannot be compared/);
  });

  it("is compared once: what a project remembers of both contents is not read again", async () => {
    const registry = new MemoryRegistry();
    const [old, next] = [policy(["a"]), policy(["b"])];
    const project = mkdtempSync(join(tmpdir(), "preflight-"));
    try {
      const memory = (name: string) => structureMemory(project, name);
      const [from, to] = [digestOf(old), digestOf(next)];
      await rememberStructure(memory("security-policy"), from, to, { removed: ["rule a"], added: ["rule b"] });
      registry.release("v1.0.0", withPolicies(old)); // the registry has none of its layers
      const found = await look(registry, withPolicies(next), { memory });
      assert.equal(found.reason, "v1.0.0 → v2.0.0 (policy structure change)");
      assert.match(found.lines[0]!, /rule a/);
    } finally {
      rmSync(project, { recursive: true });
    }
  });
});
