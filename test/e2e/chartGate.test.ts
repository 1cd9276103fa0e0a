// Charts in the gate of a release, with every tool and repository of the local stack: what is good is released, what is not
// leaves every tag where it is, also after a refresh.
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { RegistryClient } from "../../lib/oci/client";
import { parseRepository } from "../../lib/oci/reference";
import { createProject, type Project, wholePins } from "../support/project";
import { startRegistry, type TestRegistry } from "../support/registry";

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
    ])
      assert.ok(
        lines.some((line) => expected.test(line)),
        `${expected}\n${lines.join("\n")}`,
      );
  });

  const template = `policies/${chart}/templates/deployment.yaml`;
  const bad: Record<string, { change: () => void; message: RegExp }> = {
    "renders nothing": {
      change: () => {
        for (const file of readdirSync(join(project.dir, "policies", chart, "templates")))
          if (file.endsWith(".yaml")) project.write(`policies/${chart}/templates/${file}`, "{{- /* nothing */ -}}\n");
      },
      message:
        /integration: shop-production: \/repos\/backend-applications\/charts\/app renders nothing with these values/,
    },
    "needs a value": {
      change: () => project.write(template, 'a: {{ required "a colour is needed" .Values.colour }}\n'),
      message:
        /integration: shop-production: \/repos\/backend-applications\/charts\/app needs a value: a colour is needed/,
    },
    "reaches for the network": {
      change: () =>
        project.write(
          `policies/${chart}/Chart.yaml`,
          `${source("Chart.yaml")}dependencies: [{name: redis, version: 1.0.0, repository: "https://charts.example.com"}]\n`,
        ),
      message:
        /integration: shop-production: \/repos\/backend-applications\/charts\/app reaches for the network: its dependencies \(redis\)/,
    },
    "breaks a rule": {
      change: () =>
        project.write(
          template,
          source("templates/deployment.yaml").replace("runAsNonRoot: true", "runAsNonRoot: false"),
        ),
      message:
        /integration: shop-production: refused by require-run-as-non-root\/run-as-non-root \(shop\/Deployment\/shop: /,
    },
    "is over the image's budget": {
      change: () =>
        project.configure((config) => {
          config["policy-platform:gate"].size.compressed = "20Mi";
        }),
      message: /size: \S+ MiB over gate\.size\.compressed of 20\.0 MiB: the largest are \S+ \S+ MiB, /,
    },
  };
  const source = (file: string) => readFileSync(join(__dirname, "..", "..", "policies", chart, file), "utf8");

  for (const [what, { change, message }] of Object.entries(bad)) {
    it(`leaves every tag when ${what === "is over the image's budget" ? "the image" : "the chart"} ${what}, also after a refresh`, async () => {
      const before = await tags();
      change();
      try {
        for (const attempt of ["first", "after a refresh"]) {
          const { code, stdout, stderr } = await project.pulumi("up", "--yes", "--skip-preview");
          assert.notEqual(code, 0, attempt);
          assert.match(stdout + stderr, message, attempt);
          assert.deepEqual(await tags(), before, attempt);
          await project.pulumi("refresh", "--yes", "--skip-preview");
        }
      } finally {
        restore();
      }
    });
  }

  it("is made again once everything is as it was, with the same tags", async () => {
    const before = await tags();
    await project.up();
    assert.deepEqual(await tags(), before);
  });

  function restore() {
    for (const file of ["Chart.yaml", ...templates()]) project.write(`policies/${chart}/${file}`, source(file));
    project.configure((config) => {
      config["policy-platform:gate"].size.compressed = "400Mi";
    });
  }

  function templates(): string[] {
    const folder = join(__dirname, "..", "..", "policies", chart, "templates");
    assert.ok(existsSync(folder));
    return readdirSync(folder).map((file) => `templates/${file}`);
  }
});
