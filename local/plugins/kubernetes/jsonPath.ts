// JSONPath as far as a `pulumi.com/waitFor` needs it: `{.status.phase}`, `{.status.ports[0]}`, `{.metadata.labels['a.b/c']}`,
// `{.status.conditions[?(@.type=="Ready")].status}`.

import { isRecord } from "../../../lib/record";

type Step =
  | { readonly field: string }
  | { readonly index: number }
  | { readonly where: string; readonly equals: string };

/** Undefined for a path in another form. */
export function parseJsonPath(text: string): readonly Step[] | undefined {
  const inner = /^\{\s*\$?(.*?)\s*\}$/.exec(text)?.[1];
  if (inner === undefined || inner === "") return undefined;
  const form =
    /\.([A-Za-z_][\w-]*)|\[(-?\d+)\]|\['([^']+)'\]|\["([^"]+)"\]|\[\?\(\s*@\.([A-Za-z_]\w*)\s*==\s*(?:'([^']*)'|"([^"]*)")\s*\)\]/gy;
  const steps: Step[] = [];
  let end = 0;
  for (const match of inner.matchAll(form)) {
    const [whole, field, index, single, double, where, first, second] = match;
    end += whole.length;
    const name = field ?? single ?? double;
    if (name !== undefined) steps.push({ field: name });
    else if (index !== undefined) steps.push({ index: Number(index) });
    else steps.push({ where: where!, equals: first ?? second ?? "" });
  }
  return end === inner.length ? steps : undefined;
}

/** The first value at a path; undefined where there is none. */
export function valueAt(steps: readonly Step[], from: unknown): unknown {
  let value = from;
  for (const step of steps) {
    if ("field" in step) value = isRecord(value) && Object.hasOwn(value, step.field) ? value[step.field] : undefined;
    else if (!Array.isArray(value)) return undefined;
    else if ("index" in step) value = value.at(step.index);
    else value = value.find((item) => isRecord(item) && String(item[step.where]) === step.equals);
  }
  return value ?? undefined;
}
