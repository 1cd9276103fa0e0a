// The gate on 300 policies and 200 resources, beside one `kyverno apply` over the same. What each policy file applies alone is
// known from the release before, as it is whenever a file did not change.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import { type Figure, median, seconds, timed } from "./figure";
import { releasedStand } from "./gateStand";

const rounds = 3;
const allowedRatio = 0.6;
const policies = 300;
const resources = 200;

export async function measure(): Promise<Figure[]> {
  const stand = await releasedStand((config, dir) => {
    writePolicies(join(dir, "policies/large"));
    writeChart(join(dir, "policies/apps/charts/many"));
    config["policy-platform:policies"] = { large: { folder: "policies/large" }, apps: { folder: "policies/apps" } };
    const integration = { many: { chart: "apps/charts/many", policies: ["large"], expect: "pass" } };
    config["policy-platform:gate"] = { integration };
  });
  try {
    const line = "helm template many /repos/apps/charts/many | kyverno apply /repos/large/ --resource -";
    const ours: number[] = [];
    const theirs: number[] = [];
    for (let round = 0; round < rounds; round++) {
      theirs.push(await timed(() => stand.dockerRun("bash", "-o", "pipefail", "-c", line)));
      ours.push(await timed(stand.gate));
    }
    const ratio = median(ours.map((own, round) => own / theirs[round]!));
    return [
      {
        what: `the whole gate on ${policies} policies and ${resources} resources, beside one kyverno apply`,
        goal: `≤ ${allowedRatio} ×`,
        measured: `${ratio.toFixed(2)} × (${seconds(ours)} beside ${seconds(theirs)}), ${rounds} pairs`,
        met: ratio <= allowedRatio,
      },
    ];
  } finally {
    await stand.stop();
  }
}

/** Each about Pods, so that Kyverno makes rules for what makes Pods, too. */
function writePolicies(folder: string): void {
  mkdirSync(folder, { recursive: true });
  for (let number = 0; number < policies; number++) {
    const name = `require-label-${number}`;
    const rule = {
      name: "label",
      match: { any: [{ resources: { kinds: ["Pod"] } }] },
      validate: {
        message: `Pods carry the label team-${number}.`,
        pattern: { metadata: { labels: { [`team-${number}`]: "?*" } } },
      },
    };
    const spec = { validationFailureAction: "Enforce", background: true, rules: [rule] };
    const policy = { apiVersion: "kyverno.io/v1", kind: "ClusterPolicy", metadata: { name }, spec };
    writeFileSync(join(folder, `${name}.yaml`), stringify(policy));
  }
}

/** Deployments that satisfy every policy. */
function writeChart(folder: string): void {
  mkdirSync(join(folder, "templates"), { recursive: true });
  writeFileSync(join(folder, "Chart.yaml"), "apiVersion: v2\nname: many\nversion: 1.0.0\n");
  const labels = Object.fromEntries(Array.from({ length: policies }, (_, number) => [`team-${number}`, "shop"]));
  for (let number = 0; number < resources; number++) {
    const name = `app-${number}`;
    const pod = {
      metadata: { labels: { ...labels, app: name } },
      spec: { containers: [{ name: "app", image: "registry.example.com/app:1" }] },
    };
    const spec = { selector: { matchLabels: { app: name } }, template: pod };
    const deployment = { apiVersion: "apps/v1", kind: "Deployment", metadata: { name, namespace: "shop" }, spec };
    writeFileSync(join(folder, "templates", `${name}.yaml`), stringify(deployment));
  }
}
