// Names, folders and ports of one local cluster: several may run side by side in one checkout.
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { PlatformError } from "../../lib/errors";
import type { Layout } from "../layout";
import { readMemory } from "../memory";

/** The programs of a cluster, in the order in which they start. */
export const components = [
  "etcd",
  "kube-apiserver",
  "kube-controller-manager",
  "source-controller",
  "kustomize-controller",
  "kyverno-controller",
] as const;
export type Component = (typeof components)[number];

/** Ports of 127.0.0.1; etcd is reached through a socket in the cluster's folder. */
export interface ClusterPorts {
  readonly api: number;
  readonly webhooks: number;
  /** Where Flux's kustomize-controller fetches what its source-controller has stored. */
  readonly artifacts: number;
  readonly sourceHealth: number;
  readonly kustomizeHealth: number;
}

export interface LocalCluster {
  readonly name: string;
  readonly ports: ClusterPorts;
  /** `.local/clusters/<name>`: for its owner only. */
  readonly folder: string;
  readonly logs: string;
  /** Written by the API server at its first start. */
  readonly certificate: string;
  /** The kubeconfig of this command and of people, with a context for each cluster. */
  readonly kubeconfig: string;
}

export const defaultClusterName = "dev";
export const defaultClusterPort = 6443;
/** How many ports a cluster has, and how far the bases of two that nobody chose are apart. */
const portCount = 5;
const portDistance = 10;

export interface ClusterChoice {
  /** Value of --cluster-name; default `dev`. */
  readonly name?: string;
  /** Value of --cluster-port: the first of its ports. Default: that of its last start, else 6443 or the next that no cluster here has. */
  readonly port?: string;
}

/** The cluster that the flags name. Errors: `cluster-name-malformed`, `port-malformed`. */
export function chooseCluster(layout: Layout, { name = defaultClusterName, port }: ClusterChoice): LocalCluster {
  if (!/^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$/.test(name)) throw nameMalformed(name);
  const known = readMemory(layout.memoryFile).clusters;
  const base = port === undefined ? (known[name]?.port ?? freeBase(Object.values(known))) : Number(port);
  if (port !== undefined && (!/^\d{1,5}$/.test(port) || base < 1 || base + portCount > 65_536))
    throw portMalformed(port);
  return clusterOf(layout, name, base);
}

export function clusterOf(layout: Layout, name: string, base: number): LocalCluster {
  const folder = join(layout.clusters, name);
  return {
    name,
    ports: { api: base, webhooks: base + 1, artifacts: base + 2, sourceHealth: base + 3, kustomizeHealth: base + 4 },
    folder,
    logs: join(layout.logs, `cluster-${name}`),
    certificate: join(folder, "api", "apiserver.crt"),
    kubeconfig: layout.kubeconfig,
  };
}

/** Every cluster that has been started here since the last `local:clean`. */
export function knownClusters(layout: Layout): LocalCluster[] {
  const { clusters } = readMemory(layout.memoryFile);
  const folders = existsSync(layout.clusters) ? readdirSync(layout.clusters) : [];
  return folders.sort().map((name) => clusterOf(layout, name, clusters[name]?.port ?? defaultClusterPort));
}

function freeBase(taken: readonly { readonly port: number }[]): number {
  let base = defaultClusterPort;
  while (taken.some(({ port }) => Math.abs(port - base) < portCount)) base += portDistance;
  return base;
}

function nameMalformed(name: string): PlatformError {
  return new PlatformError("cluster-name-malformed", {
    what: `--cluster-name is ${JSON.stringify(name)}`,
    rule: "the name of a local cluster has up to 32 small letters, digits and inner hyphens",
    fix: "give another one, for example --cluster-name prod",
  });
}

function portMalformed(port: string): PlatformError {
  return new PlatformError("port-malformed", {
    what: `--cluster-port is ${JSON.stringify(port)}`,
    rule: `a cluster has ${portCount} ports from the one that is given, and a port is a number from 1 to 65535`,
    fix: `give another one, for example --cluster-port ${defaultClusterPort}`,
  });
}
