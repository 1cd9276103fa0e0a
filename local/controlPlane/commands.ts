// The programs of a cluster with their arguments: everything listens on the loopback, and etcd, which asks nobody who he is, on
// a socket in the cluster's folder.
import { join } from "node:path";
import { childEnvironment } from "../../lib/exec";
import type { ClusterPrograms } from "../toolchain/toolchain";
import type { Component, LocalCluster } from "./cluster";
import { controllerKubeconfig, credentialFiles } from "./credentials";

export interface Command {
  readonly component: Component;
  readonly program: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Ports of 127.0.0.1 that it takes. */
  readonly ports: readonly number[];
}

/** Relative to the cluster's folder, in which every program runs: a socket's path ends at 107 bytes. Its form is etcd's. */
const etcdClients = "unix://localhost:1";
const etcdPeers = "unix://localhost:2";

/** The sockets of etcd: one that was killed leaves them, and the next cannot listen there. */
export function etcdSockets({ folder }: LocalCluster): string[] {
  return [etcdClients, etcdPeers].map((url) => join(folder, url.slice("unix://".length)));
}

/**
 * Of the API server: the definitions of Kyverno's kinds alone take 200 MiB while they are taken in, and Go keeps twice as much
 * when nobody stops it. With less than this it spends its time looking for memory.
 */
const memoryLimit = "320MiB";

export const kyvernoNamespace = "kyverno";
export const fluxNamespace = "flux-system";
/** Kyverno makes both: the authority of its webhooks and the pair that they show. */
export const kyvernoSecrets = { authority: "kyverno-tls-ca", pair: "kyverno-tls-pair" } as const;
export const kyvernoConfigMaps = { settings: "kyverno", metrics: "kyverno-metrics" } as const;

export function commandsOf(cluster: LocalCluster, programs: ClusterPrograms): Readonly<Record<Component, Command>> {
  return {
    etcd: etcd(cluster, programs),
    "kube-apiserver": apiServer(cluster, programs),
    "kube-controller-manager": controllerManager(cluster, programs),
    "source-controller": sourceController(cluster, programs),
    "kustomize-controller": kustomizeController(cluster, programs),
    "kyverno-controller": kyvernoController(cluster, programs),
  };
}

function etcd({ name, folder }: LocalCluster, programs: ClusterPrograms): Command {
  return {
    component: "etcd",
    program: programs.etcd,
    args: [
      `--name=${name}`,
      `--data-dir=${join(folder, "etcd")}`,
      `--listen-client-urls=${etcdClients}`,
      `--advertise-client-urls=${etcdClients}`,
      `--listen-peer-urls=${etcdPeers}`,
      // Nobody joins: an address of this form is asked for, and never used.
      "--initial-advertise-peer-urls=http://localhost:2",
      `--initial-cluster=${name}=http://localhost:2`,
    ],
    env: lean(),
    ports: [],
  };
}

function apiServer(cluster: LocalCluster, programs: ClusterPrograms): Command {
  const { folder, ports } = cluster;
  const { tokens, signingKey, verifyingKey } = credentialFiles(cluster);
  return {
    component: "kube-apiserver",
    program: join(programs.kubernetes, "kube-apiserver"),
    args: [
      `--etcd-servers=${etcdClients}`,
      "--bind-address=127.0.0.1",
      "--advertise-address=127.0.0.1",
      // A loopback address is refused as an endpoint of the service `kubernetes`, which nobody here uses.
      "--endpoint-reconciler-type=none",
      `--secure-port=${ports.api}`,
      `--cert-dir=${join(folder, "api")}`,
      `--token-auth-file=${tokens}`,
      "--anonymous-auth=false",
      "--authorization-mode=RBAC",
      "--service-account-issuer=https://kubernetes.default.svc",
      `--service-account-key-file=${verifyingKey}`,
      `--service-account-signing-key-file=${signingKey}`,
      "--service-cluster-ip-range=10.0.0.0/24",
      // Refusing such Pods is the policies' business, as in other clusters.
      "--allow-privileged=true",
      // Pods are admitted and never run: none of them needs a token.
      "--disable-admission-plugins=ServiceAccount",
      "--profiling=false",
    ],
    env: lean({ GOMEMLIMIT: memoryLimit }),
    ports: [ports.api],
  };
}

