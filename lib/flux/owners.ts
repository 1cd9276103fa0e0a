// Who else in a cluster says what a policy of ours is: two who deliver the same one undo each other for ever.

import { groupOf } from "../kubernetes/objects";
import type { Identified } from "../kyverno/identity";
import { listAt, type Observed, textAt, textsAt } from "./observed";

/** An object of ours that somebody else delivers too. */
export interface Shared {
  readonly object: Identified;
  /** `Kustomization team-b/policies`. */
  readonly owner: string;
}

/** On a Kustomization: which delivery it is, `<project>/<stack>/<cluster>`, under whatever name. */
export const ownerAnnotation = "policychain.dev/delivery";

const fluxLabel = "kustomize.toolkit.fluxcd.io";

/** The labels that a Kustomization gives to all that it applies. */
export function ownerLabels({ namespace, name }: { readonly namespace: string; readonly name: string }) {
  return { [`${fluxLabel}/name`]: name, [`${fluxLabel}/namespace`]: namespace };
}

/**
 * The objects that another one delivers: a Kustomization that lists them in its inventory or whose labels they bear while it
 * exists, a Helm release, an application of Argo CD. One of the same delivery under an older name is none: when it goes, Flux leaves
 * what bears another one's labels. `live` gives the object in the cluster, if any.
 */
export function sharedObjects(
  objects: readonly Identified[],
  own: { readonly namespace: string; readonly name: string; readonly owner?: string },
  cluster: {
    /** Undefined where they may not be listed: then a Kustomization that labels name is taken to exist. */
    readonly kustomizations: readonly Observed[] | undefined;
    readonly live: (object: Identified) => Observed | undefined;
  },
): Shared[] {
  const ours = new Set([`${own.namespace}/${own.name}`]);
  const inventory = new Map<string, string>();
  const known = new Set<string>();
  for (const kustomization of cluster.kustomizations ?? []) {
    const title = `${textAt(kustomization, "metadata", "namespace")}/${textAt(kustomization, "metadata", "name")}`;
    known.add(title);
    if (own.owner !== undefined && textsAt(kustomization, "metadata", "annotations")[ownerAnnotation] === own.owner)
      ours.add(title);
    if (ours.has(title)) continue;
    for (const entry of listAt(kustomization, "status", "inventory", "entries"))
      inventory.set(textAt(entry, "id"), title);
  }
  return objects.flatMap((object) => {
    const listed = inventory.get(inventoryId(object));
    const labelled = labelledOwner(cluster.live(object));
    const named = labelled.kustomization;
    const kustomization = listed ?? (named !== undefined && ours.has(named) ? undefined : named);
    const owner =
      kustomization !== undefined && (!cluster.kustomizations || known.has(kustomization))
        ? `Kustomization ${kustomization}`
        : labelled.other;
    return owner === undefined ? [] : [{ object, owner }];
  });
}

/** As Flux writes it into `.status.inventory` (fluxcd/cli-utils, object.ObjMetadata). */
export function inventoryId({ apiVersion, kind, namespace, name }: Identified): string {
  return `${namespace}_${name}_${groupOf(apiVersion)}_${kind}`;
}

function labelledOwner(live: Observed | undefined): { readonly kustomization?: string; readonly other?: string } {
  const labels = textsAt(live, "metadata", "labels");
  const annotations = textsAt(live, "metadata", "annotations");
  const [name, namespace] = [labels[`${fluxLabel}/name`], labels[`${fluxLabel}/namespace`]];
  if (name !== undefined && namespace !== undefined) return { kustomization: `${namespace}/${name}` };
  const release = annotations["meta.helm.sh/release-name"];
  if (release !== undefined)
    return { other: `Helm release ${annotations["meta.helm.sh/release-namespace"] ?? ""}/${release}` };
  const [application] = (annotations["argocd.argoproj.io/tracking-id"] ?? "").split(":");
  return application ? { other: `Argo CD application ${application}` } : {};
}
