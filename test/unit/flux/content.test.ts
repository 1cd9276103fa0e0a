// What goes into an artifact of policy repositories, and what is refused before anything is packed.
import assert from "node:assert/strict";
import { fluxArtifact } from "../../../lib/flux/artifact";
import { type ArtifactSources, artifactFiles } from "../../../lib/flux/content";
import { refused } from "../../support/refused";

const policy = (name: string, { kind = "ClusterPolicy", metadata = "" } = {}) =>
  `apiVersion: kyverno.io/v1\nkind: ${kind}\nmetadata:\n  name: ${name}\n${metadata}spec:\n  rules:\n    - name: one\n    - name: two\n`;
const configMap = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: b}\ndata: {}\n";

const repository = (files: Record<string, string>) =>
  new Map(Object.entries(files).map(([path, content]) => [path, Buffer.from(content)]));
const contentOf = (files: Record<string, string>, options: Partial<ArtifactSources> = {}) =>
  artifactFiles({ repositories: { security: repository(files) }, ...options });
const pathsOf = (files: Record<string, string>) => [...contentOf(files).files.keys()];

describe("content of an artifact", () => {
  it("takes the policies of all repositories under their names, and lists them in a kustomization of its own", () => {
    const { files } = artifactFiles({
      repositories: {
        security: repository({ "policies/b.yaml": policy("b"), "policies/a.yml": policy("a"), "README.md": "# x" }),
        devops: repository({ "c.yaml": policy("c") }),
      },
    });
    assert.deepEqual(
      [...files.keys()],
      ["kustomization.yaml", "devops/c.yaml", "security/policies/a.yml", "security/policies/b.yaml"],
    );
    assert.equal(
      files.get("kustomization.yaml")!.toString(),
      'apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n- "devops/c.yaml"\n- "security/policies/a.yml"\n- "security/policies/b.yaml"\n',
    );
    assert.equal(files.get("devops/c.yaml")!.toString(), policy("c"), "a file is delivered as it ships");
  });

  it("leaves out charts, their values, and YAML that is no object", () => {
    assert.deepEqual(
      pathsOf({
        "a.yaml": policy("a"),
        ".spectral.yaml": "extends: [[spectral:oas, off]]\n",
        "cd/dev/values.yaml": "kind: Pod\n",
        "charts/x/Chart.yaml": "apiVersion: v2\nname: x\nkind: chart\n",
        "charts/x/crds/a.yaml":
          "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: a}\n",
        "charts/x/templates/p.yaml": policy("{{ .Values.name }}"),
      }),
      ["kustomization.yaml", "security/a.yaml"],
    );
  });

  it("takes what helm rendered beside what ships", () => {
    const rendered = repository({
      "devops/charts/x/templates/p.yaml": policy("p"),
      "devops/charts/x/templates/NOTES.yaml": "\n",
    });
    const { files, documents } = contentOf({ "a.yaml": policy("a") }, { rendered });
    assert.deepEqual([...files.keys()], ["kustomization.yaml", "devops/charts/x/templates/p.yaml", "security/a.yaml"]);
    assert.deepEqual(
      documents.map(({ repository, path, kind, name, rules }) => [repository, path, kind, name, rules]),
      [
        ["devops", "devops/charts/x/templates/p.yaml", "ClusterPolicy", "p", ["one", "two"]],
        ["security", "security/a.yaml", "ClusterPolicy", "a", ["one", "two"]],
      ],
    );
  });

  it("knows a policy by what it asks for, not by how it is written", () => {
    const specOf = (text: string) => contentOf({ "a.yaml": text }).documents[0]!.spec;
    const [, ...rest] = policy("a").split("\n");
    const other = ["# a comment", "apiVersion: 'kyverno.io/v1'", ...rest]
      .join("\n")
      .replace("name: one", '"name": "one"');
    assert.equal(specOf(other), specOf(policy("a")));
    assert.equal(specOf(policy("b")), specOf(policy("a")), "the name is no part of the spec");
    assert.notEqual(specOf(policy("a").replace("two", "three")), specOf(policy("a")));
  });

  it("reads the objects of a list, and all documents of a file", () => {
    const list = `apiVersion: v1\nkind: List\nitems:\n- ${policy("a").trim().replaceAll("\n", "\n  ")}\n---\n${policy("b")}`;
    assert.deepEqual(
      contentOf({ "a.yaml": list }).documents.map(({ name }) => name),
      ["a", "b"],
    );
  });

  it("delivers other kinds where they are allowed", () => {
    const { documents } = contentOf({ "a.yaml": policy("a"), "b.yaml": configMap }, { allow: ["ConfigMap"] });
    assert.deepEqual(
      documents.map(({ kind }) => kind),
      ["ClusterPolicy", "ConfigMap"],
    );
  });

  it("packs 300 policies within three seconds", () => {
    const files = Object.fromEntries(
      Array.from({ length: 300 }, (_, at) => [
        `p/${at}.yaml`,
        `${policy(`p-${at}`)}${"    # a line that explains\n".repeat(60)}`,
      ]),
    );
    const start = process.cpuUsage(); // of this process: another one may have the machine
    const { documents, files: packed } = contentOf(files);
    fluxArtifact(packed);
    assert.equal(documents.length, 300);
    const { user, system } = process.cpuUsage(start);
    assert.ok(user + system < 3e6);
  });

  const bad: readonly [string, string, Record<string, string>, Partial<ArtifactSources>?][] = [
    ["nothing to deliver", "artifact-empty", { "README.md": "# x" }],
    ["an object that is no policy", "artifact-kind", { "a.yaml": policy("a"), "b.yaml": configMap }],
    [
      "an object that is no policy among rendered ones",
      "artifact-kind",
      {},
      { rendered: repository({ "x/a.yaml": configMap }) },
    ],
    [
      "a policy that is rendered and shipped",
      "policy-duplicate",
      { "a.yaml": policy("a") },
      { rendered: repository({ "x/a.yaml": policy("a") }) },
    ],
    ["one policy in two files", "policy-duplicate", { "a.yaml": policy("a"), "b.yaml": policy("a") }],
    [
      "two files for one place",
      "artifact-file-twice",
      { "a.yaml": policy("a") },
      { rendered: repository({ "security/a.yaml": policy("b") }) },
    ],
    ["a namespaced policy without a namespace", "artifact-namespace", { "a.yaml": policy("a", { kind: "Policy" }) }],
    ["a policy without a name", "policy-unnamed", { "a.yaml": policy("").replace("name: ", "title: ") }],
    ["broken YAML that was rendered", "policy-yaml-broken", {}, { rendered: repository({ "x/a.yaml": "kind: [" }) }],
    [
      "a kind that the pinned Kyverno does not know",
      "policy-kind-unknown",
      { "a.yaml": "apiVersion: policies.kyverno.io/v1\nkind: ValidatingPolicy\nmetadata: {name: a}\n" },
      { kyverno: "1.13.2" },
    ],
    [
      "aliases that explode",
      "policy-yaml-broken",
      {
        "a.yaml": `${Array.from({ length: 12 }, (_, at) => `k${at}: &a${at} [${at === 0 ? "x" : Array(9).fill(`*a${at - 1}`)}]`).join("\n")}\nkind: x\n`,
      },
    ],
  ];
  for (const [name, code, files, options] of bad) {
    it(`refuses ${name}`, async () => {
      await refused(code, () => contentOf(files, options));
    });
  }

  it("refuses one policy in two repositories, and names both files", async () => {
    const repositories = { a: repository({ "x.yaml": policy("one") }), b: repository({ "y.yaml": policy("one") }) };
    const error = await refused("policy-duplicate", () => artifactFiles({ repositories }));
    assert.match(error.message, /a\/x\.yaml/);
    assert.match(error.message, /b\/y\.yaml/);
  });

  it("takes a policy of one namespace where it names it", () => {
    const files = { "a.yaml": policy("a", { kind: "Policy", metadata: "  namespace: x\n" }) };
    assert.equal(contentOf(files).documents[0]!.namespace, "x");
  });
});

