// The objects of a cluster before those who read them: the API server with the definitions of Flux, and kustomize.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import fc from "fast-check";
import { parseAllDocuments, stringify } from "yaml";
import { actionOf } from "../../lib/flux/action";
import { deliveryObjects } from "../../lib/flux/delivery";
import { applied, type EnforcementChoice, type PatchedDocument, patchesFor } from "../../lib/flux/enforcement";
import { type ApiServer, startApiServer } from "../support/apiServer";
import { times } from "../support/counts";
import { builtProgram } from "../support/kyverno";
import { documentOf, policyDocuments } from "../support/policyDocuments";

const goldens = join(__dirname, "../golden/flux");

describe("patches of policies, as kustomize makes them", function () {
  this.timeout(60_000);
  const folder = mkdtempSync(join(tmpdir(), "kustomize-"));
  after(() => rmSync(folder, { recursive: true }));

  const choices: readonly EnforcementChoice[] = [{ enforcement: "audit" }, { enforcement: "enforce" }];
  for (const choice of choices)
    it(`give what is looked for in a cluster that is to ${choice.enforcement}`, () => {
      // As many documents in one run as tell something of each other: a target must fit one of them alone.
      const lists = fc.sample(policyDocuments, { numRuns: times(100), seed: 7 });
      const documents = lists.flatMap((list, index) => list.map((document) => renamed(document, `l${index}-`)));
      const built = new Map(build(documents, choice).map((object) => [keyOf(object), object]));
      for (const document of documents)
        assert.deepEqual(built.get(keyOf(document.object)), plain(applied(document, choice)));
      assert.ok(patchesFor(documents, choice).length > documents.length / 5);
    });

  it("fail on a document whose rules are others, so that Flux keeps what runs", () => {
    const [document] = fc.sample(policyDocuments, { numRuns: 200, seed: 1 }).flat().filter(hasRulePatch);
    const { spec } = document!.object as { spec: { rules: object[] } };
    const others = { ...spec, rules: spec.rules.map((rule) => ({ ...rule, name: "another" })) };
    const patches = patchesFor([document!], { enforcement: "audit" });
    write([{ ...document!.object, spec: others }], patches);
    const { status, stderr } = kubectl("kustomize", folder);
    assert.notEqual(status, 0);
    assert.match(stderr, /test.*fail|testing value/i);
  });

  const says = (name: string, action: string) =>
    documentOf("kyverno.io/v1", "ClusterPolicy", name, {
      rules: [{ name: "r", match: {}, validate: { failureAction: action } }],
    });
  const stays = says("stays", "Audit");
  const [audits, enforces] = [says("flips", "Audit"), says("flips", "Enforce")];
  const swaps: readonly [string, EnforcementChoice, readonly PatchedDocument[], readonly PatchedDocument[]][] = [
    ["a policy that comes to audit by itself", { enforcement: "audit" }, [stays, enforces], [stays, audits]],
    ["a policy that comes to enforce by itself", { enforcement: "enforce" }, [stays, audits], [stays, enforces]],
    ["a policy that leaves", { enforcement: "audit" }, [stays, says("leaves", "Enforce")], [stays]],
    [
      "an exception that comes to audit by itself",
      { enforcement: "enforce", exceptions: ["flips"] },
      [stays, enforces],
      [stays, audits],
    ],
  ];
  for (const [title, choice, old, now] of swaps)
    it(`never meet content that they were not made for, whichever object is written first: ${title}`, () => {
      const [before, after] = [delivered(old, choice, "a"), delivered(now, choice, "b")];
      const wanted = (name: string) =>
        choice.enforcement === "audit" || choice.exceptions?.includes(name) ? "audit" : "enforce";
      const seen = new Set<unknown>();
      for (const order of [
        ["source", "kustomization", "gone"],
        ["kustomization", "source", "gone"],
        ["gone", "source", "kustomization"],
      ] as const)
        for (let done = 0; done <= order.length; done++) {
          const sources = new Map([[before.source, old]]);
          let { applies } = before;
          for (const step of order.slice(0, done)) {
            if (step === "source") sources.set(after.source, now);
            else if (step === "kustomization") applies = after.applies;
            else sources.delete(before.source);
          }
          // Flux applies nothing of a Kustomization whose source is not there.
          const content = sources.get(applies.sourceRef.name);
          const state = content && JSON.stringify([applies, content]);
          if (!content || seen.has(state)) continue;
          seen.add(state);
          for (const object of built(content, applies.patches ?? [])) {
            const { name } = object.metadata as { name: string };
            assert.equal(actionOf(object), wanted(name), `${name} after ${done} writes`);
          }
        }
    });

  /** What a delivery of some content declares: the name of its source, and what its Kustomization says. */
  function delivered(documents: readonly PatchedDocument[], choice: EnforcementChoice, digit: string) {
    const place = { name: "policies", namespace: "flux-system", createNamespace: false, path: "./", prune: true };
    const times = { interval: "10m", retryInterval: "30s", timeout: "2m", dependsOn: [] };
    const digest = `sha256:${digit.repeat(64)}`;
    const args = { ...place, ...times, repository: "registry.example.com/releases/policies/dev", digest };
    const facts = { patches: patchesFor(documents, choice), healthCheckExprs: [] };
    const { source, kustomization } = deliveryObjects(args, facts);
    return { source: source.metadata.name, applies: kustomization.spec };
  }

  function build(documents: readonly PatchedDocument[], choice: EnforcementChoice): Record<string, unknown>[] {
    return built(documents, patchesFor(documents, choice));
  }

  function built(documents: readonly PatchedDocument[], patches: readonly object[]): Record<string, unknown>[] {
    write(
      documents.map(({ object }) => object),
      patches,
    );
    const { status, stdout, stderr } = kubectl("kustomize", folder);
    assert.equal(status, 0, stderr);
    return parseAllDocuments(stdout).map((one) => one.toJS() as Record<string, unknown>);
  }

  function write(objects: readonly object[], patches: readonly object[]): void {
    const kind = { apiVersion: "kustomize.config.k8s.io/v1beta1", kind: "Kustomization" };
    writeFileSync(join(folder, "all.yaml"), objects.map((object) => `---\n${stringify(object)}`).join(""));
    writeFileSync(join(folder, "kustomization.yaml"), stringify({ ...kind, resources: ["all.yaml"], patches }));
  }
});

