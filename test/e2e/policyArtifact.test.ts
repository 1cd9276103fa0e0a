// Artifacts as a user meets them: published with the release by a real `pulumi up`, charts rendered by the image's own helm.
import assert from "node:assert/strict";
import { appendFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exec } from "../../lib/exec";
import { readArtifact } from "../../lib/flux/read";
import { RegistryClient } from "../../lib/oci/client";
import { parsePinned, parseRepository } from "../../lib/oci/reference";
import { createProject, expectSuccess, type Project, wholePins } from "../support/project";
import { startRegistry, type TestRegistry } from "../support/registry";

const client = new RegistryClient();
const environments = ["dev", "production"];
const edited = "policies/security-policy/policies/disallow-latest-tag.yaml";

describe("the artifacts of a stack", function () {
  this.timeout(300_000);
  let registry: TestRegistry;
  let project: Project;
  let cache: string;

  const home = (environment: string) => parseRepository(`${registry.host}/releases/policies/${environment}`);
  const digestAt = async (environment: string, tag: string) => (await client.resolve(home(environment), tag))?.digest;
  /** A machine that never saw the project. */
  const fresh = () => project.with({ XDG_CACHE_HOME: mkdtempSync(join(cache, "fresh-")) });

  before(async () => {
    cache = mkdtempSync(join(tmpdir(), "artifacts-"));
    registry = await startRegistry();
    const pins = wholePins();
    const { kyverno, helm } = pins["policy-platform:tools"];
    const { "security-policy": security, "devops-policy": devops } = pins["policy-platform:policies"];
    project = await createProject({
      ...pins,
      "policy-platform:registry": { kind: "existing", address: registry.host },
      "policy-platform:tools": { kyverno, helm },
      "policy-platform:policies": { "security-policy": security, "devops-policy": devops },
      "policy-platform:artifacts": { environments },
    });
  });
  after(async () => {
    project?.remove();
    await registry?.stop();
    rmSync(cache, { recursive: true, force: true });
  });

  it("are unknown to a preview until helm has rendered their charts, which it says", async () => {
    const { stdout, stderr } = await expectSuccess(fresh().pulumi("preview"));
    assert.match(stdout, /policychain:index:Artifact +release-dev-artifact +create/);
    for (const environment of environments)
      assert.match(
        stdout + stderr,
        new RegExp(`artifact ${environment}: its digest is unknown here, as helm has not rendered its charts yet`),
      );
  });

  it("are published with the release, under its tags, and hold what was checked", async () => {
    await project.up();
    const { artifacts, image } = await project.outputs();
    assert.deepEqual(Object.keys(artifacts), environments);
    for (const environment of environments) {
      const { repository, digest, reference, tags, revision } = artifacts[environment];
      assert.equal(reference, `${repository}@${digest}`);
      assert.deepEqual(tags, image.tags.slice(0, 2));
      for (const tag of tags) assert.equal(await digestAt(environment, tag), digest, tag);
      const { documents, files } = await readArtifact(client, home(environment), parsePinned(reference).digest);
      assert.ok(files.has("kustomization.yaml"));
      assert.deepEqual([...new Set(documents.map((one) => one.repository))].sort(), [
        "devops-policy",
        "security-policy",
      ]);
      assert.deepEqual([...new Set(documents.map(({ kind }) => kind))], ["ClusterPolicy"]);
      assert.match(revision, /^sha256:/);
    }
    assert.notEqual(artifacts.dev.digest, artifacts.production.digest, "the charts have other values in each");
  });

  it("are what skopeo takes for Flux artifacts", async () => {
    const { dev } = (await project.outputs()).artifacts;
    const argv = ["inspect", "--raw", "--tls-verify=false", `docker://${dev.reference}`];
    const { stdout } = await expectSuccess(
      exec("skopeo", argv, { cwd: project.dir, env: project.env, timeout: 30_000 }),
    );
    const { config, layers, annotations } = JSON.parse(stdout);
    assert.equal(config.mediaType, "application/vnd.cncf.flux.config.v1+json");
    assert.deepEqual(
      layers.map(({ mediaType }: { mediaType: string }) => mediaType),
      ["application/vnd.cncf.flux.content.v1.tar+gzip"],
    );
    assert.equal(annotations["org.opencontainers.image.created"], "1970-01-01T00:00:00Z");
    assert.equal(annotations["org.opencontainers.image.revision"], dev.revision);
  });

  it("change nothing in a second run, on a machine that never saw them either", async () => {
    const { stdout, stderr } = await expectSuccess(fresh().pulumi("preview", "--expect-no-changes"));
    assert.doesNotMatch(stdout + stderr, /artifact .*: its digest is unknown/);
  });

  it("stay the same artifacts when what changed reaches no cluster", async () => {
    const owners = "policies/security-policy/owners.txt";
    project.write(owners, "the platform team\n");
    const { stdout } = await expectSuccess(project.pulumi("preview"));
    rmSync(join(project.dir, owners));
    assert.match(stdout, /v1\.0\.0 → v1\.0\.1/);
    assert.match(stdout, /policychain:index:Tag +release-dev-version +update +\[diff: ~tag\]/);
    assert.doesNotMatch(stdout, /policychain:index:Artifact/);
  });

  it("are known to the preview of an edited policy down to their digests", async () => {
    appendFileSync(join(project.dir, edited), "# edited\n");
    const { stdout } = await expectSuccess(project.pulumi("preview", "--diff"));
    const [wanted] =
      /release-dev-artifact\]\n +~ digest: "sha256:[0-9a-f]{64}" => "(sha256:[0-9a-f]{64})"/.exec(stdout)?.slice(1) ??
      [];
    await project.up();
    assert.equal((await project.outputs()).artifacts.dev.digest, wanted);
    assert.equal(await digestAt("dev", "v1.0.1"), wanted);
  });

  it("are shown where somebody moved or deleted their tags, and repaired", async () => {
    const { dev } = (await project.outputs()).artifacts;
    const old = await digestAt("dev", "v1.0.0");
    const { bytes, mediaType } = (await client.manifest(home("dev"), old!))!;
    await client.putManifest(home("dev"), "v1.0.1", bytes, mediaType);
    const { stdout } = await expectSuccess(project.pulumi("preview", "--refresh", "--diff"));
    assert.match(stdout, new RegExp(`release-dev-version\\](.|\\n)*digest *: "${old}" => "${dev.digest}"`));
    await project.up("--refresh");
    assert.equal(await digestAt("dev", "v1.0.1"), dev.digest);
  });

  it("keep a stack from releasing where a policy could not be delivered, before anything is built", async () => {
    const config = "policies/security-policy/colours.yaml";
    project.write(config, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: colours, namespace: kyverno}\n");
    const { code, stdout, stderr } = await project.pulumi("preview");
    assert.notEqual(code, 0);
    assert.match(
      stdout + stderr,
      /security-policy\/colours\.yaml: ConfigMap colours is no policy; clusters get policies alone/,
    );
    rmSync(join(project.dir, config));
  });
});
