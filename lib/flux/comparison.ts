// Tells where the object in a cluster is not what was delivered: which fields differ from the server-side dry run of our document,
// and which fields somebody else has put beside ours. What the API server and the controllers keep for themselves does not count.
import { canonicalJson, type Json } from "../canonicalJson";
import { isRecord } from "../record";
import { listAt, type Observed, textAt, valueAt } from "./observed";

/** The field manager under which Flux applies. */
export const fluxManager = "kustomize-controller";

/** One field that is not as delivered. */
export interface Difference {
  /** `spec.rules[0].validate.message`. */
  readonly path: string;
  /** Who put it there, where Flux will not take it away. */
  readonly by?: string;
}

/** Members of an object that are nobody's document. */
const served: ReadonlySet<string> = new Set(["status", "metadata"]);
/** Labels and annotations that the tools on the way write. */
const toolKey =
  /^(?:kustomize\.toolkit\.fluxcd\.io\/(?:name|namespace)|kubectl\.kubernetes\.io\/last-applied-configuration)$/;

/** The fields in which `live` is not what the dry run gave, in the order of their paths. */
export function differences(live: Observed, dryRun: Observed): Difference[] {
  const paths: string[] = [];
  const visit = (path: string, old: unknown, now: unknown): void => {
    if (isEqual(old, now)) return;
    if (isRecord(old) && isRecord(now)) {
      for (const key of [...new Set([...Object.keys(old), ...Object.keys(now)])].sort())
        visit(join(path, key), old[key], now[key]);
    } else if (Array.isArray(old) && Array.isArray(now) && old.length === now.length) {
      for (const [index, item] of old.entries()) visit(`${path}[${index}]`, item, now[index]);
    } else paths.push(path);
  };
  const document = (object: Observed) => Object.fromEntries(Object.entries(object).filter(([key]) => !served.has(key)));
  visit("", document(live), document(dryRun));
  for (const map of ["labels", "annotations"]) visit(`metadata.${map}`, metadataOf(live, map), metadataOf(dryRun, map));
  // A whole list that kubectl wrote says no more than the field in it that differs; one of another manager is there to stay.
  const isSaid = (path: string) =>
    paths.some((one) => one.startsWith(path) && /^(?:$|[.[])/.test(one.slice(path.length)));
  const foreign = foreignFields(live).filter(({ path, by }) =>
    by === undefined ? !isSaid(path) : !paths.includes(path),
  );
  return [...paths.map((path) => ({ path })), ...foreign];
}

/**
 * Fields under `spec` that are not ours: a dry run keeps them, so that it alone would see no difference. What somebody else wrote
 * as we did is ours too.
 */
function foreignFields(live: Observed): Difference[] {
  const entries = listAt(live, "metadata", "managedFields").flatMap((entry) =>
    textAt(entry, "subresource") === ""
      ? [{ manager: textAt(entry, "manager"), paths: leaves("spec", valueAt(entry, "fieldsV1", "f:spec")) }]
      : [],
  );
  const ours = new Set(entries.filter(({ manager }) => manager === fluxManager).flatMap(({ paths }) => paths));
  const found = new Map<string, Difference>();
  for (const { manager, paths } of entries)
    for (const path of paths)
      if (!ours.has(path)) found.set(path, { path, ...(!isUndone(manager) && { by: manager }) });
  return [...found.values()];
}

/** Flux takes over, and so removes, what any kubectl wrote: it goes by the beginning of the manager's name. */
function isUndone(manager: string): boolean {
  return manager.startsWith("kubectl") || manager.startsWith("before-first-apply");
}

/** Paths of the leaves of a FieldsV1 set: `f:` names a member, `k:` and `v:` an item of a list, which counts as a whole. */
function leaves(path: string, fields: unknown): string[] {
  if (!isRecord(fields)) return [];
  const members = Object.keys(fields).filter((key) => key.startsWith("f:"));
  if (members.length === 0) return path === "spec" && Object.keys(fields).length === 0 ? [] : [path];
  return members.sort().flatMap((key) => leaves(join(path, key.slice(2)), fields[key]));
}

/** Differences shown for one object. */
const most = 3;

/** `edited: spec.rules[0].validate.message, spec.background (by lens)`. */
export function differenceText(found: readonly Difference[]): string {
  const shown = found.slice(0, most).map(({ path, by }) => (by === undefined ? path : `${path} (by ${by})`));
  const more = found.length > most ? ` and ${found.length - most} more` : "";
  return `edited: ${shown.join(", ")}${more}`;
}

function metadataOf(object: Observed, map: string): Observed {
  const { metadata } = object;
  const entries = isRecord(metadata) && isRecord(metadata[map]) ? Object.entries(metadata[map]) : [];
  return Object.fromEntries(entries.filter(([key]) => !toolKey.test(key)));
}

/** Absence and an empty map are one: the API server drops the latter. */
function isEqual(old: unknown, now: unknown): boolean {
  if (old === now) return true;
  if (old === undefined || now === undefined) {
    const there = old === undefined ? now : old;
    return there === null || (isRecord(there) && Object.keys(there).length === 0);
  }
  return (
    typeof old === "object" && typeof now === "object" && canonicalJson(old as Json) === canonicalJson(now as Json)
  );
}

function join(path: string, key: string): string {
  if (!/^[A-Za-z_$][\w$-]*$/.test(key)) return `${path}["${key.replaceAll('"', '\\"')}"]`;
  return path === "" ? key : `${path}.${key}`;
}
