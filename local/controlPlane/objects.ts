// What has to stand in a cluster before its controllers start, as their installations would bring it.
import type { KubernetesObject } from "../../lib/kubernetes/objects";
import { fluxNamespace, kyvernoConfigMaps, kyvernoNamespace } from "./commands";

/** Namespaces come first: the others live in them. */
export const namespaces: readonly KubernetesObject[] = [fluxNamespace, kyvernoNamespace].map((name) => ({
  apiVersion: "v1",
  kind: "Namespace",
  metadata: { name },
}));

/** Kinds that no policy is asked about: what a cluster says and does of itself, all the time. */
const unfiltered = [
  ...["Event", "Node", "Node/*", "APIService", "APIService/*", "TokenReview", "SubjectAccessReview"],
  ...["SelfSubjectAccessReview", "Binding", "Pod/binding", "ReplicaSet", "ReplicaSet/*"],
  ...["EphemeralReport", "ClusterEphemeralReport"],
];
const ownNamespaces = ["kube-system", "kube-public", "kube-node-lease", kyvernoNamespace];

export const kyvernoObjects: readonly KubernetesObject[] = [
  configMap(kyvernoConfigMaps.settings, {
    excludeGroups: "system:nodes",
    resourceFilters: [
      ...unfiltered.map((kind) => `[${kind},*,*]`),
      ...ownNamespaces.flatMap((namespace) => [`[*/*,${namespace},*]`]),
    ].join(" "),
    // A cluster whose Kyverno is down must be able to start it again.
    webhooks: JSON.stringify({
      namespaceSelector: {
        matchExpressions: [
          { key: "kubernetes.io/metadata.name", operator: "NotIn", values: ["kube-system", kyvernoNamespace] },
        ],
      },
    }),
  }),
  configMap(kyvernoConfigMaps.metrics, {}),
];

/**
 * By this lease Kyverno knows that its webhooks are asked; with one that is absent or old it withdraws those of the policies
 * and looks again ten seconds later.
 */
export function kyvernoLease(now: Date): KubernetesObject {
  return {
    apiVersion: "coordination.k8s.io/v1",
    kind: "Lease",
    metadata: {
      name: "kyverno-health",
      namespace: kyvernoNamespace,
      labels: { "app.kubernetes.io/name": "kyverno" },
      annotations: { "kyverno.io/last-request-time": now.toISOString().replace(/\.\d+Z$/, "Z") },
    },
  };
}

function configMap(name: string, data: Readonly<Record<string, string>>): KubernetesObject {
  return { apiVersion: "v1", kind: "ConfigMap", metadata: { name, namespace: kyvernoNamespace }, data };
}
