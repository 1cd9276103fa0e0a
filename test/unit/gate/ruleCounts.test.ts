// Which sums stand for many policy files, and what is remembered of which image.
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { pinsIn } from "../../../lib/gate/image";
import type { ReadFile } from "../../../lib/gate/policyFiles";
import { PolicyMemory } from "../../../lib/gate/policyMemory";
import { samplesOf } from "../../../lib/gate/ruleCounts";
import { type Digest, sha256 } from "../../../lib/oci/digest";
import { type Inputs, inputDigest, inputsDocument } from "../../../lib/pins/model";

const file = (index: number): ReadFile => {
  const content = Buffer.from(`${index}`);
  return { path: `/repos/p/${index}.yaml`, content, digest: sha256(content), policies: ["p"], written: 1, likely: 1 };
};

describe("the sums that stand for many policy files", () => {
  it("show one, two or three wrong guesses, also when these make up for each other", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 256 }),
        fc.array(fc.tuple(fc.nat(255), fc.integer({ min: -3, max: 3 })), { minLength: 1, maxLength: 3 }),
        (size, wrong) => {
          const group = Array.from({ length: size }, (_, index) => file(index));
          const errors = new Map(
            wrong.filter(([, error]) => error !== 0).map(([at, error]) => [group[at % size]!, error]),
          );
          fc.pre(errors.size > 0);
          const sums = samplesOf(group).map((sample) => sample.reduce((sum, one) => sum + (errors.get(one) ?? 0), 0));
          assert.ok(sums.some((sum) => sum !== 0));
        },
      ),
    );
  });

  it("are the same sums each time, in whatever order the files come, and no more than needed", () => {
    const group = Array.from({ length: 256 }, (_, index) => file(index));
    assert.deepEqual(samplesOf(group), samplesOf([...group].reverse()));
    assert.equal(samplesOf(group).length, 9);
    assert.deepEqual(samplesOf([file(1)]), [[file(1)]]);
  });
});

describe("what is remembered of a kyverno", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "memory-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));
  const kyverno = sha256("kyverno");

  it("answers the question that was asked, and no other one about the same bytes", async () => {
    const memory = await PolicyMemory.open(kyverno, { folder });
    memory.learn("chart", sha256("policy"), 3);
    await memory.save();
    const later = await PolicyMemory.open(kyverno, { folder });
    assert.equal(later.rules("chart", sha256("policy")), 3);
    for (const question of ["file", "folder", "tests"] as const)
      assert.equal(later.rules(question, sha256("policy")), undefined);
    assert.equal((await PolicyMemory.open(sha256("another"), { folder })).rules("chart", sha256("policy")), undefined);
  });

  it("is nothing where no kyverno is known for sure, and nothing of a file that says nonsense", async () => {
    const memory = await PolicyMemory.open(undefined, { folder });
    memory.learn("file", sha256("policy"), 3);
    await memory.save();
    assert.deepEqual(readdirSync(folder), []);
    const known = await PolicyMemory.open(kyverno, { folder });
    known.learn("file", sha256("policy"), 3);
    await known.save();
    const path = join(folder, readdirSync(folder)[0]!);
    for (const rules of ["0", "-1", "1.5", '"3"']) {
      writeFileSync(path, readFileSync(path, "utf8").replace(/:[^:]+\}\}$/, `:${rules}}}`));
      assert.equal((await PolicyMemory.open(kyverno, { folder })).rules("file", sha256("policy")), undefined, rules);
    }
  });

  it("goes along to a machine that remembers nothing: what a run used or learnt, and nothing older", async () => {
    const older = await PolicyMemory.open(kyverno, { folder });
    for (const name of ["used", "unused"]) older.learn("file", sha256(name), 3);
    await older.save();
    const run = await PolicyMemory.open(kyverno, { folder });
    run.rules("file", sha256("used"));
    run.learn("folder", sha256("learnt"), 5);
    const carried = JSON.parse(JSON.stringify(run.carry()));
    assert.deepEqual(carried.rules, { [`file ${sha256("used")}`]: 3, [`folder ${sha256("learnt")}`]: 5 });
    const empty = join(folder, "elsewhere");
    const there = await PolicyMemory.open(kyverno, { folder: empty, carried });
    assert.equal(there.rules("file", sha256("used")), 3);
    assert.equal(there.rules("file", sha256("unused")), undefined);
    assert.equal(
      (await PolicyMemory.open(sha256("another"), { folder: empty, carried })).rules("file", sha256("used")),
      undefined,
    );
    assert.equal((await PolicyMemory.open(undefined, { folder: empty, carried })).carry(), undefined);
  });

  it("takes nothing along that is no count of rules", async () => {
    const { by } = (await PolicyMemory.open(kyverno, { folder })).carry()!;
    const rules = {
      [`file ${sha256("a")}`]: 0,
      [`file ${sha256("b")}`]: "3",
      "file c": 3,
      __proto__: 1,
    } as unknown as Record<string, number>;
    const memory = await PolicyMemory.open(kyverno, { folder, carried: { by, rules } });
    for (const name of ["a", "b", "c"]) assert.equal(memory.rules("file", sha256(name)), undefined);
  });

  it("goes by the inputs that the gate was asked about, never by what an image claims beside them", () => {
    const inputs = (digest: Digest): Inputs => ({
      base: sha256("base"),
      format: 1,
      image: { user: "65532:65532" },
      repositories: {},
      tools: { kyverno: { digest, version: "1.18.2" } },
    });
    const label = (digest: Digest) => inputsDocument(inputs(digest));
    const own = inputDigest(inputs(kyverno));
    assert.equal(pinsIn(label(kyverno), own)?.tools.kyverno?.digest, kyverno);
    assert.equal(pinsIn(label(sha256("official")), own), undefined);
    for (const broken of [undefined, "", "{}", "null", "[]"]) assert.equal(pinsIn(broken, own), undefined);
  });
});
