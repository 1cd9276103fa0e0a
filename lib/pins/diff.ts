// What differs between the pins of two releases, one readable line for each, and the version step each line asks for.
import { coerce, compare } from "semver";
import { type Digest, shortDigest } from "../oci/digest";
import { printable } from "../printable";
import { type Bases, baseChanges } from "./baseChanges";
import { bothNames, type Change, change, digestChange } from "./change";
import { type BundleInputs, type Inputs, pick, type ToolPin } from "./model";
import type { StructureChange } from "./structure";

/** By repository; `unknown` where the old content cannot be read any more. A missing entry says that nothing was removed. */
export type StructureChanges = Readonly<Record<string, StructureChange | "unknown">>;

/** Names shown of a long list. */
const shown = 3;

/** Every pin that differs, in a fixed order: base, image, template, tools, policies, artifacts, bundles; by name within. */
export function diffInputs(old: Inputs, next: Inputs, structures: StructureChanges = {}, bases: Bases = {}): Change[] {
  return [
    ...baseChanges(old.base, next.base, bases),
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
    ...listChanges(old.artifacts?.allow, next.artifacts?.allow).map(([name, isAdded]) =>
      isAdded
        ? change("kind-allowed", "artifacts.allow", undefined, name)
        : change("kind-withdrawn", "artifacts.allow", name),
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
  if (structure === "unknown")
    return [digestChange("structure-changed", name, old, next, "its content cannot be compared")];
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

/** `v1.13` and `1.13.2-rc1` too; a text without a number has no order. */
function coerceVersion(version: string) {
  return coerce(version, { includePrerelease: true });
}

function list(items: readonly string[]): string {
  const rest = items.length - shown;
  return (
    items
      .slice(0, shown)
      .map((item) => printable(item))
      .join(", ") + (rest > 0 ? ` and ${rest} more` : "")
  );
}
