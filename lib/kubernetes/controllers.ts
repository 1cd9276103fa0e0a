// Which controller brings an API group to a cluster, and how it is installed.

const flux = "install Flux: `flux install`, or `kubectl apply -f` the install.yaml of its release";
const kyverno =
  "install Kyverno: `helm install kyverno kyverno --repo https://kyverno.github.io/kyverno -n kyverno --create-namespace`, or set `kyverno: {kind: flux, …}` of the cluster";

/** What to do about a group that a cluster does not serve. */
export function installationOf(group: string): string {
  if (group === "toolkit.fluxcd.io" || group.endsWith(".toolkit.fluxcd.io")) return flux;
  if (group === "kyverno.io" || group.endsWith(".kyverno.io")) return kyverno;
  return "install the controller or the CustomResourceDefinition that brings it, or mend apiVersion and kind";
}
