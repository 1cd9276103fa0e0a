// What the commands do with the clusters of a checkout beside starting them: say how they are, watch them, end them.
import { existsSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { bootId } from "../../lib/process";
import type { Layout } from "../layout";
import { readMemory, remember } from "../memory";
import { type Component, components, knownClusters, type LocalCluster } from "./cluster";
import { lastLines, logOf, runningComponents, stopComponents } from "./running";

const watchInterval = 1_000;

/** Lines for `local:status`. */
export async function clusterLines(layout: Layout): Promise<string[]> {
  const clusters = knownClusters(layout);
  if (clusters.length === 0) return ["no local cluster was started here"];
  return (await Promise.all(clusters.map((cluster) => linesOf(layout, cluster)))).flat();
}

async function linesOf(layout: Layout, cluster: LocalCluster): Promise<string[]> {
  const running = runningComponents(cluster);
  const name = `local cluster ${cluster.name}`;
  if (running.length === 0 && !isMeantToRun(layout, cluster)) return [`${name} is down`];
  const missing = components.filter((component) => !running.some((one) => one.component === component));
  if (missing.length === 0)
    return [`${name} runs at https://127.0.0.1:${cluster.ports.api}, context ${cluster.name} of ${cluster.kubeconfig}`];
  const ends = await endedByThemselves(layout, cluster);
  return [`${name} is not whole: npm run local starts ${missing.join(", ")}`, ...ends.map((line) => `  ${line}`)];
}

/** True while every component runs. */
export function isWhole(cluster: LocalCluster): boolean {
  return runningComponents(cluster).length === components.length;
}

/** Calls `onEnd` with a few lines for each component that ends by itself, until the signal. */
export async function watchCluster(
  cluster: LocalCluster,
  onEnd: (lines: string) => void,
  signal: AbortSignal,
): Promise<void> {
  let before = runningComponents(cluster).map(({ component }) => component);
  while (!signal.aborted) {
    await sleep(watchInterval, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return;
    const now = runningComponents(cluster).map(({ component }) => component);
    for (const component of before.filter((one) => !now.includes(one))) onEnd(await describeEnd(cluster, component));
    before = now;
  }
}

/** Ends every cluster of this checkout; their state stays. */
export async function stopClusters(layout: Layout): Promise<string[]> {
  const lines: string[] = [];
  for (const cluster of knownClusters(layout)) {
    const count = await stopComponents(cluster);
    const { clusters } = readMemory(layout.memoryFile);
    remember(layout.memoryFile, { clusters: { ...clusters, [cluster.name]: { port: cluster.ports.api } } });
    lines.push(count > 0 ? `local cluster ${cluster.name} stopped` : `local cluster ${cluster.name} does not run`);
  }
  return lines;
}

/** True from its start until `local:down`, within one boot of the machine. */
export function isMeantToRun(layout: Layout, { name }: LocalCluster): boolean {
  return readMemory(layout.memoryFile).clusters[name]?.boot === bootId();
}

/** Components that have ended by themselves since the last start, each with the end of its log. */
export function endedByThemselves(layout: Layout, cluster: LocalCluster): Promise<string[]> {
  if (!isMeantToRun(layout, cluster)) return Promise.resolve([]);
  const running = runningComponents(cluster).map(({ component }) => component);
  const gone = components.filter((component) => !running.includes(component) && existsSync(logOf(cluster, component)));
  return Promise.all(gone.map((component) => describeEnd(cluster, component)));
}

/** `kyverno-controller of the cluster dev has ended; .local/log/… ends with: …`. */
export async function describeEnd(cluster: LocalCluster, component: Component): Promise<string> {
  const lines = await lastLines(cluster, component);
  const tail = lines.map((line) => `\n      ${line}`).join("");
  return `${component} of the cluster ${cluster.name} has ended; ${logOf(cluster, component)} ends with:${tail}`;
}