describe("rendered objects, before the API server", function () {
  this.timeout(120_000);
  let server: ApiServer;
  before(async () => {
    server = await startApiServer();
    for (const controller of ["source-controller", "kustomize-controller"]) {
      const crds = join(dirname(builtProgram(controller)), "crds");
      const { status, stderr } = kubectl(
        "apply",
        "--server-side",
        "--recursive",
        `--filename=${crds}`,
        "--kubeconfig",
        server.kubeconfig,
      );
      assert.equal(status, 0, stderr);
    }
  });
  after(() => server?.stop());

  for (const file of readdirSync(goldens))
    it(`are known to it in every field: ${file}`, async () => {
      const objects = parseAllDocuments(readFileSync(join(goldens, file), "utf8")).map((one) => one.toJS());
      // The definition of HelmRelease is not among the sources that are built here.
      const known = objects.filter(({ kind }) => kind !== "HelmRelease");
      const args = ["apply", "--server-side", "--validate=strict", "--filename=-", "--kubeconfig", server.kubeconfig];
      assert.equal(kubectl("create", "namespace", "flux-system", "--kubeconfig", server.kubeconfig).error, undefined);
      const run = () =>
        spawnSync(builtProgram("kubectl"), args, { input: JSON.stringify(listOf(known)), encoding: "utf8" });
      for (let turn = 0; turn < 50 && /no matches for kind/.test(run().stderr); turn++)
        await new Promise((resolve) => setTimeout(resolve, 200));
      const { status, stderr } = run();
      assert.equal(status, 0, stderr);
      for (const object of known) {
        const { kind, metadata, spec } = object;
        const where = ["--namespace", metadata.namespace ?? "default", "--kubeconfig", server.kubeconfig];
        const { stdout } = kubectl("get", kind, metadata.name, "--output=json", ...where);
        const live = JSON.parse(stdout) as { spec: object };
        // What the server adds are defaults of Flux; of ours it changes nothing.
        if (spec) assert.deepEqual({ ...live.spec, ...spec }, live.spec);
      }
    });
});

function kubectl(...args: string[]) {
  return spawnSync(builtProgram("kubectl"), args, { encoding: "utf8", maxBuffer: 64 * 1024 * 1024 });
}

function listOf(items: readonly object[]): object {
  return { apiVersion: "v1", kind: "List", items };
}

function renamed(document: PatchedDocument, prefix: string): PatchedDocument {
  const name = `${prefix}${document.name}`;
  const metadata = { ...(document.object.metadata as object), name };
  return { ...document, name, object: { ...document.object, metadata } };
}

function hasRulePatch(document: PatchedDocument): boolean {
  const patches = patchesFor([document], { enforcement: "audit" });
  return patches.some(({ patch }) => patch.includes("op: test") && !patch.includes('value: "another"'));
}

function keyOf({ apiVersion, kind, metadata }: Readonly<Record<string, unknown>>): string {
  return JSON.stringify([apiVersion, kind, (metadata as { name: string }).name]);
}

/** As JSON has it: without properties that are undefined. */
function plain(object: object): unknown {
  return JSON.parse(JSON.stringify(object));
}
