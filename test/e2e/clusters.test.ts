// Policies from a folder into two clusters: dev audits what its stack built, prod enforces the very same digests after a promotion.
// Real engine, Docker, registry, Flux and Kyverno. The clusters' programs run as processes, without containers.
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { exec } from "../../lib/exec";
import { sourceName } from "../../lib/flux/delivery";
import { readArtifact } from "../../lib/flux/read";
import { RegistryClient } from "../../lib/oci/client";
import type { Digest } from "../../lib/oci/digest";
import { parseRepository } from "../../lib/oci/reference";
import { chooseCluster, type LocalCluster } from "../../local/controlPlane/cluster";
import { artifactsFolder } from "../../local/controlPlane/commands";
import { runKubectl } from "../../local/controlPlane/kubectl";
import { stopComponents } from "../../local/controlPlane/running";
import { badPod, goodPod, type PodTrial, tryPod } from "../../local/controlPlane/summary";
import { layoutOf } from "../../local/layout";
import { createProject, expectSuccess, type Project, type ProjectStack, preparedPins } from "../support/project";
import { startRegistry, type TestRegistry } from "../support/registry";
import { kubeconfigOf } from "../support/scriptedCluster";
import { testCluster } from "../support/testCluster";

const root = join(__dirname, "..", "..");
const layout = layoutOf(root);
const namespace = "policies-of-a-test";
/** What a cluster says to a Pod, which it breaks into lines of its own. */
const wordsOf = ({ messages }: PodTrial) => messages.join(" ").replace(/\s+/g, " ");
const extra = {
  apiVersion: "kyverno.io/v1",
  kind: "ClusterPolicy",
  metadata: { name: "extra-policy" },
  spec: {
    rules: [
      {
        name: "labelled",
        match: { any: [{ resources: { kinds: ["ConfigMap"], names: ["extra-*"] } }] },
        validate: {
          failureAction: "Audit",
          message: "A label is missing.",
          pattern: { metadata: { labels: { a: "?*" } } },
        },
      },
    ],
  },
};

