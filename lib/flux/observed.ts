// Reads single facts out of objects that a cluster answers with, of which nothing is trusted: a field of another type is no field.

import { isRecord } from "../record";

/** An object as an API server answers it. */
export type Observed = Readonly<Record<string, unknown>>;

/** One entry of `.status.conditions`. */
export interface Condition {
  readonly type: string;
  /** `True`, `False` or `Unknown`. */
  readonly status: string;
  readonly reason: string;
  readonly message: string;
  /** The generation that the condition is about; undefined where its controller does not say. */
  readonly generation?: number;
}

/** What stands at a path; undefined where a step leads to nothing. */
export function valueAt(object: unknown, ...path: readonly string[]): unknown {
  let value = object;
  for (const key of path) {
    if (!isRecord(value) || !Object.hasOwn(value, key)) return undefined;
    value = value[key];
  }
  return value;
}

/** The text at a path; empty where there is none. */
export function textAt(object: unknown, ...path: readonly string[]): string {
  const value = valueAt(object, ...path);
  return typeof value === "string" ? value : "";
}

export function numberAt(object: unknown, ...path: readonly string[]): number | undefined {
  const value = valueAt(object, ...path);
  return typeof value === "number" ? value : undefined;
}

export function listAt(object: unknown, ...path: readonly string[]): readonly unknown[] {
  const value = valueAt(object, ...path);
  return Array.isArray(value) ? value : [];
}

/** The texts of a map such as `.metadata.labels`. */
export function textsAt(object: unknown, ...path: readonly string[]): Readonly<Record<string, string>> {
  const value = valueAt(object, ...path);
  const entries = isRecord(value) ? Object.entries(value) : [];
  return Object.fromEntries(entries.filter((entry): entry is [string, string] => typeof entry[1] === "string"));
}

/** The condition of a type. */
export function conditionOf(object: unknown, type: string): Condition | undefined {
  const found = listAt(object, "status", "conditions").find((condition) => textAt(condition, "type") === type);
  if (found === undefined) return undefined;
  const generation = numberAt(found, "observedGeneration");
  return {
    type,
    status: textAt(found, "status"),
    reason: textAt(found, "reason"),
    message: textAt(found, "message"),
    ...(generation !== undefined && { generation }),
  };
}
