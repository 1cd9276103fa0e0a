import assert from "node:assert/strict";
import fc from "fast-check";
import { compareStructures, structureChange, structureOf } from "../../../lib/pins/structure";
import { times } from "../../support/counts";

type Texts = Record<string, string>;
const files = (texts: Texts) => new Map(Object.entries(texts).map(([path, text]) => [path, Buffer.from(text)]));
const entries = (texts: Texts) => [...structureOf(files(texts)).entries].sort();
const change = (old: Texts, next: Texts) => structureChange(files(old), files(next));

const policy = (name: string, rules: string[], kind = "ClusterPolicy", namespace?: string) =>
  `apiVersion: kyverno.io/v1\nkind: ${kind}\nmetadata:\n  name: ${name}\n${namespace ? `  namespace: ${namespace}\n` : ""}` +
  `spec:\n  rules:\n${rules.map((rule) => `  - name: ${rule}\n    match: {any: []}\n`).join("")}`;

describe("the structure of a policy repository", () => {
  it("is its top-level folders, its policies by kind, namespace and name, and their rules", () => {
    assert.deepEqual(
      entries({
        "README.md": "# hello",
        "policies/limits.yaml": policy("limits", ["cpu", "memory"]),
        "team/a/own.yml": policy("own", ["r"], "Policy", "team-a"),
      }),
      [
        "ClusterPolicy limits",
        "Policy team-a/own",
        "folder policies",
        "folder team",
        "rule cpu of ClusterPolicy limits",
        "rule memory of ClusterPolicy limits",
        "rule r of Policy team-a/own",
      ],
    );
  });

  it("sees every document of a file, and the items of a list", () => {
    const list = JSON.stringify({
      apiVersion: "v1",
      kind: "List",
      items: [{ apiVersion: "kyverno.io/v1", kind: "ClusterPolicy", metadata: { name: "c" } }, 7, null],
    });
    assert.deepEqual(
      entries({ "all.yaml": `${policy("a", [])}---\n# nothing\n---\n${policy("b", [])}`, "list.json": list }),
      ["ClusterPolicy a", "ClusterPolicy b", "ClusterPolicy c"],
    );
  });

  it("knows the other kinds of policies, and takes no other object for one", () => {
    const object = (apiVersion: string, kind: string) =>
      `apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: {name: x}\n`;
    assert.deepEqual(
      entries({
        "a.yaml": object("policies.kyverno.io/v1alpha1", "ValidatingPolicy"),
        "b.yaml": object("kyverno.io/v2", "PolicyException"),
        "c.yaml": object("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy"),
        "d.yaml": object("templates.gatekeeper.sh/v1", "ConstraintTemplate"),
        "e.yaml": object("v1", "ConfigMap"),
        "f.yaml": object("cli.kyverno.io/v1alpha1", "Test"),
        "g.yaml": object("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration"),
        "h.yaml": object("notkyverno.io/v1", "ClusterPolicy"),
        "i.yaml": "just text",
        "j.yaml": "apiVersion: [kyverno.io/v1]\nkind: {}\nmetadata: none\n",
      }),
      ["ConstraintTemplate x", "PolicyException x", "ValidatingAdmissionPolicy x", "ValidatingPolicy x"],
    );
  });

  it("is, of charts, their names and the paths of their templates, which are no YAML yet", () => {
    assert.deepEqual(
      entries({
        "charts/app/Chart.yaml": "name: app\nversion: 1.0.0\n",
        "charts/app/values.yaml": "replicas: 1\n",
        "charts/app/templates/deployment.yaml": "{{ if .Values.x }}\nkind: Deployment\n{{ end }}",
        "charts/app/templates/tests/probe.yaml": "{{ x }}",
        "charts/app/charts/sub/Chart.yaml": "name: sub\n",
        "charts/app/charts/sub/templates/a.yaml": "{{ y }}",
      }),
      [
        "chart app",
        "chart sub",
        "folder charts",
        "template app/templates/deployment.yaml",
        "template app/templates/tests/probe.yaml",
        "template sub/templates/a.yaml",
      ],
    );
  });

  it("takes a templates folder without a chart for what it is: YAML", () => {
    assert.deepEqual(entries({ "templates/a.yaml": policy("a", []) }), ["ClusterPolicy a", "folder templates"]);
  });

  it("may be a chart as a whole", () => {
    assert.deepEqual(entries({ "Chart.yaml": "name: root\n", "templates/a.yaml": "{{ x }}" }), [
      "chart root",
      "folder templates",
      "template root/templates/a.yaml",
    ]);
  });
});

