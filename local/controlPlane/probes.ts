// When a component is ready for those that need it.
import { existsSync, readFileSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import type { ClusterClient } from "../../lib/kubernetes/client";
import type { KubernetesObject } from "../../lib/kubernetes/objects";
import { isRecord } from "../../lib/record";
import type { Component, LocalCluster } from "./cluster";
import { kyvernoNamespace, kyvernoSecrets } from "./commands";
import { serverOf, tokenOf } from "./credentials";

const patience = 5_000;

/** The API server answers, and has finished what it does at its start. */
export async function isServerReady(cluster: LocalCluster): Promise<boolean> {
  if (!existsSync(cluster.certificate)) return false;
  const ca = readFileSync(cluster.certificate);
  const status = await statusAt(`${serverOf(cluster.ports.api)}/readyz`, { ca, token: tokenOf(cluster, "admin") });
  return status === 200;
}

/** Everything that starts when the API server is ready. */
export const probes: Readonly<
  Record<
    Exclude<Component, "etcd" | "kube-apiserver">,
    (cluster: LocalCluster, client: ClusterClient) => Promise<boolean>
  >
> = {
  // It has no port of its own: this is what it does first.
  "kube-controller-manager": async (_cluster, client) =>
    (await client.get({ apiVersion: "v1", kind: "ServiceAccount", name: "default", namespace: "default" })) !==
    undefined,
  "source-controller": async ({ ports }) =>
    (await statusAt(`http://127.0.0.1:${ports.sourceHealth}/readyz`)) === 200 &&
    (await statusAt(`http://127.0.0.1:${ports.artifacts}/`)) !== undefined,
  "kustomize-controller": async ({ ports }) =>
    (await statusAt(`http://127.0.0.1:${ports.kustomizeHealth}/readyz`)) === 200,
  "kyverno-controller": isKyvernoReady,
};

/** Its webhooks are registered at the port of this start, and answer. */
async function isKyvernoReady({ ports }: LocalCluster, client: ClusterClient): Promise<boolean> {
  const ca = await authorityOf(client);
  if (ca === undefined) return false;
  const server = serverOf(ports.webhooks);
  if ((await statusAt(`${server}/health/readiness`, { ca })) !== 200) return false;
  const registered = await Promise.all(
    [
      ["ValidatingWebhookConfiguration", "kyverno-policy-validating-webhook-cfg"],
      ["MutatingWebhookConfiguration", "kyverno-policy-mutating-webhook-cfg"],
      ["ValidatingWebhookConfiguration", "kyverno-resource-validating-webhook-cfg"],
      ["MutatingWebhookConfiguration", "kyverno-resource-mutating-webhook-cfg"],
    ].map(([kind, name]) => client.get({ apiVersion: "admissionregistration.k8s.io/v1", kind: kind!, name: name! })),
  );
  return registered.every((found) => found !== undefined && (isEmpty(found) || JSON.stringify(found).includes(server)));
}

/** Without policies the webhooks for what they are about are an empty list. */
function isEmpty({ webhooks }: KubernetesObject): boolean {
  return !Array.isArray(webhooks) || webhooks.length === 0;
}

async function authorityOf(client: ClusterClient): Promise<Buffer | undefined> {
  const { authority: name } = kyvernoSecrets;
  const secret = await client.get({ apiVersion: "v1", kind: "Secret", name, namespace: kyvernoNamespace });
  const data = isRecord(secret?.data) ? secret.data["tls.crt"] : undefined;
  return typeof data === "string" ? Buffer.from(data, "base64") : undefined;
}

/** The status of an answer; undefined where nothing answers. */
function statusAt(url: string, { ca, token }: { ca?: Buffer; token?: string } = {}): Promise<number | undefined> {
  return new Promise((resolve) => {
    const request = (url.startsWith("https:") ? httpsRequest : httpRequest)(url, {
      ca,
      agent: false,
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
      signal: AbortSignal.timeout(patience),
    });
    request.on("response", (answer) => {
      answer.resume();
      resolve(answer.statusCode);
    });
    request.on("error", () => resolve(undefined));
    request.end();
  });
}
