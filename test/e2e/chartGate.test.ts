// Charts in the gate of a release, with every tool and repository of the local stack: what is good is released, what is not
// leaves every tag where it is, also after a refresh.
import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { recallRendered } from "../../lib/flux/renderCache";
import { chartFiles } from "../../lib/gate/chartFiles";
import { RegistryClient } from "../../lib/oci/client";
import { parseRepository } from "../../lib/oci/reference";
import { keepVariables } from "../support/environment";
import { createProject, expectSuccess, type Project, wholePins } from "../support/project";
import { startRegistry, type TestRegistry } from "../support/registry";
import { run } from "../unit/cli/run";

const chart = "backend-applications/charts/app";
const shop = (environment: string) => ({
  chart,
  values: [`backend-applications/cd/${environment}/values.yaml`],
  environment: "production",
  policies: ["security-policy", "devops-policy"],
});
const good = {
  "shop-production": {
    ...shop("production"),
    kubernetes: "1.31",
    spectral: { ruleset: "backend-applications/.spectral.yaml" },
  },
  "shop-dev-in-production": {
    ...shop("dev"),
    expect: "refused",
    by: ["require-replicas/replicas", "restrict-ingress-hosts/ingress-hosts"],
  },
};

describe("a release whose gate tries charts", function () {
  this.timeout(300_000);
  let registry: TestRegistry;
  let project: Project;
  const client = new RegistryClient();
  const tags = async () => {
    const releases = parseRepository(`${registry.host}/releases/policy-platform`);
    const names = (await client.tags(releases)).sort();
    return Promise.all(names.map(async (name) => [name, (await client.resolve(releases, name))?.digest]));
  };

  before(async () => {
    registry = await startRegistry();
    project = await createProject({
      ...wholePins(),
      "policy-platform:registry": { kind: "existing", address: registry.host },
      "policy-platform:artifacts": { environments: ["dev", "production"] },
      "policy-platform:gate": { integration: good, size: { compressed: "400Mi", unpacked: "1Gi" } },
    });
    await project.up();
  });
  after(async () => {
    project?.remove();
    await registry?.stop();
  });

  it("is made, and says of each chart what was tried", async () => {
    const { gate } = await project.outputs();
    const lines: string[] = gate.checks.map(({ name, status, detail }: any) => `${name}: ${status}: ${detail}`);
    for (const expected of [
      /^policies: devops-policy for dev: passed: 18 rules in 11 policies of 2 charts$/,
      /^policies: devops-policy for production: passed: 19 rules in 12 policies of 2 charts$/,
      /^integration: shop-dev-in-production: passed: 63 rules on 4 objects, refused by require-replicas\/replicas, restrict-ingress-hosts\/ingress-hosts as it must be$/,
      /^integration: shop-production: passed: 63 rules on 5 objects pass; no API that Kubernetes 1\.31 deprecates; spectral finds nothing in 2 files$/,
      /^size: passed: .* MiB compressed, .* MiB unpacked: base .*, helm .*, kyverno .*, pluto .*, spectral .*, yq .*, backend-applications .*, devops-policy .*, security-policy /,
      /^tests: devops-policy: passed: /,
      /^parity: dev: passed: 23 policies with 30 written rules are what kyverno apply ran, in artifact sha256:\w{64}$/,
      /^parity: production: passed: 24 policies with 31 written rules are what kyverno apply ran, in artifact sha256:\w{64}$/,
    ])
      assert.ok(
        lines.some((line) => expected.test(line)),
        `${expected}\n${lines.join("\n")}`,
      );
  });

  it("has artifacts that the image's own files and pins vouch for, as the command says without Docker", async () => {
    const { artifacts } = await project.outputs();
    const { code, data, stderr } = await run(
      "diff",
      "image",
      "artifact",
      "-s",
      "local",
      "-C",
      project.dir,
      "-o",
      "json",
    );
    assert.equal(code, 0, stderr);
    const { dev, production } = data.environments as Record<string, any>;
    for (const [name, found, charts] of [
      ["dev", dev, 11],
      ["production", production, 12],
    ] as const) {
      assert.equal(found.artifact.digest, artifacts[name].digest);
      assert.deepEqual([found.policies, found.differences], [12, []]);
      assert.deepEqual([found.charts.policies, found.charts.sameInputs], [charts, true]);
    }
  });

  it("leaves what helm rendered for whoever publishes the artifacts, who else renders the same files by the image's helm", async () => {
    const { image } = await project.outputs();
    const { stdout } = await expectSuccess(project.pulumi("stack", "export"));
    const resources: Record<string, any>[] = JSON.parse(stdout).deployment.resources;
    const { artifacts } = resources.find(({ type }) => type === "policychain:index:GateRun")!.outputs;
    assert.deepEqual(Object.keys(artifacts).sort(), ["dev", "production"]);
    const request = {
      image: image.reference,
      environment: "production",
      repositories: ["backend-applications", "devops-policy", "security-policy"],
      render: artifacts.production.render,
    };
    const kept = await recallRendered(request.render);
    assert.equal(kept?.size, 12);
    const restore = keepVariables();
    process.env.XDG_CACHE_HOME = join(project.dir, "empty-cache");
    try {
      assert.deepEqual(await chartFiles(request), kept);
      assert.deepEqual(await recallRendered(request.render), kept);
    } finally {
      restore();
    }
  });

  /** Runs up, which must fail with all of the messages and leave every tag alone. */
  const refused = async (...messages: readonly RegExp[]) => {
    const before = await tags();
    const { code, stdout, stderr } = await project.pulumi("up", "--yes", "--skip-preview");
    assert.notEqual(code, 0);
    for (const message of messages) assert.match(stdout + stderr, message);
    assert.deepEqual(await tags(), before);
  };

  it("leaves every tag when charts render nothing, need a value, reach for the network or break a rule, also after a refresh", async () => {
    const own = (name: string, template: string, more = "") => {
      const folder = `policies/backend-applications/charts/${name}`;
      project.write(`${folder}/Chart.yaml`, `apiVersion: v2\nname: ${name}\nversion: 1.0.0\n${more}`);
      project.write(`${folder}/templates/a.yaml`, template);
    };
    own("empty", "{{- if .Values.on }}\na: b\n{{- end }}\n");
    own("needy", 'a: {{ required "a colour is needed" .Values.colour }}\n');
    own("far", "", 'dependencies: [{name: redis, version: 1.0.0, repository: "https://charts.example.com"}]\n');
    own(
      "rooted",
      "apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: shop}\nspec: {containers: [{name: a, image: a}]}\n",
    );
    const names = ["empty", "needy", "far", "rooted"];
    project.configure((config) => {
      for (const name of names)
        config["policy-platform:gate"].integration[name] = {
          chart: `backend-applications/charts/${name}`,
          policies: ["security-policy"],
        };
    });
    try {
      const messages = [
        /integration: empty: \/repos\/backend-applications\/charts\/empty renders nothing with these values/,
        /integration: needy: \/repos\/backend-applications\/charts\/needy needs a value: a colour is needed/,
        /integration: far: \/repos\/backend-applications\/charts\/far reaches for the network: its dependencies \(redis\)/,
        /integration: rooted: refused by \S+\/\S+ \(shop\/Pod\/a: /,
      ];
      await refused(...messages);
      await project.pulumi("refresh", "--yes", "--skip-preview");
      await refused(...messages);
    } finally {
      for (const name of names)
        rmSync(join(project.dir, "policies/backend-applications/charts", name), { recursive: true });
      project.configure((config) => {
        for (const name of names) delete config["policy-platform:gate"].integration[name];
      });
    }
  });

  it("leaves every tag when the image is over its budget", async () => {
    const budget = (compressed: string) =>
      project.configure((config) => {
        config["policy-platform:gate"].size.compressed = compressed;
      });
    budget("20Mi");
    await refused(/size: \S+ MiB over gate\.size\.compressed of 20\.0 MiB: the largest are \S+ \S+ MiB, /);
    budget("400Mi");
  });

  it("is made again once everything is as it was, with the same tags", async () => {
    const before = await tags();
    await project.up();
    assert.deepEqual(await tags(), before);
  });
});
