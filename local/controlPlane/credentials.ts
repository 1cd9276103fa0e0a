// What a cluster's processes know each other by: tokens and keys made at its first start, for their owner only. The API
// server makes its own certificate, Kyverno the one of its webhooks.
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { writeByRename } from "../../lib/cache";
import type { LocalCluster } from "./cluster";

/** Who asks the API server: people, and each controller under the name that it has in clusters. */
const users = {
  admin: "admin",
  "kube-controller-manager": "system:kube-controller-manager",
  "source-controller": "system:serviceaccount:flux-system:source-controller",
  "kustomize-controller": "system:serviceaccount:flux-system:kustomize-controller",
  "kyverno-controller": "system:serviceaccount:kyverno:kyverno-admission-controller",
} as const;
export type User = keyof typeof users;

export interface CredentialFiles {
  readonly tokens: string;
  readonly signingKey: string;
  readonly verifyingKey: string;
}

export function credentialFiles({ folder }: LocalCluster): CredentialFiles {
  return {
    tokens: join(folder, "tokens.csv"),
    signingKey: join(folder, "service-accounts.key"),
    verifyingKey: join(folder, "service-accounts.pub"),
  };
}

/** The kubeconfig of a controller. */
export function controllerKubeconfig({ folder }: LocalCluster, user: User): string {
  return join(folder, `${user}.kubeconfig`);
}

/** Makes what is missing: a token that is there stays, as clients hold it. */
export async function ensureCredentials(cluster: LocalCluster): Promise<void> {
  const files = credentialFiles(cluster);
  await mkdir(cluster.folder, { recursive: true, mode: 0o700 });
  if (!existsSync(files.tokens)) await writeSecret(files.tokens, renderTokens());
  // Written before the other: a start that was killed between the two makes both again.
  if (!existsSync(files.signingKey)) {
    const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    await writeSecret(files.verifyingKey, publicKey.export({ type: "spki", format: "pem" }) as string);
    await writeSecret(files.signingKey, privateKey.export({ type: "pkcs8", format: "pem" }) as string);
  }
  for (const user of Object.keys(users) as User[]) {
    if (user !== "admin")
      await writeSecret(controllerKubeconfig(cluster, user), renderControllerKubeconfig(cluster, user));
  }
}

/** The token of a user. */
export function tokenOf(cluster: LocalCluster, user: User): string {
  const lines = readFileSync(credentialFiles(cluster).tokens, "utf8").split("\n");
  return lines.find((line) => line.split(",")[1] === users[user])!.split(",")[0]!;
}

/** The API server's `token,user,uid,groups`; whoever may read it may do everything, as in any cluster's admin kubeconfig. */
function renderTokens(): string {
  const lines = Object.values(users).map((user) => `${randomBytes(32).toString("hex")},${user},${user},system:masters`);
  return `${lines.join("\n")}\n`;
}

function renderControllerKubeconfig(cluster: LocalCluster, user: User): string {
  const { name, ports, certificate } = cluster;
  return renderKubeconfig([
    {
      name,
      server: serverOf(ports.api),
      certificate: { "certificate-authority": certificate },
      token: tokenOf(cluster, user),
    },
  ]);
}

export interface KubeconfigEntry {
  readonly name: string;
  readonly server: string;
  readonly certificate:
    | { readonly "certificate-authority": string }
    | { readonly "certificate-authority-data": string };
  readonly token: string;
}

/** A kubeconfig with a context for each entry, the first one current. Written as JSON, which is YAML too. */
export function renderKubeconfig(entries: readonly KubeconfigEntry[]): string {
  const kubeconfig = {
    apiVersion: "v1",
    kind: "Config",
    "current-context": entries[0]?.name ?? "",
    clusters: entries.map(({ name, server, certificate }) => ({ name, cluster: { server, ...certificate } })),
    contexts: entries.map(({ name }) => ({ name, context: { cluster: name, user: name } })),
    users: entries.map(({ name, token }) => ({ name, user: { token } })),
  };
  return `${JSON.stringify(kubeconfig, null, 2)}\n`;
}

/** Writes the kubeconfig of people: every cluster that has a certificate, `first` as the current one. */
export async function writeKubeconfig(file: string, clusters: readonly LocalCluster[]): Promise<void> {
  const entries = clusters
    .filter(({ certificate }) => existsSync(certificate))
    .map((cluster) => ({
      name: cluster.name,
      server: serverOf(cluster.ports.api),
      certificate: { "certificate-authority-data": readFileSync(cluster.certificate).toString("base64") },
      token: tokenOf(cluster, "admin"),
    }));
  await writeSecret(file, renderKubeconfig(entries));
}

export function serverOf(port: number): string {
  return `https://127.0.0.1:${port}`;
}

/** A file that only its owner reads, unless it says so already. */
async function writeSecret(file: string, text: string): Promise<void> {
  if ((await readFile(file, "utf8").catch(() => undefined)) === text) return;
  await writeByRename(file, (temporary) => writeFile(temporary, text, { mode: 0o600 }));
}
