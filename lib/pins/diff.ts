// What differs between the pins of two releases, one readable line for each, and the version step each line asks for.
import { coerce, compare } from "semver";
import { type Digest, shortDigest } from "../oci/digest";
import { type BundleInputs, type Inputs, names, pick, type ToolPin } from "./model";
import { type Bump, type ChangeKind, versionRule } from "./rule";
import type { StructureChange } from "./structure";

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

/** By repository; `unknown` where the old content cannot be read any more. A missing entry says that nothing was removed. */
export type StructureChanges = Readonly<Record<string, StructureChange | "unknown">>;

/** Names shown of a long list. */
const shown = 3;

/** Every pin that differs, in a fixed order: base, image, template, tools, policies, artifacts, bundles; by name within. */
export function diffInputs(old: Inputs, next: Inputs, structures: StructureChanges = {}): Change[] {
  return [
    ...(old.base === next.base ? [] : [digestChange("base-changed", "base.image", old.base, next.base)]),
    ...(old.image.user === next.image.user
      ? []
      : [change("user-changed", "image.user", old.image.user, next.image.user)]),
    ...(old.format === next.format ? [] : [change("template-changed", "format", `${old.format}`, `${next.format}`)]),
    ...bothNames(old.tools, next.tools).flatMap((name) =>
      toolChange(`tools.${name}`, pick(old.tools, name), pick(next.tools, name)),
    ),
    ...bothNames(old.repositories, next.repositories).flatMap((name) =>
      repositoryChange(
        `policies.${name}`,
        pick(old.repositories, name)?.digest,
        pick(next.repositories, name)?.digest,
        pick(structures, name),
      ),
    ),
    ...listChanges(old.artifacts?.environments, next.artifacts?.environments).map(([name, isAdded]) =>
      isAdded
        ? change("environment-added", "artifacts.environments", undefined, name)
        : change("environment-removed", "artifacts.environments", name),
    ),
    ...bothNames(old.bundles ?? {}, next.bundles ?? {}).flatMap((name) =>
      bundleChange(`bundles.${name}`, pick(old.bundles ?? {}, name), pick(next.bundles ?? {}, name)),
    ),
  ];
}

/** Names of the policy repositories that are in both and differ: those whose structure has to be compared. */
export function editedRepositories(old: Inputs, next: Inputs): string[] {
  return bothNames(old.repositories, next.repositories).filter((name) => {
    const [from, to] = [pick(old.repositories, name), pick(next.repositories, name)];
    return from && to && from.digest !== to.digest;
  });
}

function toolChange(name: string, old: ToolPin | undefined, next: ToolPin | undefined): Change[] {
  if (!old || !next) return [change(next ? "tool-added" : "tool-removed", name, old?.version, next?.version)];
  if (old.version === next.version)
    return old.digest === next.digest
      ? []
      : [digestChange("tool-rebuilt", name, old.digest, next.digest, next.version)];
  const [from, to] = [coerceVersion(old.version), coerceVersion(next.version)];
  const direction = from && to ? compare(to, from) : 0;
  const kind = direction > 0 ? "tool-raised" : direction < 0 ? "tool-lowered" : "tool-changed";
  return [change(kind, name, old.version, next.version)];
}

function repositoryChange(
  name: string,
  old: Digest | undefined,
  next: Digest | undefined,
  structure: StructureChange | "unknown" = { removed: [], added: [] },
): Change[] {
  if (!old || !next) {
    const kind = next ? "repository-added" : "repository-removed";
    return [change(kind, name, old && shortDigest(old), next && shortDigest(next))];
  }
  if (old === next) return [];
  if (structure === "unknown") return [digestChange("structure-changed", name, old, next, "its old content is gone")];
  if (structure.removed.length === 0) return [digestChange("policies-updated", name, old, next)];
  return [digestChange("structure-changed", name, old, next, `removed ${list(structure.removed)}`)];
}

function bundleChange(name: string, old: BundleInputs | undefined, next: BundleInputs | undefined): Change[] {
  const [from, to] = [old, next].map((bundle) => bundle && list([...new Set(bundle.repositories)].sort()));
  if (!old || !next) return [change(next ? "bundle-added" : "bundle-removed", name, from, to)];
  return listChanges(old.repositories, next.repositories).map(([repository, isAdded]) =>
    isAdded
      ? change("bundle-widened", `${name}.repositories`, undefined, repository)
      : change("bundle-narrowed", `${name}.repositories`, repository),
  );
}

/** Names that stand in one of two lists only, by name; true for what was added. */
function listChanges(old: readonly string[] = [], next: readonly string[] = []): [string, boolean][] {
  const [was, is] = [new Set(old), new Set(next)];
  const differing = [...new Set([...was, ...is])].filter((name) => was.has(name) !== is.has(name));
  return differing.sort().map((name) => [name, is.has(name)]);
}

function digestChange(kind: ChangeKind, name: string, from: Digest, to: Digest, detail?: string): Change {
  return change(kind, name, shortDigest(from), shortDigest(to), detail);
}

function change(kind: ChangeKind, name: string, from?: string, to?: string, detail?: string): Change {
  const { bump, reason } = versionRule[kind];
  const values = from !== undefined && to !== undefined ? `${from} → ${to}` : (from ?? to);
  const text = `${name.replace(".", " ")}: ${values} (${reason}${detail ? `: ${detail}` : ""})`;
  return { kind, name, ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }), bump, text };
}

function bothNames(old: Readonly<Record<string, unknown>>, next: Readonly<Record<string, unknown>>): string[] {
  return [...new Set([...names(old), ...names(next)])].sort();
}

/** `v1.13` and `1.13.2-rc1` too; a text without a number has no order. */
function coerceVersion(version: string) {
  return coerce(version, { includePrerelease: true });
}

function list(items: readonly string[]): string {
  const rest = items.length - shown;
  return items.slice(0, shown).join(", ") + (rest > 0 ? ` and ${rest} more` : "");
}
