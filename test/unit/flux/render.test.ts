// Files for others: their bytes, held by golden files, and how a folder is brought to them.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse, parseAllDocuments } from "yaml";
import { type DeliveryArgs, deliveryFacts, deliveryObjects } from "../../../lib/flux/delivery";
import type { PolicyDocument } from "../../../lib/flux/documents";
import { manifestsOf, renderedStream } from "../../../lib/flux/render";
import { renderedChanges, writeRendered } from "../../../lib/flux/renderedFolder";
import { golden } from "../../support/golden";
import { documentOf } from "../../support/policyDocuments";

const smallest: DeliveryArgs = {
  name: "policies",
  namespace: "flux-system",
  createNamespace: false,
  repository: "europe-west1-docker.pkg.dev/acme-prod/policy-releases/policies/production",
  digest: `sha256:${"a".repeat(64)}`,
  interval: "10m",
  retryInterval: "30s",
  timeout: "2m",
  path: "./",
  prune: true,
  dependsOn: [],
};
const documents = [
  documentOf("kyverno.io/v1", "ClusterPolicy", "disallow-latest-tag", { rules: [{ name: "image-tag", validate: {} }] }),
  documentOf("kyverno.io/v1", "ClusterPolicy", "require-replicas", {
    rules: [
      { name: 'say "so"', validate: { failureAction: "Enforce", failureActionOverrides: [{ action: "Audit" }] } },
    ],
  }),
  documentOf("policies.kyverno.io/v1", "ValidatingPolicy", "team-label", { validationActions: ["Audit"] }),
] as PolicyDocument[];

const worlds = {
  "as-authored": manifestsOf("dev", deliveryObjects(smallest, deliveryFacts([], { enforcement: "asAuthored" }))),
  enforce: manifestsOf(
    "prod",
    deliveryObjects(
      { ...smallest, provider: "gcp", createNamespace: true, serviceAccount: "policies" },
      deliveryFacts(documents, { enforcement: "enforce", exceptions: ["require-replicas"] }),
    ),
  ),
  "kyverno-chart": manifestsOf(
    "new",
    deliveryObjects(
      { ...smallest, kyverno: { chart: `oci://registry.example.com/charts/kyverno@sha256:${"c".repeat(64)}` } },
      { patches: [], healthCheckExprs: [] },
    ),
  ),
  "kyverno-git": manifestsOf(
    "new",
    deliveryObjects(
      {
        ...smallest,
        kyverno: { git: { url: "https://git.example.com/kyverno", commit: "0".repeat(40), path: "config/release" } },
      },
      { patches: [], healthCheckExprs: [] },
    ),
  ),
};

describe("rendered files of a cluster", () => {
  for (const [name, files] of Object.entries(worlds))
    it(`are these, byte for byte: ${name}`, () => golden(`flux/${name}.yaml`, renderedStream(files)));

  it("list each other, and are what the objects are to every reader of YAML", () => {
    for (const files of Object.values(worlds)) {
      const { resources } = parse(files.get("kustomization.yaml")!) as { resources: string[] };
      assert.deepEqual(
        resources,
        [...files.keys()].filter((one) => one !== "kustomization.yaml"),
      );
    }
    const odd = deliveryObjects(
      { ...smallest, name: "on", namespace: "123", serviceAccount: "no" },
      { patches: [], healthCheckExprs: [] },
    );
    const read = parseAllDocuments(renderedStream(manifestsOf("c", odd)), { version: "1.1" }).map((one) => one.toJS());
    assert.deepEqual(read, [odd.source, odd.kustomization]);
  });
});

describe("a folder of rendered files", () => {
  const files = worlds["as-authored"];
  const folder = () => join(mkdtempSync(join(tmpdir(), "rendered-")), "clusters/dev");
  const names = (changes: readonly { file: string }[]) => changes.map(({ file }) => file);

  it("is written whole, the list last, and not touched a second time", async () => {
    const place = folder();
    assert.deepEqual(names(await renderedChanges(place, files)), [
      "policies-source.yaml",
      "policies.yaml",
      "kustomization.yaml",
    ]);
    assert.throws(() => readdirSync(place), /ENOENT/);
    await writeRendered(place, files);
    for (const [name, text] of files) assert.equal(readFileSync(join(place, name), "utf8"), text);
    const times = () => readdirSync(place).map((name) => statSync(join(place, name), { bigint: true }).mtimeNs);
    const before = times();
    assert.deepEqual(await writeRendered(place, files), []);
    assert.deepEqual(times(), before);
  });

  it("loses what was rendered before and is no longer, and keeps what others put there", async () => {
    const place = folder();
    await writeRendered(place, worlds["kyverno-git"]);
    writeFileSync(join(place, "notes.yaml"), "mine: true\n");
    const changes = await writeRendered(place, worlds["as-authored"]);
    assert.deepEqual(
      changes.filter(({ change }) => change === "remove").map(({ file }) => file),
      ["kyverno-source.yaml", "kyverno.yaml"],
    );
    assert.deepEqual(readdirSync(place).sort(), [
      "kustomization.yaml",
      "notes.yaml",
      "policies-source.yaml",
      "policies.yaml",
    ]);
  });

  it("is refused where a file of that name is somebody else's, and then nothing is written", async () => {
    const place = folder();
    mkdirSync(place, { recursive: true });
    writeFileSync(join(place, "kustomization.yaml"), "resources: [mine.yaml]\n");
    await assert.rejects(writeRendered(place, files), { code: "render-foreign" });
    assert.deepEqual(readdirSync(place), ["kustomization.yaml"]);
  });

  it("is refused where a link leads out of the project", async () => {
    const project = mkdtempSync(join(tmpdir(), "rendered-"));
    symlinkSync(mkdtempSync(join(tmpdir(), "elsewhere-")), join(project, "clusters"));
    await assert.rejects(writeRendered(join(project, "clusters/dev"), files, project), { code: "render-outside" });
    await writeRendered(join(project, "fleet/dev"), files, project);
  });
});
