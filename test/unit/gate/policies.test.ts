// stand-in: the check of a repository's policies on a kyverno that is a few lines, for what takes too many files or freaks of
// numbers to be shown with the real one, which test/provider/gatePolicies.test.ts has.
import assert from "node:assert/strict";
import type { ExecOutcome } from "../../../lib/gate/exec";
import { checkRepository } from "../../../lib/gate/policies";
import { PolicyMemory } from "../../../lib/gate/policyMemory";
import type { PolicyPrograms } from "../../../lib/gate/ruleCounts";

const policy = (name: string, rules = 1) =>
  `apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {name: ${name}}\nspec:\n  rules:\n${`    - {name: r, match: {any: [{resources: {kinds: [Service]}}]}, validate: {}}\n`.repeat(rules)}`;
const foreign = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n";

type Spoil = (argv: readonly string[]) => Partial<ExecOutcome>;

/** Counts rules as written; a text with a ConfigMap applies none. `odd` changes the count of one text, `spoil` an outcome. */
function standIn(
  contents: ReadonlyMap<string, Buffer>,
  odd: (text: string) => number = () => 0,
  spoil: Spoil = () => ({}),
) {
  const put = new Map<string, string>();
  const runs: string[][] = [];
  const programs: PolicyPrograms = {
    exec: async (argv) => {
      runs.push([...argv]);
      const paths = argv.filter((word) => word.startsWith("/"));
      const text = (path: string) => put.get(path) ?? contents.get(path)?.toString() ?? "";
      const rules = paths.map((path) =>
        text(path).includes("ConfigMap") ? 0 : (text(path).match(/name: r,/g) ?? []).length + odd(text(path)),
      );
      const skipped = paths
        .filter((path) => argv.includes("3") && text(path).includes("ConfigMap"))
        .map(
          (path) =>
            `skipping invalid YAML file error="failed to load file ${path}: policy type not supported" path=${path.includes(" ") ? `"${path}"` : path} v=3\n`,
        );
      const sum = rules.reduce((total, count) => total + count, 0);
      const stdout = `${skipped.join("")}\nApplying ${sum} policy rule(s) to 0 resource(s)...\n\npass: 0, fail: 0, warn: 0, error: 0, skip: 0 \n`;
      const good = { code: 0, stdout, stderr: "", output: stdout, truncated: false, timedOut: false, oomKilled: false };
      return { ...good, ...spoil(argv) };
    },
    put: async (folder, files) => {
      for (const [name, content] of files) put.set(`/gate/${folder}/${name}`, content.toString());
      return `/gate/${folder}`;
    },
  };
  return { programs, runs };
}

const check = async (files: Record<string, string>, odd?: (text: string) => number, spoil?: Spoil) => {
  const contents = new Map(Object.entries(files).map(([name, text]) => [`/repos/p/${name}`, Buffer.from(text)]));
  const { programs, runs } = standIn(contents, odd, spoil);
  const memory = await PolicyMemory.open(undefined);
  const found = await checkRepository("p", { programs, contents, notKept: [], memory, limits: { timeoutSeconds: 60 } });
  return { ...found, runs };
};
const many = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`${i}.yaml`, policy(`p${i}`)]));

describe("stand-in: the policies of a large repository", () => {
  it("are proven in few runs, and the folder is not read as typed when that would take too long", async () => {
    const { check: found, runs } = await check({ ...many(1000), "kustomization.yaml": "resources: []\n" });
    assert.equal(found.status, "passed", found.detail);
    assert.equal(found.detail, "1000 policy files, 1000 rules");
    assert.match(found.output!, /too many to be read as typed/);
    assert.ok(runs.length < 60, `${runs.length} runs`);
    assert.ok(!runs.some((argv) => argv.includes("/repos/p/")));
  });

  it("still have the file beside them named that makes Kyverno drop them all", async () => {
    const { check: found } = await check({ ...many(1000), "z/settings.yaml": foreign });
    assert.equal(found.status, "failed");
    assert.match(
      found.detail,
      /sees 0 of 1000 rules; to blame: \/repos\/p\/z\/settings\.yaml: policy type not supported/,
    );
  });

  const silent = { stdout: "", stderr: "", output: "" };
  const broken: Record<string, Partial<ExecOutcome>> = {
    "does not end": { code: undefined, timedOut: true, ...silent },
    floods: { code: undefined, truncated: true, ...silent },
    crashes: { code: 2, ...silent, output: "panic" },
    "needs all memory": { code: 137, oomKilled: true, ...silent },
  };
  for (const [what, outcome] of Object.entries(broken)) {
    it(`fail under a kyverno that ${what} when it is asked about a file beside them`, async () => {
      const files = { ...many(160), "settings.yaml": foreign };
      const asked: Spoil = (argv) => (argv.includes("-v") || argv.some((word) => /beside/.test(word)) ? outcome : {});
      const { check: found } = await check(files, undefined, asked);
      assert.equal(found.status, "failed", found.detail);
      assert.match(found.detail, /kyverno was not heard to the end, .*\/repos\/p\/settings\.yaml/);
      // Not even when the policy that it is compared with is not heard of either.
      const all: Spoil = (argv) => (/ \/repos\/p\/\S+ --resource|beside|-v/.test(argv.join(" ")) ? outcome : {});
      assert.equal((await check(files, undefined, all)).check.status, "failed");
    });
  }

  it("have a file beside them named wherever it stands among many, and with a space in its name", async () => {
    const beside = Object.fromEntries(Array.from({ length: 900 }, (_, i) => [`y/${i}.yaml`, "a: 1\n"]));
    const { check: found } = await check({ ...many(3), ...beside, "z/my settings.yaml": foreign });
    assert.match(found.detail, /to blame: \/repos\/p\/z\/my settings\.yaml: policy type not supported/);
  });

  it("do not pass because one file's surplus makes up for another one that applies nothing", async () => {
    const files = { ...many(60), "a.yaml": policy("a"), "b.yaml": policy("b") };
    const odd = (text: string) => (text.includes("{name: a}") ? -1 : 0) + (text.includes("{name: b}") ? 1 : 0);
    let caught = 0;
    for (let round = 0; round < 20; round++) {
      const { check: found } = await check(files, odd);
      if (found.status === "failed" && /\/repos\/p\/a\.yaml applies no rule at all/.test(found.detail)) caught++;
    }
    // A round misses once in 2^8; two misses in twenty are one in 400.
    assert.ok(caught >= 18, `${caught} of 20`);
  });

  it("are not passed over when they are of a kind of which this kyverno sees no rule", async () => {
    const text = "apiVersion: policies.kyverno.io/v1alpha1\nkind: ValidatingPolicy\nmetadata: {name: v}\nspec: {}\n";
    const { check: found } = await check({ "v.yaml": text });
    assert.match(`${found.status}: ${found.detail}`, /^failed: \/repos\/p\/v\.yaml applies no rule at all/);
  });
});
