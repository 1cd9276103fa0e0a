// What changes in place and what needs a new object.
import {
  type Change,
  type DiffResult,
  diffInputs,
  isValues,
  unwrapSecrets,
  type Value,
  type Values,
} from "../../../provider/host";
import type { Settings } from "./configure";

/** Compares what was declared (after a refresh: what is there) with what is declared now. */
export function diffObject(oldInputs: Values, newInputs: Values, { secretMutable }: Settings): DiffResult {
  const before = inNamespace(unwrapSecrets(oldInputs));
  const after = inNamespace(unwrapSecrets(newInputs));
  const isFixed = after.kind === "Secret" && (!secretMutable || before.immutable === true);
  const replacing = [/^metadata\.(name|namespace)$/, /^kind$/, ...(isFixed ? [/^(type|data|stringData)\b/] : [])];
  if (after.kind === "Secret" && !isFixed) replacing.push(/^type$/);
  const { changes } = diffInputs(before, after);
  const entries = Object.entries(changes).map(([path, change]): [string, Change] => [
    path,
    replacing.some((form) => form.test(path)) ? (`${change}-replace` as Change) : change,
  ]);
  const isReplaced = entries.some(([, change]) => change.endsWith("-replace"));
  return { changes: Object.fromEntries(entries), deleteBeforeReplace: isReplaced && nameOf(before) === nameOf(after) };
}

/** No namespace and the namespace `default` are one. */
function inNamespace(inputs: Values): Values {
  const { metadata } = inputs;
  if (!isValues(metadata) || metadata.namespace !== "default") return inputs;
  const { namespace: _, ...rest } = metadata;
  return { ...inputs, metadata: rest };
}

function nameOf({ metadata }: Values): string {
  const { name, namespace }: Record<string, Value> = isValues(metadata) ? metadata : {};
  return `${String(namespace ?? "")}/${String(name)}`;
}
