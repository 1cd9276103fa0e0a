// The second part of the summary of `npm run local`: the policies of a cluster, and what they do to a bad and a good Pod.
import type { KubernetesObject } from "../../lib/kubernetes/objects";
import { printable } from "../../lib/printable";
import { type KubectlOptions, runKubectl } from "./kubectl";

/** How the cluster answered when a Pod was brought to it. Nothing of it stays: the server does all but store it. */
export interface PodTrial {
  readonly admitted: boolean;
  /** The refusal of the admission webhook, a line for each rule; warnings where the Pod was admitted. */
  readonly messages: readonly string[];
}

/** What most policies are about: root, privileges, the host, an image of any registry, no limits. */
export const badPod: KubernetesObject = {
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "bad-pod", namespace: "default" },
  spec: {
    hostNetwork: true,
    containers: [{ name: "app", image: "nginx:latest", securityContext: { privileged: true, runAsUser: 0 } }],
    volumes: [{ name: "host", hostPath: { path: "/" } }],
  },
};

/** What the sample policies ask for. */
export const goodPod: KubernetesObject = {
  apiVersion: "v1",
  kind: "Pod",
  metadata: {
    name: "good-pod",
    namespace: "default",
    labels: {
      "app.kubernetes.io/name": "good-pod",
      "app.kubernetes.io/version": "1.0.0",
      "app.kubernetes.io/managed-by": "policy-platform",
    },
  },
  spec: {
    automountServiceAccountToken: false,
    securityContext: { runAsNonRoot: true, runAsUser: 10001, seccompProfile: { type: "RuntimeDefault" } },
    containers: [
      {
        name: "app",
        image: `registry.k8s.io/pause@sha256:${"0123456789abcdef".repeat(4)}`,
        imagePullPolicy: "IfNotPresent",
        resources: { requests: { cpu: "10m", memory: "16Mi" }, limits: { memory: "16Mi" } },
        securityContext: {
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ["ALL"] },
        },
        readinessProbe: { tcpSocket: { port: 8080 } },
        livenessProbe: { tcpSocket: { port: 8081 } },
      },
    ],
  },
};

/** Lines for people. Errors of kubectl that are no refusal stand there as they are. */
export async function policyLines(options: KubectlOptions): Promise<string[]> {
  const [policies, bad, good] = await Promise.all([
    runKubectl(options, ["get", "clusterpolicies"]),
    tryPod(options, badPod),
    tryPod(options, goodPod),
  ]);
  return [
    "$ kubectl get clusterpolicies",
    ...`${policies.stdout}${policies.stderr}`.trim().split("\n"),
    "",
    ...trialLines("a bad Pod", bad),
    ...trialLines("a good Pod", good),
  ].map((line) => (line === "" ? "" : `  ${line}`));
}

/** Brings a Pod to the cluster by server-side dry run: admission is asked as for any other. */
export async function tryPod(options: KubectlOptions, pod: KubernetesObject): Promise<PodTrial> {
  const { code, stderr } = await runKubectl(
    options,
    ["create", "--dry-run=server", "--filename=-"],
    JSON.stringify(pod),
  );
  const messages = stderr
    .split("\n")
    .map((line) => printable(line, 400))
    .filter((line) => line !== "");
  return { admitted: code === 0, messages };
}

/** A Pod that breaks everything is refused at length. */
const shownLines = 12;

function trialLines(what: string, { admitted, messages }: PodTrial): string[] {
  const more = messages.length - shownLines;
  const shown = [...messages.slice(0, shownLines), ...(more > 0 ? [`… and ${more} more lines`] : [])];
  return [
    `${admitted ? "✔" : "✗"} ${what} is ${admitted ? "admitted" : "refused"}`,
    ...shown.map((line) => `    ${line}`),
  ];
}
