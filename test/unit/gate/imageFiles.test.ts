// What the gate keeps of an image's files, and what becomes of a repository of which it keeps too little.
import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { readFiles, tarOf } from "../../../lib/gate/imageFiles";
import { checkRepository } from "../../../lib/gate/policies";
import { PolicyMemory } from "../../../lib/gate/policyMemory";

const archive = (files: Record<string, string>) => Readable.from([tarOf(new Map(Object.entries(files)))]);

describe("the files of an image", () => {
  const files = {
    "repos/a/one.yaml": "123456",
    "repos/a/picture.png": "1234567890",
    "repos/b/two.yaml": "1234567890",
    "repos/c/three.yml": "123456",
    "repos/d/four.yaml": "12",
  };

  it("are kept up to a size each and in all, and those that are not are named", async () => {
    const { paths, contents, notKept } = await readFiles(archive(files), "/repos", "i", { each: 8, all: 10 });
    assert.deepEqual(
      paths,
      Object.keys(files)
        .map((name) => `/${name}`)
        .sort(),
    );
    assert.deepEqual([...contents.keys()], ["/repos/a/one.yaml", "/repos/d/four.yaml"]);
    assert.deepEqual(notKept, ["/repos/a/picture.png", "/repos/b/two.yaml", "/repos/c/three.yml"]);
  });

  it("fail the policies of a repository whose YAML was not read, by name, and of no other one", async () => {
    const { contents, notKept } = await readFiles(archive(files), "/repos", "i", { each: 8, all: 10 });
    const nothing = async () => assert.fail("nothing is run for it");
    const scene = {
      programs: { exec: nothing, put: nothing },
      contents,
      notKept,
      memory: await PolicyMemory.open(undefined),
      limits: { timeoutSeconds: 1 },
    };
    const said = async (name: string) => {
      const { check } = await checkRepository(name, scene);
      return `${check.status}: ${check.detail}`;
    };
    assert.equal(await said("a"), "skipped: /repos/a holds no policies outside of charts");
    assert.equal(await said("b"), "failed: too large for the gate, which did not read /repos/b/two.yaml");
    assert.equal(await said("c"), "failed: too large for the gate, which did not read /repos/c/three.yml");
    assert.equal(await said("d"), "skipped: /repos/d holds no policies outside of charts");
  });
});
