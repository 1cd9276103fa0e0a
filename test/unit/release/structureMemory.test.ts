// What a preview remembers of compared policy repositories: found again by both digests, worth nothing in doubt.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { recallStructure, rememberStructure, structureMemory } from "../../../lib/release/structureMemory";
import { useOwnCache } from "../../support/ownCache";
import { digestOf } from "../pins/arbitraries";

describe("the memory of compared policy repositories", () => {
  const cache = useOwnCache();
  let project: string;
  let file: string;
  beforeEach(() => {
    project = mkdtempSync(join(tmpdir(), "structures-"));
    file = structureMemory(project, "security-policy");
  });
  afterEach(() => rmSync(project, { recursive: true }));

  const [a, b, c] = [digestOf("a"), digestOf("b"), digestOf("c")];
  const change = { removed: ["rule x of ClusterPolicy p"], added: [] };

  it("knows a pair again, in its direction only", async () => {
    assert.equal(await recallStructure(file, a, b), undefined);
    await rememberStructure(file, a, b, change);
    await rememberStructure(file, b, c, { removed: [], added: ["folder y"] });
    assert.deepEqual(await recallStructure(file, a, b), change);
    assert.deepEqual(await recallStructure(file, b, c), { removed: [], added: ["folder y"] });
    assert.equal(await recallStructure(file, b, a), undefined);
  });

  it("is not in the project, where a commit could bring it", () => {
    assert.ok(file.startsWith(`${cache()}/`) && !file.startsWith(project), file);
    assert.notEqual(structureMemory(join(project, "other"), "security-policy"), file);
  });

  it("keeps the last pairs and stays small", async () => {
    await rememberStructure(file, a, b, change);
    for (let index = 0; index < 40; index++) await rememberStructure(file, digestOf(`${index}`), c, change);
    assert.equal(await recallStructure(file, a, b), undefined);
    assert.deepEqual(await recallStructure(file, digestOf("39"), c), change);
    assert.equal(JSON.parse(readFileSync(file, "utf8")).changes.length, 16);
  });

  it("remembers nothing from a file that is broken or of other rules, and writes it anew", async () => {
    mkdirSync(join(file, ".."), { recursive: true });
    const entry = { from: a, to: b, ...change };
    for (const text of [
      "",
      "null",
      '{"format":1}',
      JSON.stringify({ format: 0, changes: [entry] }),
      JSON.stringify({ format: 1, changes: [{ ...entry, removed: "everything" }] }),
      JSON.stringify({ format: 1, changes: [{ from: a, to: b }, null] }),
    ]) {
      writeFileSync(file, text);
      assert.equal(await recallStructure(file, a, b), undefined, text);
    }
    await rememberStructure(file, a, b, change);
    assert.deepEqual(await recallStructure(file, a, b), change);
  });

  it("is no error where it cannot be written", async () => {
    writeFileSync(join(cache(), "policy-platform"), "a file in the way");
    await rememberStructure(file, a, b, change);
    assert.equal(await recallStructure(file, a, b), undefined);
  });
});
