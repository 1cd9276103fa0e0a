// Starts what of a cluster does not run, each as soon as what it needs is ready, and waits until all of it is.
import { mkdir, rm } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { PlatformError } from "../../lib/errors";
import { type ClusterClient, connectCluster } from "../../lib/kubernetes/client";
import { bootId } from "../../lib/process";
import type { Layout } from "../layout";
import { readMemory, remember } from "../memory";
import { canListen, holderOf } from "../ports";
import { stop } from "../process";
import type { ClusterPrograms } from "../toolchain/toolchain";
import { type Component, components, defaultClusterName, knownClusters, type LocalCluster } from "./cluster";
import { artifactsFolder, type Command, commandsOf, etcdSockets } from "./commands";
import { ensureCredentials, writeKubeconfig } from "./credentials";
import { ensureDefinitions } from "./definitions";
import { startFailed } from "./failures";
import { kubectlOf } from "./kubectl";
import { describeEnd, endedByThemselves } from "./manage";
import { kyvernoLease, kyvernoObjects, namespaces } from "./objects";
import { isServerReady, probes } from "./probes";
import { endedAmong, lastLines, type RunningComponent, runningComponents, runsAs, startComponent } from "./running";

const startPatience = 120_000;
const interval = 100;
const fieldManager = "policy-platform-local";

export interface StartOptions {
  readonly layout: Layout;
  readonly cluster: LocalCluster;
  readonly programs: ClusterPrograms;
  readonly signal?: AbortSignal;
  readonly progress?: (text: string) => void;
}

export interface Started {
  /** Components that this call has started; none when all of them ran. */
  readonly started: readonly Component[];
  /** Lines on components that had ended by themselves since the last start. */
  readonly ended: readonly string[];
}

/** Resolves when every component is ready. Errors: `port-taken`, `cluster-start`. */
export async function startControlPlane(options: StartOptions): Promise<Started> {
  return new Start(options).run();
}

class Start {
  readonly #commands: Readonly<Record<Component, Command>>;
  readonly #running = new Map<Component, RunningComponent>();
  readonly #started: Component[] = [];
  readonly #end = Date.now() + startPatience;

  constructor(readonly options: StartOptions) {
    this.#commands = commandsOf(options.cluster, options.programs);
  }