describe("policies on their way into clusters", function () {
  this.timeout(240_000);
  let registry: TestRegistry;
  let project: Project;
  let production: ProjectStack;
  const dev = testCluster;
  let prod: LocalCluster;

  const at = (cluster: LocalCluster) => ({
    folder: layout.bin,
    kubeconfig: cluster.kubeconfig,
    context: cluster.name,
  });
  const kubectl = async (cluster: LocalCluster, ...args: string[]) =>
    (await expectSuccess(runKubectl(at(cluster), args))).stdout;
  const sourceIn = async (stack: Project) =>
    sourceName({ name: "policies", digest: (await stack.outputs()).clusters.dev.revision });
  const policiesIn = async (cluster: LocalCluster) => {
    const { items } = JSON.parse(await kubectl(cluster, "get", "clusterpolicies", "--output=json"));
    return items as any[];
  };
  const look = (stack: Pick<ProjectStack, "pulumi">) =>
    stack.pulumi("refresh", "--preview-only", "--diff", "--expect-no-changes");
  const preview = async (...args: string[]) =>
    (await expectSuccess(project.pulumi("preview", "--diff", ...args))).stdout;
  const artifact = async (environment: string) => {
    const { artifacts } = await project.outputs();
    const repository = parseRepository(`${registry.host}/releases/policies/${environment}`);
    const { digest } = artifacts[environment] as { digest: Digest };
    return { digest, ...(await readArtifact(new RegistryClient(), repository, digest)) };
  };
  const clusterSettings = (cluster: LocalCluster, environment: string, enforcement: string) => ({
    environment,
    kubeconfig: cluster.kubeconfig,
    context: cluster.name,
    namespace,
    createNamespace: true,
    enforcement,
  });

  before(async () => {
    const begun = Date.now();
    prod = chooseCluster(layout, { name: "tests-prod" });
    const args = ["env", "--json", "--only", "toolchain", "--cluster", "--cluster-name", "tests-prod"];
    const starting = exec(process.execPath, [join(root, "dist/local/main.js"), ...args], {
      cwd: root,
      timeout: 120_000,
    });
    registry = await startRegistry();
    project = await createProject({
      ...preparedPins(),
      "policy-platform:registry": { kind: "existing", address: registry.host },
      "policy-platform:artifacts": { environments: ["dev", "production"] },
      "policy-platform:clusters": { dev: clusterSettings(dev, "dev", "audit") },
    });
    await project.up();
    await expectSuccess(starting);
    console.log(
      `      released, delivered, and a second cluster started in ${((Date.now() - begun) / 1000).toFixed(1)} s`,
    );
  });
  after(async () => {
    // What another file finds in this cluster is its own.
    await project?.pulumi("destroy", "--yes", "--skip-preview");
    project?.remove();
    await stopComponents(prod);
    await registry?.stop();
  });

  it("are Ready in the cluster when up returns", async () => {
    const { artifacts, clusters } = await project.outputs();
    assert.equal(clusters.dev.ready, true);
    assert.equal(clusters.dev.revision, artifacts.dev.digest);
    const { documents } = await artifact("dev");
    const ready = (await policiesIn(dev)).map((one) => [
      one.metadata.name,
      one.status.conditions.find((condition: any) => condition.type === "Ready")?.status,
    ]);
    assert.deepEqual(Object.fromEntries(ready), Object.fromEntries(documents.map(({ name }) => [name, "True"])));
    assert.ok(documents.length >= 3);
  });

  it("are stored by Flux file for file as they were published", async () => {
    const source = await sourceIn(project);
    const folder = join(artifactsFolder(dev), "ocirepository", namespace, source);
    const [tarball] = readdirSync(folder).filter((name) => name.endsWith(".tar.gz"));
    const { stdout } = await expectSuccess(exec("tar", ["-tvzf", join(folder, tarball!)]));
    const stored = stdout.split("\n").filter((line) => line.startsWith("-"));
    const paths = stored.map((line) => line.split(" ").at(-1)!.replace(/^\.\//, ""));
    const { files } = await artifact("dev");
    assert.deepEqual(paths.sort(), [...files.keys()].sort());
  });

  it("show the media types of Flux to a reader that is not ours", async () => {
    const { artifacts } = await project.outputs();
    const args = ["inspect", "--raw", "--tls-verify=false", `docker://${artifacts.dev.reference}`];
    const manifest = JSON.parse((await expectSuccess(exec("skopeo", args))).stdout);
    assert.equal(manifest.config.mediaType, "application/vnd.cncf.flux.config.v1+json");
    assert.deepEqual(
      manifest.layers.map((layer: any) => layer.mediaType),
      ["application/vnd.cncf.flux.content.v1.tar+gzip"],
    );
  });

  it("are not touched by a second run", async () => {
    await project.up("--expect-no-changes");
    assert.equal((await look(project)).code, 0);
  });

  it("only report while the cluster audits, and refuse once one key says enforce, which a preview shows", async () => {
    assert.equal((await tryPod(at(dev), badPod)).admitted, true);
    project.configure((config) => {
      config["policy-platform:clusters"].dev.enforcement = "enforce";
    });
    const shown = await preview();
    assert.match(shown, /~ enforcement *: "audit" => "enforce"/);
    assert.doesNotMatch(shown, /policychain:index:(?:Tag|Copy|GateRun|Artifact):/);
    await project.up();
    const bad = await tryPod(at(dev), badPod);
    assert.equal(bad.admitted, false);
    assert.match(wordsOf(bad), /disallow-latest-tag: .*Images must not use the moving tag latest/);
    assert.equal((await tryPod(at(dev), goodPod)).admitted, true);
  });

  it("are named when somebody edits one, suspends the Kustomization or points the source elsewhere, and put right", async () => {
    const { documents } = await artifact("dev");
    const { name } = documents[0]!;
    const patch = async (kind: string, object: string, change: object) =>
      kubectl(
        dev,
        "patch",
        kind,
        object,
        `--namespace=${namespace}`,
        "--type=merge",
        `--patch=${JSON.stringify(change)}`,
      );
    await patch("kustomization", "policies", { spec: { suspend: true } });
    await patch("clusterpolicy", name, { spec: { background: false, failurePolicy: "Ignore" } });
    await patch("ocirepository", await sourceIn(project), { spec: { interval: "24h" } });
    const shown = await preview("--refresh");
    assert.match(shown, new RegExp(`ClusterPolicy/${name}.*edited: `));
    assert.match(shown, /suspend *: true => false/);
    assert.match(shown, /interval *: "24h" => "10m"/);
    assert.equal((await look(project)).code, 7);
    await project.up("--refresh");
    assert.equal((await look(project)).code, 0);
    const found = (await policiesIn(dev)).find((one) => one.metadata.name === name);
    assert.notEqual(found.spec.failurePolicy, "Ignore");
  });

  it("leave the cluster with the repository that brought them", async () => {
    project.write("policies/extra/policies/extra.yaml", JSON.stringify(extra));
    project.configure((config) => {
      config["policy-platform:policies"].extra = { folder: "policies/extra" };
    });
    await project.up();
    assert.ok((await policiesIn(dev)).some((one) => one.metadata.name === "extra-policy"));
    project.configure((config) => {
      delete config["policy-platform:policies"].extra;
    });
    await project.up();
    assert.ok(!(await policiesIn(dev)).some((one) => one.metadata.name === "extra-policy"));
  });

  it("are released although a cluster cannot be reached, and with --continue-on-error come to the others, while the run is red", async () => {
    const { image, version, artifacts } = await project.outputs();
    project.write("away.json", kubeconfigOf("https://127.0.0.1:1"));
    production = await project.addStack("prod", {
      "policy-platform:registry": { kind: "existing", address: `${registry.host}/prod` },
      "policy-platform:promotion": {
        from: image.repository,
        version,
        digest: image.digest,
        commit: (image.tags as string[])[0]!.replace("sha-", ""),
        artifacts: { dev: artifacts.dev.digest, production: artifacts.production.digest },
      },
      "policy-platform:clusters": {
        away: { environment: "production", kubeconfig: "away.json", context: "dev", enforcement: "enforce" },
        prod: clusterSettings(prod, "production", "enforce"),
      },
    });
    const failing = async (...args: string[]) => {
      const { code, stdout, stderr } = await production.pulumi("up", "--yes", "--skip-preview", ...args);
      assert.notEqual(code, 0, stdout);
      assert.match(
        stdout + stderr,
        /DeliveryCheck \(away-check\):\s+error: the cluster at https:\/\/127\.0\.0\.1:1 cannot be reached/,
      );
    };
    await failing();
    const client = new RegistryClient();
    const place = (path: string) => parseRepository(`${registry.host}/prod/releases/${path}`);
    for (const tag of [version, "latest"])
      assert.equal((await client.resolve(place("policy-platform"), tag))?.digest, image.digest);
    assert.equal((await client.resolve(place("policies/production"), version))?.digest, artifacts.production.digest);
    await failing("--continue-on-error");
    assert.equal((await tryPod(at(prod), badPod)).admitted, false);
  });

  it("are enforced by a second cluster after a promotion: the same digests, and nothing is built", async () => {
    const { image, artifacts } = await project.outputs();
    production.configure((config) => {
      const clusters = config["policy-platform:clusters"];
      delete clusters.away;
      clusters.elsewhere = { environment: "production", enforcement: "enforce", render: "clusters/elsewhere" };
    });
    const folder = join(project.dir, "clusters", "elsewhere");
    const shown = (await expectSuccess(production.pulumi("preview", "--diff"))).stdout;
    assert.match(shown, new RegExp(`digest *: "${artifacts.production.digest}"`));
    assert.equal(existsSync(folder), false);
    await production.up();
    const rendered = readdirSync(folder).map((name) => readFileSync(join(folder, name), "utf8"));
    assert.ok(rendered.join("\n").includes(`digest: ${artifacts.production.digest}`));
    const promoted = await production.outputs();
    assert.equal(promoted.image.digest, image.digest);
    assert.equal(promoted.artifacts.production.digest, artifacts.production.digest);
    assert.equal(promoted.clusters.prod.revision, artifacts.production.digest);
    assert.equal((await tryPod(at(prod), badPod)).admitted, false);
    project.configure((config) => {
      config["policy-platform:clusters"].dev.enforcement = "audit";
    });
    const back = await preview();
    assert.match(back, /~ enforcement *: "enforce" => "audit"/);
    assert.doesNotMatch(back, /policychain:index:(?:Tag|Copy|GateRun|Artifact):/);
    await project.up();
    assert.equal((await tryPod(at(dev), badPod)).admitted, true);
    assert.equal((await look(production)).code, 0);
  });

  it("leave no object of ours in the cluster of a stack that is destroyed, and every release in the registry", async () => {
    const { image, artifacts, version } = await production.outputs();
    await expectSuccess(production.pulumi("destroy", "--yes", "--skip-preview"));
    assert.deepEqual(await policiesIn(prod), []);
    const left = await kubectl(prod, "get", "ocirepositories,kustomizations", "--all-namespaces", "--output=name");
    assert.equal(left, "");
    assert.equal(await kubectl(prod, "get", "namespace", namespace, "--ignore-not-found", "--output=name"), "");
    const client = new RegistryClient();
    for (const { repository, digest, tags } of [image, artifacts.production]) {
      assert.ok(tags.includes(version), `${tags}`);
      for (const reference of [digest, ...tags])
        assert.equal((await client.resolve(parseRepository(repository), reference))?.digest, digest, reference);
    }
  });
});
