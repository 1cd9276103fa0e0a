// Kinds and names of policies; that YAML is YAML, and what is remembered: test/unit/config/policyFolder.test.ts.
import assert from "node:assert/strict";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sha256, shortDigest } from "../../../lib/oci/digest";
import { type CheckedRepository, checkPolicies, requirePolicies } from "../../../lib/policies/check";
import { memoryFile } from "../../../lib/policies/memory";
import { times } from "../../support/counts";
import { useOwnCache } from "../../support/ownCache";

/** A repository that is read from memory, and how often its files were. */
function repository(shown: string, contents: Readonly<Record<string, string>>, memory?: string) {
  const reads: string[] = [];
  const checked: CheckedRepository = {
    shown,
    files: Object.fromEntries(Object.entries(contents).map(([file, text]) => [file, shortDigest(sha256(text))])),
    source: async (file) => {
      reads.push(file);
      return Buffer.from(contents[file]!);
    },
    ...(memory !== undefined && { memory }),
  };
  return { ...checked, reads };
}

const object = (apiVersion: string, kind: string, name: string, namespace?: string) =>
  `apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata:\n  name: ${name}\n${namespace ? `  namespace: ${namespace}\n` : ""}`;
const policy = (name: string) => object("kyverno.io/v1", "ClusterPolicy", name);
const kyverno = "1.13.2";

/** `file:line: reason` of each problem. */
async function problems(...repositories: readonly CheckedRepository[]) {
  const found = await checkPolicies(repositories, { kyverno });
  return found.problems.map(({ repository: at, file, line, code, reason }) => {
    return `${repositories[at]!.shown}/${file}:${line}: ${code}: ${reason}`;
  });
}

describe("the kinds of the policies that ship", () => {
  useOwnCache();
  it("are taken when the pinned Kyverno knows them, with metadata of any kind beside them", async () => {
    const files = {
      "a.yaml": policy("a"),
      "b.yml": object("kyverno.io/v2beta1", "Policy", "b", "team"),
      "c.yaml": object("kyverno.io/v2", "ClusterCleanupPolicy", "c"),
      "d.yaml": object("kyverno.io/v2", "PolicyException", "d", "team"),
      "e.yaml": object("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy", "e"),
      "artifacthub-pkg.yml": "name: a\nversion: 1.0.0\n",
      "kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [a.yaml]\n",
      "config.yaml": object("v1", "ConfigMap", "x"),
      "list.yaml": "- a\n- b\n",
      "other.yaml": object("nvidia.com/v1", "ClusterPolicy", "a"),
    };
    assert.deepEqual(await problems(repository("policies", files)), []);
  });

  it("are refused with file, line and the way out when it does not, all at once", async () => {
    const files = {
      "new.yaml": `${policy("a")}---\n# since 1.17\n${object("policies.kyverno.io/v1", "ValidatingPolicy", "new")}`,
      "old.yaml": object("kyverno.io/v2alpha1", "PolicyException", "old"),
      "typo.yaml": object("kyverno.io/v1", "ClusterPolcy", "typo"),
    };
    const found = await problems(repository("policies/x", files));
    assert.deepEqual(found.slice(0, 2), [
      "policies/x/new.yaml:7: policy-kind-unknown: ValidatingPolicy of policies.kyverno.io/v1 is not known to kyverno 1.13.2: raise kyverno to 1.17 or later, or change the document",
      "policies/x/old.yaml:1: policy-kind-unknown: PolicyException of kyverno.io/v2alpha1 is not known to kyverno 1.13.2: write kyverno.io/v2beta1 or kyverno.io/v2",
    ]);
    assert.match(found[2]!, /^policies\/x\/typo\.yaml:1: .*its kinds are CleanupPolicy, /);
  });

  it("are judged anew when another Kyverno is pinned, without reading a file again", async () => {
    const memory = memoryFile(mkdtempSync(join(tmpdir(), "project-")), "x");
    const contents = { "new.yaml": object("policies.kyverno.io/v1", "ValidatingPolicy", "new") };
    const first = repository("x", contents, memory);
    assert.equal((await checkPolicies([first], { kyverno: "1.13.2" })).problems.length, 1);
    const second = repository("x", contents, memory);
    assert.deepEqual((await checkPolicies([second], { kyverno: "1.17.0" })).problems, []);
    assert.equal((await checkPolicies([second], { kyverno: "1.16.0" })).problems.length, 1);
    assert.deepEqual([first.reads, second.reads], [["new.yaml"], []]);
  });

  it("are left to the gate, and that is said, when the pinned Kyverno is newer than any that is known here", async () => {
    const x = repository("x", { "new.yaml": object("policies.kyverno.io/v2", "ValidatingPolicy", "new") });
    const { problems: found, notes } = await checkPolicies([x], { kyverno: "1.30.0" });
    assert.deepEqual(found, []);
    assert.deepEqual(notes, [
      "kyverno 1.30.0 is newer than what this program knows: the kinds of 1.17 are taken for its own; the gate tells whether it takes x/new.yaml:1",
    ]);
  });

  it("stand beside a name that is a text", async () => {
    const files = {
      "a.yaml": "apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {}\n",
      "b.yaml": "apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {name: 1}\n",
      "c.yaml": "apiVersion: kyverno.io/v1\nmetadata: {name: c}\n",
    };
    assert.deepEqual(await problems(repository("x", files)), [
      "x/a.yaml:1: policy-unnamed: ClusterPolicy has no name",
      "x/b.yaml:1: policy-unnamed: ClusterPolicy has no name",
      "x/c.yaml:1: policy-unnamed: an object of kyverno.io/v1 has no kind",
    ]);
  });

  it("cannot write on the screen of who reads the error", async () => {
    const files = { "a.yaml": `apiVersion: kyverno.io/v1\nkind: "Cluster\\e[31m\\nPolicy"\nmetadata: {name: a}\n` };
    const [found] = await problems(repository("x", files));
    assert.match(found!, /^x\/a\.yaml:1: policy-kind-unknown: Cluster Policy of kyverno\.io\/v1 is not known/);
  });
});