describe("a structure that changed", () => {
  const old = {
    "policies/a.yaml": policy("a", ["one", "two"]),
    "policies/b.yaml": policy("b", ["one"]),
    "x/y.txt": "1",
  };

  it("is not changed by edits, additions and moves between files", () => {
    const edited = {
      ...old,
      "policies/a.yaml": `${policy("a", ["two", "one", "three"])}# edited\n`,
      "x/y.txt": "2",
      "z/new.txt": "",
    };
    assert.deepEqual(change(old, edited), { removed: [], added: ["folder z", "rule three of ClusterPolicy a"] });
    const moved = { "policies/all.yaml": `${old["policies/b.yaml"]}---\n${old["policies/a.yaml"]}`, "x/y.txt": "1" };
    assert.deepEqual(change(old, moved), { removed: [], added: [] });
  });

  it("names the folder, the policy and the rules that are gone", () => {
    assert.deepEqual(change(old, { "policies/a.yaml": policy("a", ["one"]) }).removed, [
      "ClusterPolicy b",
      "folder x",
      "rule one of ClusterPolicy b",
      "rule two of ClusterPolicy a",
    ]);
  });

  it("sees a renamed rule, policy, namespace and kind", () => {
    const one = { "a.yaml": policy("a", ["one"], "Policy", "team") };
    for (const next of [
      policy("a", ["uno"], "Policy", "team"),
      policy("b", ["one"], "Policy", "team"),
      policy("a", ["one"], "Policy", "group"),
      policy("a", ["one"], "ClusterPolicy", "team"),
    ]) {
      assert.notDeepEqual(change(one, { "a.yaml": next }).removed, []);
    }
  });

  it("counts nothing as removed that still stands in a file which did not change", () => {
    const twice = { "a.yaml": policy("same", ["r"]), "b.yaml": policy("same", ["r"]) };
    assert.deepEqual(change(twice, { "a.yaml": "", "b.yaml": twice["b.yaml"] }), { removed: [], added: [] });
  });

  it("does not fail on broken YAML in an old layer: a file that was mended lost nothing, one that is gone counts as removed", () => {
    const broken = "kind: [unclosed\n  x: {";
    assert.deepEqual(change({ "a.yaml": broken }, { "a.yaml": policy("a", []) }), {
      removed: [],
      added: ["ClusterPolicy a"],
    });
    assert.deepEqual(change({ "a.yaml": broken }, { "b.yaml": policy("a", []) }).removed, ["unreadable file a.yaml"]);
  });

  it("reads the good documents of a file with a broken one", () => {
    assert.ok(
      structureOf(files({ "a.yaml": `${policy("good", ["r"])}---\n{unclosed` })).entries.has("ClusterPolicy good"),
    );
  });

  it("survives alias bombs and bytes that are no text", () => {
    const level = (at: number) =>
      `${"abcdefghij"[at]}: &${"abcdefghij"[at]} [${Array(10).fill(at === 0 ? "x" : `*${"abcdefghij"[at - 1]}`)}]\n`;
    const bomb = Array.from({ length: 10 }, (_, at) => level(at)).join("");
    const { unreadable } = structureOf(
      files({ "bomb.yaml": bomb }).set("binary.yaml", Buffer.from([0x61, 0x3a, 0x20, 0xff])),
    );
    assert.deepEqual([...unreadable], ["bomb.yaml", "binary.yaml"]);
  });

  it("is found by looking at the differing files only, with the same result in random pairs", () => {
    const path = fc.constantFrom("a.yaml", "p/b.yaml", "p/Chart.yaml", "p/templates/c.yaml", "q/d.yaml", "e.txt");
    const text = fc.oneof(
      fc.constantFrom("", "{broken", "name: chart", "name: other"),
      fc.tuple(fc.constantFrom("a", "b"), fc.subarray(["one", "two"])).map(([name, rules]) => policy(name, rules)),
    );
    const tree = fc.dictionary(path, text);
    fc.assert(
      fc.property(tree, tree, (a, b) => {
        assert.deepEqual(change(a, b), compareStructures(structureOf(files(a)), structureOf(files(b))));
      }),
      { numRuns: times(1000) },
    );
  }).timeout(20_000);

  it("of 5,000 equal files and one edit is found within a second", () => {
    const many = Object.fromEntries(Array.from({ length: 5000 }, (_, at) => [`p/${at}.yaml`, policy(`p${at}`, ["r"])]));
    const started = performance.now();
    assert.deepEqual(change(many, { ...many, "p/7.yaml": `${many["p/7.yaml"]}# edited\n` }), {
      removed: [],
      added: [],
    });
    assert.ok(performance.now() - started < 1000);
  });
});
