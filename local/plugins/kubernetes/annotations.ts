// The annotations of `pulumi.com/` that tell the plugin how to treat one object.

import type { DeleteOptions } from "../../../lib/kubernetes/client";
import { isValues, unwrapSecrets, type Values } from "../../../provider/host";

export type AnnotationName =
  | "deletionPropagationPolicy"
  | "patchFieldManager"
  | "patchForce"
  | "skipAwait"
  | "timeoutSeconds"
  | "waitFor";

/** The text of `pulumi.com/<name>`. */
export function annotation(inputs: Values, name: AnnotationName): string | undefined {
  const metadata = unwrapSecrets(inputs).metadata;
  const annotations = isValues(metadata) && isValues(metadata.annotations) ? metadata.annotations : {};
  const value = annotations[`pulumi.com/${name}`];
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** How long to wait for an object, in milliseconds: `customTimeouts`, then the annotation, then ten minutes. */
export function waitingTime(inputs: Values, timeoutSeconds: number): number {
  const seconds = timeoutSeconds || Number.parseInt(annotation(inputs, "timeoutSeconds") ?? "", 10);
  return (Number.isFinite(seconds) && seconds > 0 ? seconds : 600) * 1000;
}

/** What becomes of the objects that an object owns; they go first, if nothing else is said. */
export function propagation(inputs: Values): NonNullable<DeleteOptions["propagation"]> {
  const policy = annotation(inputs, "deletionPropagationPolicy")?.toLowerCase();
  return policy === "orphan" ? "Orphan" : policy === "background" ? "Background" : "Foreground";
}
