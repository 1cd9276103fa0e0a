// How a lost blob shows: `read` adds the input `missing`, `check` never has it, so diff prints it and update pushes again.
import type { Digest } from "../lib/oci/digest";
import type { Values } from "./host";

/** Values with the input that says which digests are lost, sorted; without it when none is. */
export function withMissing(values: Values, missing: readonly Digest[]): Values {
  return missing.length > 0 ? { ...values, missing: [...missing].sort() } : withoutMissing(values);
}

/** Values as a program gives them: nothing is lost. */
export function withoutMissing(values: Values): Values {
  const { missing: _, ...rest } = values;
  return rest;
}
