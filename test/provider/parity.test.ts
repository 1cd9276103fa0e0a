// Parity of the sample repositories with their artifacts, by the real helm and kyverno of this machine; and images that do not
// have it. What a container adds is in test/e2e/chartGate.test.ts.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fluxArtifact } from "../../lib/flux/artifact";
import { artifactFiles } from "../../lib/flux/content";
import { plainPolicies } from "../../lib/flux/imagePolicies";
import { compareParity } from "../../lib/flux/parity";
import { listedDocuments, unpackLayer } from "../../lib/flux/unpacked";
import { chartsOfImage } from "../../lib/gate/charts";
import type { Check } from "../../lib/gate/check";
import { seenDeliveries } from "../../lib/gate/delivery";
import { checkParity, type ParityResult } from "../../lib/gate/parity";
import { folderLayerImage } from "../../lib/oci/layer";
import { corpusPolicies, kyvernoChart } from "../support/corpus";
import { hostGate } from "../support/hostGate";
import { builtProgram } from "../support/kyverno";

type Files = Readonly<Record<string, string | Buffer>>;

/** What ships of a sample repository. */
async function shipped(repository: string): Promise<Files> {
  const { files } = await folderLayerImage(`policies/${repository}`, { at: `/repos/${repository}` });
  return Object.fromEntries(Object.keys(files).map((path) => [path, readFileSync(join("policies", repository, path))]));
}

const policy = (name: string, rule = "named", kind = "ClusterPolicy") =>
  `apiVersion: kyverno.io/v1\nkind: ${kind}\nmetadata:\n  name: ${name}\nspec:\n  rules:\n    - name: ${rule}\n      match: {any: [{resources: {kinds: [Service]}}]}\n      validate: {message: needs a name, pattern: {metadata: {name: "?*"}}}\n`;
const signed = (name: string) =>
  `apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata:\n  name: ${name}\nspec:\n  rules:\n    - name: signed\n      match: {any: [{resources: {kinds: [Pod]}}]}\n      verifyImages: [{imageReferences: ["*"], attestors: []}]\n`;
const exception =
  "apiVersion: kyverno.io/v2\nkind: PolicyException\nmetadata: {name: spare, namespace: shop}\nspec:\n  exceptions: [{policyName: a, ruleNames: [named]}]\n  match: {any: [{resources: {kinds: [Service]}}]}\n";
const chart = "apiVersion: v2\nname: rules\nversion: 1.0.0\n";