function controllerManager(cluster: LocalCluster, programs: ClusterPrograms): Command {
  return {
    component: "kube-controller-manager",
    program: join(programs.kubernetes, "kube-controller-manager"),
    args: [
      `--kubeconfig=${controllerKubeconfig(cluster, "kube-controller-manager")}`,
      // What ends deletions, and gives each namespace its service account.
      "--controllers=garbage-collector-controller,namespace-controller,serviceaccount-controller",
      `--service-account-private-key-file=${credentialFiles(cluster).signingKey}`,
      "--leader-elect=false",
      "--secure-port=0",
    ],
    env: lean(),
    ports: [],
  };
}

/** Where Flux keeps what it has fetched; it does not make the folder. */
export function artifactsFolder({ folder }: LocalCluster): string {
  return join(folder, "artifacts");
}

function sourceController(cluster: LocalCluster, programs: ClusterPrograms): Command {
  const { artifacts, sourceHealth } = cluster.ports;
  return {
    component: "source-controller",
    program: join(programs["source-controller"], "source-controller"),
    args: [
      `--storage-path=${artifactsFolder(cluster)}`,
      `--storage-addr=127.0.0.1:${artifacts}`,
      `--storage-adv-addr=127.0.0.1:${artifacts}`,
      ...fluxArguments(sourceHealth),
    ],
    env: fluxEnvironment(cluster, "source-controller"),
    ports: [artifacts, sourceHealth],
  };
}

function kustomizeController(cluster: LocalCluster, programs: ClusterPrograms): Command {
  const { kustomizeHealth } = cluster.ports;
  return {
    component: "kustomize-controller",
    program: join(programs["kustomize-controller"], "kustomize-controller"),
    args: fluxArguments(kustomizeHealth),
    env: fluxEnvironment(cluster, "kustomize-controller"),
    ports: [kustomizeHealth],
  };
}

function fluxArguments(health: number): string[] {
  return [`--health-addr=127.0.0.1:${health}`, "--metrics-addr=0", "--events-addr=", "--enable-leader-election=false"];
}

/** Six programs beside everything else on a developer's machine: each collects its garbage early, which costs some of its time. */
function lean(more: Readonly<Record<string, string>> = {}): Record<string, string> {
  return childEnvironment({ GOGC: "30", ...more });
}

function fluxEnvironment(
  cluster: LocalCluster,
  user: "source-controller" | "kustomize-controller",
): Record<string, string> {
  return lean({ KUBECONFIG: controllerKubeconfig(cluster, user), RUNTIME_NAMESPACE: fluxNamespace });
}

function kyvernoController(cluster: LocalCluster, programs: ClusterPrograms): Command {
  const { webhooks } = cluster.ports;
  return {
    component: "kyverno-controller",
    program: join(programs["kyverno-controller"], "kyverno-controller"),
    args: [
      `--kubeconfig=${controllerKubeconfig(cluster, "kyverno-controller")}`,
      // Where the API server finds the webhooks, and whom their certificate names.
      `--serverIP=127.0.0.1:${webhooks}`,
      `--webhookServerPort=${webhooks}`,
      `--caSecretName=${kyvernoSecrets.authority}`,
      `--tlsSecretName=${kyvernoSecrets.pair}`,
      "--backgroundServiceAccountName=system:serviceaccount:kyverno:kyverno-background-controller",
      "--reportsServiceAccountName=system:serviceaccount:kyverno:kyverno-reports-controller",
      "--enablePolicyException=true",
      "--exceptionNamespace=*",
      // Metrics are off, and so is the server for them only when it is told of a kind that it does not have.
      "--disableMetrics=true",
      "--otelConfig=none",
    ],
    env: lean({
      KYVERNO_NAMESPACE: kyvernoNamespace,
      KYVERNO_SERVICEACCOUNT_NAME: "kyverno-admission-controller",
      KYVERNO_DEPLOYMENT: "kyverno-admission-controller",
      // Also the name under which it leads: one that is started after a kill leads at once.
      KYVERNO_POD_NAME: `kyverno-${cluster.name}`,
      KYVERNO_SVC: "kyverno-svc",
      INIT_CONFIG: kyvernoConfigMaps.settings,
      METRICS_CONFIG: kyvernoConfigMaps.metrics,
    }),
    ports: [webhooks],
  };
}
