// policy-platform render flux against a real registry: which release, which digest, what is written, and what is refused.
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";
import { fluxArtifact } from "../../lib/flux/artifact";
import { pushArtifact } from "../../lib/flux/push";
import { RegistryClient } from "../../lib/oci/client";
import { type Digest, sha256 } from "../../lib/oci/digest";
import { manifestType } from "../../lib/oci/mediaTypes";
import { parseRepository } from "../../lib/oci/reference";
import { pushRelease } from "../support/pushRelease";
import { startRegistry, type TestRegistry } from "../support/registry";
import { run } from "../unit/cli/run";
import { makeProject, pinned } from "../unit/config/valid";

const policy = (name: string) => `apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: ${name}}
spec:
  rules:
    - {name: check, match: {any: [{resources: {kinds: [Pod]}}]}, validate: {message: no, pattern: {metadata: {name: "?*"}}}}
`;

describe("policy-platform render flux", () => {
  const client = new RegistryClient();
  let registry: TestRegistry;
  let folder: string;
  let digest: Digest;
  const flux = (...more: string[]) => run("render", "flux", "--stack", "dev", "--cwd", folder, ...more);
  const configure = (clusters: object) =>
    writeFileSync(
      join(folder, "Pulumi.dev.yaml"),
      `config:
  policy-platform:registry: {address: "${registry.host}"}
  policy-platform:base: {image: "${pinned("layers/base")}"}
  policy-platform:policies: {security-policy: {folder: policies/security-policy}}
  policy-platform:artifacts: {environments: [dev, prod]}
  policy-platform:clusters: ${JSON.stringify(clusters)}
`,
    );

  before(async () => {
    registry = await startRegistry();
    folder = makeProject();
    writeFileSync(join(folder, "Pulumi.yaml"), "name: policy-platform\n");
  });
  after(() => registry.stop());

  async function release(version: string, name: string): Promise<Digest> {
    const inputs = {
      artifacts: { environments: ["dev"] },
      base: sha256("base"),
      format: 1,
      image: { user: "65532:65532" },
      repositories: {},
      tools: {},
    };
    await pushRelease(client, parseRepository(`${registry.host}/releases/policy-platform`), { version, inputs });
    const repository = parseRepository(`${registry.host}/releases/policies/dev`);
    const list = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [s/a.yaml]\n";
    const files = { "kustomization.yaml": list, "s/a.yaml": policy(name) };
    const artifact = fluxArtifact(new Map(Object.entries(files).map(([path, text]) => [path, Buffer.from(text)])));
    await pushArtifact(client, repository, artifact);
    await client.putManifest(repository, version, artifact.manifest, manifestType);
    return artifact.digest;
  }

  it("says so while nothing was released, and while the stack has no cluster", async () => {
    configure({});
    assert.match((await flux()).stderr, /✗ stack dev has no clusters; .*pulumi config set/);
    configure({ dev: { environment: "dev" } });
    const { code, stdout, stderr } = await flux();
    assert.deepEqual([code, stdout], [1, ""]);
    assert.match(stderr, /holds no version; .*release first: pulumi up --stack dev/);
  });

  it("prints the highest version's artifact by digest, with the patches for its policies", async () => {
    await release("v1.9.0", "older");
    digest = await release("v1.10.0", "newer");
    configure({ dev: { environment: "dev", enforcement: "enforce" } });
    const { code, stdout, stderr } = await flux();
    assert.equal(code, 0, stderr);
    const [source, kustomization] = parseAllDocuments(stdout).map((one) => one.toJS());
    assert.deepEqual(source.spec.ref, { digest });
    assert.equal(source.spec.url, `oci://${registry.host}/releases/policies/dev`);
    assert.equal(source.spec.insecure, true);
    assert.deepEqual(
      kustomization.spec.patches.map((one: { target: { name: string } }) => one.target.name),
      ["newer"],
    );
    assert.equal((await flux()).stdout, stdout);
  });

  it("writes a folder for each cluster, or one cluster into the folder itself, and leaves what is equal", async () => {
    configure({ a: { environment: "dev", context: "a" }, b: { environment: "dev", context: "b", name: "team" } });
    const to = join(mkdtempSync(join(tmpdir(), "fleet-")), "clusters");
    const { code, stdout, stderr } = await flux("--to", to);
    assert.deepEqual([code, stdout], [0, ""], stderr);
    assert.deepEqual(readdirSync(to).sort(), ["a", "b"]);
    assert.match(readFileSync(join(to, "b/policies.yaml"), "utf8"), /name: team\n/);
    assert.match((await flux("--to", to)).stderr, /a: 0 of 3 files changed/);
    const one = join(to, "..", "one");
    const { data } = await flux("--cluster", "b", "--to", one, "-o", "json");
    assert.deepEqual(readdirSync(one).sort(), ["kustomization.yaml", "policies-source.yaml", "policies.yaml"]);
    const [rendered] = (data as { clusters: { cluster: string; digest: string; version: string }[] }).clusters;
    assert.deepEqual([rendered!.cluster, rendered!.digest, rendered!.version], ["b", digest, "v1.10.0"]);
  });

  it("refuses a secret, an unknown cluster, an environment without an artifact and an exception of no policy, and writes nothing", async () => {
    const to = join(mkdtempSync(join(tmpdir(), "fleet-")), "clusters");
    const refused = async (clusters: object, ...more: string[]) => {
      configure(clusters);
      const { code, data, stdout } = await flux("--to", to, "-o", "json", ...more);
      assert.notEqual(code, 0, stdout);
      assert.equal(existsSync(to), false);
      return (data as { error: { code: string } }).error.code;
    };
    const environment = "dev";
    assert.equal(await refused({ a: { environment, pullSecret: { secure: "v1:abc" } } }), "render-secret");
    assert.equal(await refused({ a: { environment } }, "--cluster", "b"), "cluster-unknown");
    assert.equal(await refused({ a: { environment: "prod" } }), "artifact-unreleased");
    const exceptions = ["gone"];
    assert.equal(await refused({ a: { environment, enforcement: "enforce", exceptions } }), "exception-unknown");
  });
});
