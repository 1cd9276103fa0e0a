// The conditions of `pulumi.com/waitFor`, compared as the official plugin does: one that speaks of an older generation is not met.
import type { KubernetesObject } from "../../../lib/kubernetes/objects";
import { cut } from "../../../lib/printable";
import { parseJsonPath, valueAt } from "./jsonPath";

export interface Condition {
  /** As the user wrote it. */
  readonly text: string;
  /** What is found, in words; `met` when that is what is waited for. */
  look(object: KubernetesObject): { readonly met: boolean; readonly found: string };
}

/** Reads the annotation: one condition, or a JSON list of them that must all be met. Throws a sentence about what is wrong with it. */
export function parseWaitFor(annotation: string): readonly Condition[] {
  const texts = listed(annotation);
  if (texts.length === 0) throw new Error("at least one condition must be specified");
  return texts.map((text) => {
    if (text.startsWith("condition=")) return ofCondition(text);
    if (text.startsWith("jsonpath=")) return ofPath(text);
    throw new Error(`expected a "jsonpath=" or "condition=" prefix, got ${JSON.stringify(text)}`);
  });
}

function listed(annotation: string): readonly string[] {
  try {
    const list: unknown = JSON.parse(annotation);
    if (Array.isArray(list) && list.every((one) => typeof one === "string")) return list as string[];
  } catch {
    // one condition, as it is
  }
  return [annotation];
}

function ofCondition(text: string): Condition {
  const [type = "", ...rest] = text.slice("condition=".length).split("=");
  const wanted = rest.length > 0 ? rest.join("=") : "True";
  if (type === "") throw new Error("a condition has a type: condition=Ready");
  return {
    text,
    look(object) {
      const { conditions, observedGeneration } = fields(object.status);
      const found = (Array.isArray(conditions) ? conditions : [])
        .map(fields)
        .find((one) => String(one.type).toLowerCase() === type.toLowerCase());
      if (!found) return { met: false, found: `no condition ${type} yet` };
      const observed = found.observedGeneration ?? observedGeneration;
      const words = `${type}=${String(found.status)}${said(found)}`;
      if (isOlder(observed, object)) return { met: false, found: `${words} of generation ${String(observed)}` };
      return { met: String(found.status).toLowerCase() === wanted.toLowerCase(), found: words };
    },
  };
}

function ofPath(text: string): Condition {
  const [, path = "", wanted] = /^jsonpath=(\{.*\})(?:=(.*))?$/s.exec(text) ?? [];
  const steps = parseJsonPath(path);
  if (!steps)
    throw new Error(
      `${JSON.stringify(text)} is not of the form jsonpath={.path.to.field}=value that this plugin knows`,
    );
  if (wanted === "") throw new Error(`${text} requires a value after its =`);
  return {
    text,
    look(object) {
      const value = valueAt(steps, object);
      const found = value === undefined ? "nothing there yet" : cut(JSON.stringify(value), 200);
      if (isOlder(fields(object.status).observedGeneration, object))
        return { met: false, found: "an older generation" };
      if (wanted === undefined) return { met: value !== undefined, found };
      return { met: typeof value !== "object" && String(value) === wanted, found };
    },
  };
}

function isOlder(observed: unknown, { metadata }: KubernetesObject): boolean {
  return typeof observed === "number" && metadata.generation !== undefined && observed < metadata.generation;
}

function said({ reason, message }: Record<string, unknown>): string {
  const words = [reason, message].filter((one) => typeof one === "string" && one !== "").join(": ");
  return words && ` (${cut(words, 600)})`;
}

function fields(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}
