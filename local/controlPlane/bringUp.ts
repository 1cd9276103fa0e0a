// The part of the commands that has a local cluster: its programs, its start, and what a shell needs to use it.
import { join } from "node:path";
import type { Layout } from "../layout";
import { linkProgram } from "../prepare";
import type { Steps } from "../steps";
import type { Toolchain } from "../toolchain/toolchain";
import { type ClusterChoice, chooseCluster, type LocalCluster } from "./cluster";
import { startControlPlane } from "./start";

export interface BringUpOptions {
  readonly layout: Layout;
  readonly steps: Steps;
  readonly toolchain: Toolchain;
  readonly choice: ClusterChoice;
}

/** Builds what is missing and resolves when the cluster is ready. Errors: those of its choice, its builds and its start. */
export async function bringUpCluster({ layout, steps, toolchain, choice }: BringUpOptions): Promise<LocalCluster> {
  const cluster = chooseCluster(layout, choice);
  const programs = toolchain.cluster();
  void steps.run(
    `Local cluster ${cluster.name}`,
    async (step) => {
      const { kubernetes } = await programs;
      await linkProgram(layout, "kubectl", join(kubernetes, "kubectl"));
      const { started, ended } = await startControlPlane({
        layout,
        cluster,
        programs: await programs,
        signal: step.signal,
        progress: (text) => step.progress(text),
      });
      for (const line of ended) steps.screen.write(`  ! ${line}`);
      const what = started.length === 0 ? "runs already" : `started ${started.join(", ")}`;
      step.outcome(`https://127.0.0.1:${cluster.ports.api}, ${what}`);
    },
    { after: [programs] },
  );
  await steps.settle();
  return cluster;
}
