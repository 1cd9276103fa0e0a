// Server-side apply, and who manages the fields of an object.
import { createHash } from "node:crypto";
import type { ClusterClient } from "../../../lib/kubernetes/client";
import { ClusterError } from "../../../lib/kubernetes/errors";
import type { KubernetesObject, ObjectReference } from "../../../lib/kubernetes/objects";
import type { ResourceContext } from "../../../provider/host";
import { settings } from "./configure";

/** Whose fields an update takes over without a word, as the official plugin does: its own earlier ways, and `kubectl apply`. */
const predecessors = [
  "kubectl",
  "before-first-apply",
  "pulumi-kubernetes",
  "pulumi-kubernetes.exe",
  "pulumi-resource-kubernetes",
];

export interface Applying {
  readonly fieldManager: string;
  readonly isNew: boolean;
}

/** The object as the cluster stores it, or would. */
export async function applied(
  client: ClusterClient,
  context: ResourceContext,
  object: KubernetesObject,
  { fieldManager, isNew }: Applying,
): Promise<KubernetesObject> {
  const { signal, preview } = context;
  const isForced = object.metadata.annotations?.["pulumi.com/patchForce"] === "true" || settings().patchForce;
  // A replacement is previewed against the object that it replaces.
  const force = isForced || (preview && isNew && !settings().upsert);
  const options = { fieldManager, dryRun: preview, signal, onWarning: (text: string) => context.warn(text) };
  try {
    return await client.apply(object, { ...options, force });
  } catch (error) {
    if (isNew || !isAboutPredecessors(error)) throw error;
    return client.apply(object, { ...options, force: true });
  }
}

/** Lets go of all fields of a manager that has been renamed; what the new one has set too stays. */
export async function relinquish(
  client: ClusterClient,
  { apiVersion, kind, name, namespace }: ObjectReference,
  fieldManager: string,
  signal: AbortSignal,
): Promise<void> {
  await client.apply({ apiVersion, kind, metadata: { name, namespace } }, { fieldManager, signal });
}

export function isManagedBy({ metadata }: KubernetesObject, fieldManager: string): boolean {
  return metadata.managedFields?.some(({ manager }) => manager === fieldManager) ?? false;
}

/**
 * The manager of a new object: always the same for one resource under one provider, so that a run knows what an interrupted one has made.
 * A provider that is replaced has another: what the old one made is deleted after it, and must not be taken for its own.
 */
export function ownManager(urn: string): string {
  const { id } = settings();
  return id === undefined ? resourceManager(urn) : `${resourceManager(urn)}-${digest(id)}`;
}

/** Whether this very resource has made an object, under whichever provider. */
export function isMadeByResource({ metadata }: KubernetesObject, urn: string): boolean {
  return metadata.managedFields?.some(({ manager }) => manager?.startsWith(resourceManager(urn))) ?? false;
}

function resourceManager(urn: string): string {
  return `pulumi-kubernetes-${digest(urn)}`;
}

function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 8);
}

function isAboutPredecessors(error: unknown): boolean {
  if (!(error instanceof ClusterError) || error.code !== "field-conflict") return false;
  const managers = (error.status?.details?.causes ?? []).map(
    ({ message = "" }) => /^conflict with "([^"]*)"/.exec(message)?.[1],
  );
  return managers.length > 0 && managers.every((manager) => manager !== undefined && predecessors.includes(manager));
}