describe("a kustomization in a policy repository", () => {
  const kustomization = (resources: string[], more = "") =>
    `apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: ${JSON.stringify(resources)}\n${more}`;

  it("may list all policies, in folders too, and is not delivered", () => {
    assert.deepEqual(
      pathsOf({
        "kustomization.yaml": kustomization(["policies"]),
        "policies/kustomization.yaml": kustomization(["a.yaml", "./more/b.yaml"]),
        "policies/a.yaml": policy("a"),
        "policies/more/b.yaml": policy("b"),
      }),
      ["kustomization.yaml", "security/policies/a.yaml", "security/policies/more/b.yaml"],
    );
  });

  const bad: readonly [string, RegExp, string][] = [
    ["changes what it lists", /has "namePrefix"/, kustomization(["a.yaml", "b.yaml"], "namePrefix: x-\n")],
    ["patches", /has "patches"/, kustomization(["a.yaml", "b.yaml"], "patches: []\n")],
    ["lists not all that ships", /does not list "b\.yaml"/, kustomization(["a.yaml"])],
    [
      "lists something elsewhere",
      /lists "https:\/\/example\.com\/x", which/,
      kustomization(["a.yaml", "b.yaml", "https://example.com/x"]),
    ],
    [
      "lists what is above the repository",
      /lists "\.\.\/x\.yaml", which/,
      kustomization(["a.yaml", "b.yaml", "../x.yaml"]),
    ],
    ["has no list of paths", /no list of paths/, "resources: [1]\n"],
    ["cannot be read", /not one document/, "resources: [\n"],
  ];
  for (const [name, said, text] of bad) {
    it(`is refused where it ${name}`, async () => {
      const error = await refused("artifact-kustomization", () =>
        contentOf({ "kustomization.yml": text, "a.yaml": policy("a"), "b.yaml": policy("b") }),
      );
      assert.match(error.message, said);
    });
  }
});
