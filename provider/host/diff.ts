// The structural difference of two sets of inputs, in the paths that the engine prints: `digest`, `tools.yq.version`,
// `layers[2]`, `files["policies/b.yaml"]`.
import { isUnknown, isValues, unwrapSecrets, type Value, type Values } from "./values";

/** What happens to one property; `-replace` asks for a new resource. */
export type Change = "add" | "delete" | "update" | "add-replace" | "delete-replace" | "update-replace";

export interface DiffResult {
  /** Property path → change. Empty: nothing to do. */
  readonly changes: Readonly<Record<string, Change>>;
  /** Outputs that keep their value through the change. */
  readonly stables?: readonly string[];
  /** A replacement deletes the old resource first. Default false. */
  readonly deleteBeforeReplace?: boolean;
}

export interface DiffOptions {
  /** Paths, with all that is below them, in which a difference does not count. */
  readonly ignore?: readonly string[];
}

/**
 * The changed paths from `before` to `after`, each as deep as both sides have the same shape. Null, `undefined` and
 * absence are one; a secret equals its value; an unknown differs from everything.
 */
export function diffInputs(before: Values, after: Values, options: DiffOptions = {}): DiffResult {
  const changes: Record<string, Change> = {};
  const ignored = new Set(options.ignore ?? []);
  const visit = (path: string, old: Value, now: Value): void => {
    if (ignored.has(path)) return;
    if (isUnknown(old) || isUnknown(now)) changes[path] = isAbsent(old) ? "add" : "update";
    else if (isAbsent(old) || isAbsent(now)) {
      if (isAbsent(old) !== isAbsent(now)) changes[path] = isAbsent(old) ? "add" : "delete";
    } else if (Array.isArray(old) && Array.isArray(now)) {
      for (let index = 0; index < Math.max(old.length, now.length); index++)
        visit(`${path}[${index}]`, old[index], now[index]);
    } else if (isValues(old) && isValues(now)) visitAll(path, old, now);
    else if (old !== now) changes[path] = "update";
  };
  const visitAll = (path: string, old: Values, now: Values): void => {
    for (const key of new Set([...Object.keys(old), ...Object.keys(now)])) visit(join(path, key), old[key], now[key]);
  };
  visitAll("", unwrapSecrets(before), unwrapSecrets(after));
  return { changes };
}

/** The first name of a path: `files["a.b"]` → `files`. */
export function topLevel(path: string): string {
  return /^[^.[]+/.exec(path)?.[0] ?? path;
}

function isAbsent(value: Value): boolean {
  return value === undefined || value === null;
}

/** Property path syntax: sdk/go/common/resource/properties_path.go, which knows one escape, that of the quote. */
function join(path: string, key: string): string {
  if (!/^[A-Za-z_$][\w$]*$/.test(key)) return `${path}["${key.replaceAll('"', '\\"')}"]`;
  return path === "" ? key : `${path}.${key}`;
}