describe("parity of an image and its artifacts", function () {
  this.timeout(120_000);

  /** `image`: by repository what the image has, `layers`: what its layer images have where that differs. */
  const parity = async (
    image: Readonly<Record<string, Files>>,
    environments: readonly string[],
    { layers = image, allow = [] as readonly string[] } = {},
  ): Promise<ParityResult> => {
    const below = Object.entries(image).flatMap(([name, files]) =>
      Object.entries(files).map(([path, content]) => [`${name}/${path}`, content] as const),
    );
    const context = await hostGate(Object.fromEntries(below), {
      helm: builtProgram("helm"),
      kyverno: builtProgram("kyverno"),
    });
    try {
      const seen = await seenDeliveries(context, chartsOfImage(context), {
        repositories: Object.keys(image),
        environments,
        allow,
      });
      const repositories = Object.entries(layers).map(([name, files]) => [
        name,
        new Map(Object.entries(files).map(([path, content]) => [path, Buffer.from(content)])),
      ]);
      const sources = { repositories: Object.fromEntries(repositories), allow, kyverno: "1.13.2" };
      return await checkParity(seen, { ...sources, render: () => undefined });
    } finally {
      context.close();
    }
  };
  const only = ({ checks, artifacts }: ParityResult): Check => {
    assert.equal(checks.length, 1);
    assert.equal("dev" in artifacts, checks[0]!.status === "passed");
    return checks[0]!;
  };

  it("is there for the sample repositories in each environment, and the second run finds the same artifacts", async () => {
    const names = ["security-policy", "devops-policy", "backend-applications"];
    const image = Object.fromEntries(
      await Promise.all(names.map(async (name) => [name, await shipped(name)] as const)),
    );
    const { checks, artifacts } = await parity(image, ["dev", "production"]);
    assert.deepEqual(
      checks.map(({ name, status, detail }) => [name, status, detail.replace(/sha256:\w+$/, "…")]),
      [
        ["parity: dev", "passed", "23 policies with 30 written rules are what kyverno apply ran, in artifact …"],
        ["parity: production", "passed", "24 policies with 31 written rules are what kyverno apply ran, in artifact …"],
      ],
    );
    assert.notEqual(artifacts.dev!.digest, artifacts.production!.digest);
    assert.deepEqual((await parity(image, ["dev", "production"])).artifacts, artifacts);
  });

  it("counts apart what was not checked, what is not for kyverno apply, and what is not delivered", async () => {
    const image = {
      team: {
        "a.yaml": policy("a"),
        "exception.yaml": exception,
        "signed.yaml": signed("signed"),
        "cd/dev/values.yaml": "",
        "charts/rules/Chart.yaml": chart,
        "charts/rules/templates/a.yaml": `${policy("b")}---\n${signed("far")}---\n${exception.replace("spare", "other")}---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: colours}\n`,
      },
    };
    const { status, detail } = only(await parity(image, ["dev"]));
    assert.equal(status, "passed", detail);
    assert.match(
      detail,
      /^2 policies with 2 written rules are .*; the same, and not checked here: ClusterPolicy far, ClusterPolicy signed; the same, and not for kyverno apply: PolicyException shop\/other, PolicyException shop\/spare; rendered by charts and not delivered: ConfigMap colours of \/repos\/team\/charts\/rules$/,
    );
    const allowed = only(await parity(image, ["dev"], { allow: ["ConfigMap"] }));
    assert.match(allowed.detail, /PolicyException shop\/spare$/);
  });

  it("is refused where layer images are not what the image has, by policy and rule", async () => {
    const image = { team: { "a.yaml": policy("a"), "b.yaml": policy("b"), "d.yaml": policy("d") } };
    const layers = { team: { "a.yaml": policy("a", "other"), "c.yaml": policy("c"), "d.yaml": policy("d") } };
    const { status, detail, output } = only(await parity(image, ["dev"], { layers }));
    assert.equal(status, "failed");
    assert.equal(
      detail,
      "clusters would not get what was checked: ClusterPolicy a (team/a.yaml; rules named, other) is another one in the artifact, ClusterPolicy b (team/b.yaml; rule named) was checked and is not in the artifact, ClusterPolicy c (team/c.yaml; rule named) is in the artifact and was not checked; 1 policy is the same",
    );
    assert.equal(output?.split("\n").length, 3);
  });

  it("is refused where there is no artifact, with the reason", async () => {
    const charts = { "cd/dev/values.yaml": "", "charts/rules/Chart.yaml": chart };
    const template = (text: string) => ({ team: { ...charts, "charts/rules/templates/a.yaml": text } });
    const cases: [Readonly<Record<string, Files>>, RegExp][] = [
      [
        template(`${policy("a")}# {{ randAlpha 9 }}\n`),
        /^there is no artifact: \/repos\/team\/charts\/rules renders something else each time/,
      ],
      [
        { one: { "a.yaml": policy("a") }, ...template(policy("a")) },
        /^there is no artifact: team\/charts\/rules\/templates\/a\.yaml: ClusterPolicy a is in one\/a\.yaml already; /,
      ],
      [
        { team: { "a.yaml": policy("a"), "b.yaml": policy("b"), "kustomization.yaml": "resources: [a.yaml]\n" } },
        /^there is no artifact: the kustomization of team does not list "b\.yaml"; /,
      ],
      [
        { team: { "README.md": "" } },
        /^there is no artifact: the policy repositories hold nothing that a cluster could get; /,
      ],
    ];
    for (const [image, says] of cases) {
      const { status, detail } = only(await parity(image, ["dev"]));
      assert.equal(status, "failed");
      assert.match(detail, says);
    }
  });

  it("is there for the chart of policies that Kyverno's own people publish", async () => {
    const chart = [...(await kyvernoChart())].map(([path, content]) => [`charts/kyverno-policies/${path}`, content]);
    const of = async (values: string) =>
      only(await parity({ team: { ...Object.fromEntries(chart), "cd/dev/values.yaml": values } }, ["dev"]));
    // It asks a cluster for its Kyverno, unless its values say it.
    assert.match(
      (await of("podSecurityStandard: restricted\n")).detail,
      /it uses lookup, .*take what it asks for from values$/,
    );
    const { status, detail } = await of('podSecurityStandard: restricted\nkyvernoVersion: "1.13.2"\n');
    assert.equal(status, "passed", detail);
    assert.match(detail, /^17 policies with 19 written rules are what kyverno apply ran, /);
  });

  it("takes 300 policies that nobody here wrote in at most 3 s: their artifact, and the comparison", async () => {
    const files = await corpusPolicies(300);
    const started = process.cpuUsage(); // of this process: another one may have the machine
    const content = artifactFiles({ repositories: { corpus: files }, kyverno: "1.13.2" });
    const { layer } = fluxArtifact(content.files);
    const image = plainPolicies("corpus", files, () => true);
    const { differences, policies, unchecked, carried } = compareParity(
      image,
      listedDocuments(await unpackLayer(layer)),
    );
    const { user, system } = process.cpuUsage(started);
    const seconds = (user + system) / 1e6;
    assert.deepEqual(differences, []);
    assert.equal(policies + unchecked.length + carried.length, 300);
    assert.ok(seconds <= 3, `${seconds.toFixed(1)} s`);
  });
});
