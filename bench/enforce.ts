// From an edited policy to a Pod that is refused with its new words: by `npm run local`, and from the publishing of an artifact alone.
// The local cluster is started where it does not run.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { exec } from "../lib/exec";
import { fluxArtifact } from "../lib/flux/artifact";
import { artifactFiles } from "../lib/flux/content";
import { deliveryFacts, deliveryObjects } from "../lib/flux/delivery";
import { pushArtifact } from "../lib/flux/push";
import { connectCluster } from "../lib/kubernetes/client";
import type { KubernetesObject } from "../lib/kubernetes/objects";
import { RegistryClient } from "../lib/oci/client";
import { parseRepository } from "../lib/oci/reference";
import { chooseCluster, type LocalCluster } from "../local/controlPlane/cluster";
import { tryPod } from "../local/controlPlane/summary";
import { layoutOf } from "../local/layout";
import { expectSuccess } from "../test/support/project";
import { startRegistry } from "../test/support/registry";
import { type Figure, median, seconds, timed } from "./figure";

const root = join(__dirname, "..");
const layout = layoutOf(root);
const edits = 3;
const allowedEdit = 15;
const publishes = 20;
const allowedPublish = 5;
const policyFile = join(root, "policies/security-policy/policies/disallow-host-path.yaml");

export async function measure(): Promise<Figure[]> {
  const local = () => expectSuccess(exec("npm", ["run", "local"], { cwd: root, timeout: 1_800_000 }));
  await local();
  const cluster = chooseCluster(layout, {});
  const edited = await timesOfEdits(cluster, local);
  const published = await timesOfPublishing(cluster);
  const late = published.filter((time) => time > allowedPublish).length;
  return [
    {
      what: "one policy edited, npm run local, until a bad Pod is refused with its new words",
      goal: `≤ ${allowedEdit} s`,
      measured: `${seconds(edited)}, ${edits} rounds`,
      met: median(edited) <= allowedEdit,
    },
    {
      what: "an artifact published, until a bad Pod is refused with its new words",
      goal: `≤ ${allowedPublish} s, ${publishes} of ${publishes}`,
      measured: `${seconds(published)}, ${publishes - late} of ${publishes}`,
      met: late === 0,
    },
  ];
}

const hostPath = { name: "host", hostPath: { path: "/" } };

/** Resolves when a Pod that mounts the host is refused with these words. */
async function refusedWith(words: string, { name, kubeconfig }: LocalCluster, labels = {}): Promise<void> {
  const pod = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "bench", namespace: "default", labels },
    spec: { containers: [{ name: "app", image: "registry.example/app:1" }], volumes: [hostPath] },
  };
  for (;;) {
    const trial = await tryPod({ folder: layout.bin, kubeconfig, context: name }, pod);
    // kubectl breaks long lines.
    if (!trial.admitted && trial.messages.join(" ").includes(words)) return;
  }
}

async function timesOfEdits(cluster: LocalCluster, local: () => Promise<unknown>): Promise<number[]> {
  const before = readFileSync(policyFile, "utf8");
  const times: number[] = [];
  try {
    for (let round = 1; round <= edits; round++) {
      const words = `edit-${Date.now()}`;
      writeFileSync(
        policyFile,
        before.replace(/message: (>-\n\s+)?/, (found) => `${found}${words} `),
      );
      times.push(
        await timed(async () => {
          await local();
          await refusedWith(words, cluster);
        }),
      );
    }
  } finally {
    writeFileSync(policyFile, before);
    await local();
  }
  return times;
}

/** A policy for Pods with one label, which no other is about. */
const policy = (words: string) => ({
  apiVersion: "kyverno.io/v1",
  kind: "ClusterPolicy",
  metadata: { name: "bench-policy" },
  spec: {
    background: false,
    rules: [
      {
        name: "never",
        match: { any: [{ resources: { kinds: ["Pod"], selector: { matchLabels: { bench: "yes" } } } }] },
        validate: { failureAction: "Enforce", message: words, deny: {} },
      },
    ],
  },
});

async function timesOfPublishing(cluster: LocalCluster): Promise<number[]> {
  const registry = await startRegistry();
  const client = await connectCluster({ kubeconfig: cluster.kubeconfig, context: cluster.name });
  const place = { name: "bench", namespace: "flux-system" };
  const repository = `${registry.host}/releases/policies/bench`;
  const apply = (object: object) => client.apply(object as KubernetesObject, { fieldManager: "bench", force: true });
  const sources: { name: string; namespace: string }[] = [];
  const times: number[] = [];
  try {
    for (let round = 0; round <= publishes; round++) {
      const words = `publish-${Date.now()}`;
      const content = { r: new Map([["p.yaml", Buffer.from(JSON.stringify(policy(words)))]]) };
      const time = await timed(async () => {
        const { files, documents } = artifactFiles({ repositories: content });
        const artifact = fluxArtifact(files);
        await pushArtifact(new RegistryClient(), parseRepository(repository), artifact);
        const more = {
          createNamespace: false,
          interval: "10m",
          retryInterval: "30s",
          timeout: "30s",
          path: "./",
          prune: true,
        };
        const args = { ...place, ...more, dependsOn: [], repository, digest: artifact.digest };
        const { source, kustomization } = deliveryObjects(
          args,
          deliveryFacts(documents, { enforcement: "asAuthored" }),
        );
        await apply(source);
        await apply(kustomization);
        sources.push(source.metadata);
        await refusedWith(words, cluster, { bench: "yes" });
      });
      // The first makes the objects; what counts is what comes after.
      if (round > 0) times.push(time);
    }
  } finally {
    await client.delete({ apiVersion: "kustomize.toolkit.fluxcd.io/v1", kind: "Kustomization", ...place });
    for (const source of sources)
      await client.delete({ apiVersion: "source.toolkit.fluxcd.io/v1", kind: "OCIRepository", ...source });
    await registry.stop();
  }
  return times;
}
