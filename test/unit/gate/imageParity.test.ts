// Parity of an image with its artifacts, and what is left of it for whoever publishes them.
import assert from "node:assert/strict";
import { PlatformError } from "../../../lib/errors";
import { renderDigest } from "../../../lib/flux/charts";
import { policiesIn } from "../../../lib/flux/imagePolicies";
import { recallRendered } from "../../../lib/flux/renderCache";
import type { SeenDelivery } from "../../../lib/gate/delivery";
import { gateParity } from "../../../lib/gate/imageParity";
import type { GateInputs } from "../../../lib/gate/inputs";
import { sha256 } from "../../../lib/oci/digest";
import { useOwnCache } from "../../support/ownCache";

const policy = (name: string) =>
  Buffer.from(
    `apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {name: ${name}}\nspec: {rules: [{name: r}]}\n`,
  );
const kyverno = { version: "1.13.2", command: ["/kyverno"], expect: "" };
const inputs = (changes: Partial<GateInputs> = {}): GateInputs => ({
  digest: sha256("image"),
  inputDigest: sha256("inputs"),
  tools: { kyverno },
  repositories: { team: { digest: sha256("team"), layers: "r.example/team" } },
  policyTests: "optional",
  limits: {} as GateInputs["limits"],
  environments: ["dev"],
  integration: {},
  size: {},
  ...changes,
});
const helm = sha256("helm");
const read = async () => ({
  team: new Map([
    ["a.yaml", policy("a")],
    ["cd/dev/values.yaml", Buffer.from("")],
    ["charts/rules/Chart.yaml", Buffer.from("name: rules")],
    ["charts/rules/templates/b.yaml", policy("{{ .Values.name }}")],
  ]),
});
const rendered = new Map([["team/charts/rules/templates/b.yaml", policy("b")]]);
const seen: ReadonlyMap<string, SeenDelivery> = new Map([
  [
    "dev",
    {
      policies: [...policiesIn("team/a.yaml", policy("a"), true), ...policiesIn("team", policy("b"), true)],
      charts: { files: rendered, leftOut: [] },
    },
  ],
]);

describe("an image and its artifacts", () => {
  useOwnCache();

  it("have parity, and what helm rendered stays under the digest of what it was rendered from", async () => {
    const { checks, artifacts } = await gateParity(inputs(), {
      run: { passed: true, checks: [], seen },
      read,
      helm,
    });
    assert.deepEqual(
      checks.map(({ name, status }) => [name, status]),
      [["parity: dev", "passed"]],
    );
    const render = renderDigest({ environment: "dev", repositories: { team: sha256("team") }, helm });
    assert.equal(artifacts.dev?.render, render);
    assert.deepEqual(await recallRendered(render), rendered);
  });

  it("are no matter where nothing is delivered", async () => {
    const found = await gateParity(inputs({ environments: [] }), { run: { passed: true, checks: [], seen }, read });
    assert.deepEqual(found, { checks: [], artifacts: {} });
  });

  it("fail without kyverno, and are skipped where the image did not start", async () => {
    const run = { passed: true, checks: [] };
    const none = await gateParity(inputs({ tools: {} }), { run, read, helm });
    assert.equal(none.checks[0]!.status, "failed");
    assert.match(
      none.checks[0]!.detail,
      /^the image has no tool kyverno, .*; pin kyverno, or take the environment out/,
    );
    const dead = await gateParity(inputs(), { run, read, helm });
    assert.equal(dead.checks[0]!.status, "skipped");
    assert.deepEqual([none.artifacts, dead.artifacts], [{}, {}]);
  });

  it("fail where a layer image holds what is no file, and where a registry fails that is said as such", async () => {
    const run = { passed: true, checks: [], seen };
    const why = { what: "a link", rule: "files alone", fix: "copy it" };
    const link = async () => Promise.reject(new PlatformError("artifact-entry", why));
    const { checks } = await gateParity(inputs(), { run, read: link, helm });
    assert.deepEqual(
      checks.map(({ name, status, detail }) => [name, status, detail]),
      [["parity: dev", "failed", "a link; files alone; copy it"]],
    );
    const gone = async () => Promise.reject(new PlatformError("blob-missing", why));
    await assert.rejects(gateParity(inputs(), { run, read: gone, helm }), { code: "blob-missing" });
  });
});
