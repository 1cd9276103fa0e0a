// One line of a difference between two releases, and the step that it asks for.
import { type Digest, shortDigest } from "../oci/digest";
import { names } from "./model";
import { type Bump, type ChangeKind, versionRule } from "./rule";

/** One pin that changed. */
export interface Change {
  readonly kind: ChangeKind;
  /** Configuration key of the pin: `tools.yq`, `policies.security-policy`, `base.image`, `image.user`. */
  readonly name: string;
  /** Version of a tool, the first 12 characters of a digest, or the value; undefined for what was added. */
  readonly from?: string;
  /** The same; undefined for what was removed. */
  readonly to?: string;
  /** The version step that this change alone requires. */
  readonly bump: Bump;
  /** One line: `policies security-policy: 0123456789ab → 4567890123ab (policy update)`. */
  readonly text: string;
}

/** The line of one change; without `from` it was added, without `to` it was removed. */
export function change(kind: ChangeKind, name: string, from?: string, to?: string, detail?: string): Change {
  const { bump, reason } = versionRule[kind];
  const values = from !== undefined && to !== undefined ? `${from} → ${to}` : (from ?? to);
  const text = `${name.replace(".", " ")}: ${values} (${reason}${detail ? `: ${detail}` : ""})`;
  return { kind, name, ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }), bump, text };
}

/** The same of two digests, shown short. */
export function digestChange(kind: ChangeKind, name: string, from: Digest, to: Digest, detail?: string): Change {
  return change(kind, name, shortDigest(from), shortDigest(to), detail);
}

/** Names that stand in either of two maps, sorted. */
export function bothNames(old: Readonly<Record<string, unknown>>, next: Readonly<Record<string, unknown>>): string[] {
  return [...new Set([...names(old), ...names(next)])].sort();
}
