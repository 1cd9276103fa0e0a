// The output `clusters`. What delivers to clusters is loaded where a stack has any: the Kubernetes SDK is not free.
import type { ClusterSettings } from "../config/clusterSettings";
import type { ClusterScene } from "./clusters";

type Clusters = Readonly<Record<string, ClusterSettings>>;

/** By cluster. */
export async function clusterOutputs(settings: { readonly clusters: Clusters }, scene: ClusterScene) {
  if (Object.keys(settings.clusters).length === 0) return {};
  return (await import("./clusters")).clusters(settings.clusters, scene);
}