describe("the names of the policies that ship", () => {
  it("are given once: in a file, between files, and between repositories", async () => {
    const first = repository("policies/a", {
      "one.yaml": `${policy("x")}---\n${policy("x")}`,
      "two.yaml": policy("y"),
      "zwei.yaml": policy("y"),
    });
    const second = repository("policies/b", { "z.yaml": policy("x") });
    assert.deepEqual(await problems(first, second), [
      "policies/a/one.yaml:6: policy-duplicate: ClusterPolicy x is in policies/a/one.yaml:1 already",
      "policies/a/zwei.yaml:1: policy-duplicate: ClusterPolicy y is in policies/a/two.yaml:1 already",
      "policies/b/z.yaml:1: policy-duplicate: ClusterPolicy x is in policies/a/one.yaml:1 already",
    ]);
  });

  it("may be equal in other kinds, groups and namespaces", async () => {
    const files = {
      "a.yaml": policy("x"),
      "b.yaml": object("kyverno.io/v1", "Policy", "x", "a"),
      "c.yaml": object("kyverno.io/v1", "Policy", "x", "b"),
      "d.yaml": object("kyverno.io/v2", "ClusterCleanupPolicy", "x"),
      "e.yaml": object("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy", "x"),
      "f.yaml": object("v1", "ConfigMap", "x"),
      "g.yaml": object("v1", "ConfigMap", "x"),
    };
    assert.deepEqual(await problems(repository("x", files)), []);
  });

  it("are the same in another version of the API, and a namespace makes no other policy of what a cluster has once", async () => {
    const files = {
      "a.yaml": policy("x"),
      "b.yaml": object("kyverno.io/v2beta1", "ClusterPolicy", "x"),
      "c.yaml": object("kyverno.io/v1", "ClusterPolicy", "x", "team"),
    };
    assert.equal((await problems(repository("x", files))).length, 2);
  });

  it("are found in the items of a list", async () => {
    const list = `apiVersion: v1\nkind: List\nitems:\n  - apiVersion: kyverno.io/v1\n    kind: ClusterPolicy\n    metadata: {name: x}\n`;
    assert.deepEqual(await problems(repository("x", { "a.yaml": policy("x"), "b.yaml": list })), [
      "x/b.yaml:4: policy-duplicate: ClusterPolicy x is in x/a.yaml:1 already",
    ]);
  });

  it("are not looked for in the templates of a chart", async () => {
    const files = {
      "chart/Chart.yaml": "name: c\n",
      "chart/templates/a.yaml": policy("x"),
      "chart/templates/b.yaml": policy("x"),
    };
    assert.deepEqual(await problems(repository("x", files)), []);
  });
});

describe("policies that are required to be in order", () => {
  useOwnCache();
  it("give one error with every line: the code of the only kind of problem, or one for all", async () => {
    const two = repository("policies/x", { "a.yaml": policy("x"), "b.yaml": policy("x") });
    await assert.rejects(requirePolicies([two], { kyverno }), {
      code: "policy-duplicate",
      message: /^policies\/x\/b\.yaml:1: ClusterPolicy x is in policies\/x\/a\.yaml:1 already; .*\.policyignore$/,
    });
    const broken = repository("policies/y", { "c.yaml": "a: [\n", "d.yaml": object("kyverno.io/v7", "Policy", "d") });
    await assert.rejects(requirePolicies([two, broken], { kyverno }), (error: { code: string; message: string }) => {
      assert.equal(error.code, "policies-invalid");
      for (const place of ["policies/x/b.yaml:1: ", "policies/y/c.yaml:2: ", "policies/y/d.yaml:1: "])
        assert.ok(error.message.includes(place), error.message);
      return true;
    });
  });

  it("show twenty of many", async () => {
    const files = Object.fromEntries(Array.from({ length: 25 }, (_, at) => [`${at}.yaml`, policy("same")]));
    await assert.rejects(requirePolicies([repository("x", files)], { kyverno }), /\nand 4 more; /);
  });

  it("are found in files that did not change, however many, without reading one, in next to no time", async () => {
    const memory = memoryFile(mkdtempSync(join(tmpdir(), "project-")), "big");
    const contents = Object.fromEntries(
      Array.from({ length: times(5000) }, (_, index) => [`p/${index}.yaml`, policy(`policy-${index}`)]),
    );
    await requirePolicies([repository("big", contents, memory)], { kyverno });
    const again = repository("big", contents, memory);
    const started = process.cpuUsage();
    await requirePolicies([again], { kyverno });
    const { user, system } = process.cpuUsage(started);
    assert.deepEqual(again.reads, []);
    assert.ok(user + system < 250_000, `${user + system} microseconds of processor time`);
    writeFileSync(memory, "{");
    assert.equal((await checkPolicies([again], { kyverno })).problems.length, 0);
    assert.equal(again.reads.length, times(5000));
  }).timeout(30_000);
});
