// The objects of a cluster as files that others commit: plain YAML whose bytes depend on the objects alone.
import { Document } from "yaml";
import type { DeliveryObjects } from "./delivery";
import type { DeclaredObject } from "./objects";

/** Where `kubectl apply -k` and Flux find the list of all others. */
export const listFile = "kustomization.yaml";

/** How the first line of every file of ours begins. */
const mark = "# Made by policy-platform for cluster ";

/** Whether a file was made here, and so may be replaced. */
export function isRendered(text: string): boolean {
  return text.startsWith(mark);
}

/** Files by name; `cluster` is named in their first line. */
export function manifestsOf(cluster: string, objects: DeliveryObjects): ReadonlyMap<string, string> {
  const { namespace, kyverno, source, kustomization } = objects;
  const files = new Map<string, DeclaredObject | undefined>([
    ["kyverno-source.yaml", kyverno?.source],
    ["kyverno.yaml", kyverno?.install],
    ["namespace.yaml", namespace],
    ["policies-source.yaml", source],
    ["policies.yaml", kustomization],
  ]);
  const present = [...files].filter((entry): entry is [string, DeclaredObject] => entry[1] !== undefined);
  const list = {
    apiVersion: "kustomize.config.k8s.io/v1beta1",
    kind: "Kustomization",
    resources: present.map(([name]) => name),
  };
  const head = `${mark}${cluster}; change the stack that it belongs to, not this file.\n`;
  return new Map([...present, [listFile, list] as const].map(([name, object]) => [name, head + yamlOf(object)]));
}

/** All objects of a cluster as one stream, for a pipe. */
export function renderedStream(files: ReadonlyMap<string, string>): string {
  return [...files].flatMap(([name, text]) => (name === listFile ? [] : [`---\n${text}`])).join("");
}

/** Quoted for readers of YAML 1.1 too, as Kubernetes' are: a name may be `on`. */
function yamlOf(object: object): string {
  return new Document(object, { schema: "yaml-1.1", aliasDuplicateObjects: false }).toString({ lineWidth: 0 });
}