  async run(): Promise<Started> {
    const { cluster, layout } = this.options;
    const ended = await endedByThemselves(layout, cluster);
    await this.#adopt();
    await this.#refuseTakenPorts();
    const { clusters } = readMemory(layout.memoryFile);
    const remembered = { port: cluster.ports.api, boot: bootId() };
    remember(layout.memoryFile, { clusters: { ...clusters, [cluster.name]: remembered } });
    await ensureCredentials(cluster);
    await mkdir(artifactsFolder(cluster), { recursive: true });
    if (!this.#running.has("etcd")) for (const socket of etcdSockets(cluster)) await rm(socket, { force: true });
    await Promise.all([this.#ensure("etcd"), this.#ensure("kube-apiserver")]);
    await this.#until("kube-apiserver", () => isServerReady(cluster));
    await this.#writeKubeconfig();
    await this.#controllers(
      await connectCluster({ kubeconfig: cluster.kubeconfig, context: cluster.name, signal: this.options.signal }),
    );
    this.#refuseEnded(await this.#endedNow());
    return { started: this.#started, ended };
  }

  async #controllers(client: ClusterClient): Promise<void> {
    const { cluster, programs, signal } = this.options;
    const kubectl = kubectlOf({
      folder: programs.kubernetes,
      kubeconfig: cluster.kubeconfig,
      context: cluster.name,
      signal,
    });
    const ready = async (component: keyof typeof probes) => {
      await this.#ensure(component);
      await this.#until(component, () => probes[component](cluster, client));
    };
    const apply = (object: (typeof namespaces)[number]) => client.apply(object, { fieldManager, force: true });
    const spaces = Promise.all(namespaces.map(apply));
    const flux = ensureDefinitions(cluster, programs["source-controller"], kubectl, { signal });
    const kustomize = ensureDefinitions(cluster, programs["kustomize-controller"], kubectl, { signal });
    const kyverno = ensureDefinitions(cluster, programs["kyverno-controller"], kubectl, { signal });
    const lease = this.#running.has("kyverno-controller") ? [] : [kyvernoLease(new Date())];
    const settings = spaces.then(() => Promise.all([...kyvernoObjects, ...lease].map(apply)));
    await Promise.all([
      ready("kube-controller-manager"),
      Promise.all([spaces, flux]).then(() => ready("source-controller")),
      Promise.all([spaces, flux, kustomize]).then(() => ready("kustomize-controller")),
      Promise.all([settings, kyverno]).then(() => ready("kyverno-controller")),
    ]);
  }

  /** Takes over what runs as it should, and ends what an older program or another port is in. */
  async #adopt(): Promise<void> {
    for (const found of runningComponents(this.options.cluster)) {
      if (runsAs(found, this.#commands[found.component])) this.#running.set(found.component, found);
      else await stop(found.identity);
    }
  }

  async #refuseTakenPorts(): Promise<void> {
    const wanted = components.filter((component) => !this.#running.has(component));
    for (const port of wanted.flatMap((component) => this.#commands[component].ports))
      if (!(await canListen(port))) throw await portTaken(port, this.options.cluster);
  }

  async #ensure(component: Component): Promise<void> {
    if (this.#running.has(component)) return;
    this.#running.set(component, await startComponent(this.options.cluster, this.#commands[component]));
    this.#started.push(component);
  }

  async #until(component: Component, isReady: () => Promise<boolean>): Promise<void> {
    this.options.progress?.(component);
    for (;;) {
      this.options.signal?.throwIfAborted();
      if (await isReady().catch(() => false)) return;
      this.#refuseEnded(await this.#endedNow());
      if (Date.now() > this.#end) throw await this.#late(component);
      await sleep(interval);
    }
  }

  async #endedNow(): Promise<string[]> {
    const ended = endedAmong([...this.#running.values()]);
    return Promise.all(ended.map((component) => describeEnd(this.options.cluster, component)));
  }

  #refuseEnded(lines: readonly string[]): void {
    if (lines.length > 0) throw startFailed(this.options.cluster, lines.join("\n    "));
  }

  async #late(component: Component): Promise<PlatformError> {
    const { cluster } = this.options;
    const lines = await lastLines(cluster, component);
    const tail = lines.map((line) => `\n    ${line}`).join("");
    return startFailed(cluster, `${component} is not ready after ${startPatience / 1000} s; its log ends with:${tail}`);
  }

  async #writeKubeconfig(): Promise<void> {
    const { cluster, layout } = this.options;
    const others = knownClusters(layout).filter(({ name }) => name !== cluster.name);
    const isDefault = ({ name }: LocalCluster) => name === defaultClusterName;
    const all = [...others, cluster].sort((one, other) => Number(isDefault(other)) - Number(isDefault(one)));
    await writeKubeconfig(cluster.kubeconfig, all);
  }
}

async function portTaken(port: number, { name, ports }: LocalCluster): Promise<PlatformError> {
  const all = Object.values(ports);
  const distance = 10;
  let base = ports.api + distance;
  for (;;) {
    const free = await Promise.all(all.map((_, index) => canListen(base + index)));
    if (free.every(Boolean) || base > 65_000) break;
    base += distance;
  }
  return new PlatformError("port-taken", {
    what: `127.0.0.1:${port}, which the local cluster ${name} needs, is taken by ${holderOf(port)}`,
    rule: `a local cluster has the ports ${all[0]} to ${all.at(-1)}`,
    fix: `choose others: npm run local -- --cluster-port ${base}`,
  });
}
