// How a lost blob shows: `read` adds the input `missing`, `check` never has it, so diff prints it and update pushes again.
import type { Digest } from "../lib/oci/digest";
import type { Values } from "./host";

export function withMissing(values: Values, missing: readonly Digest[]): Values {
  return missing.length > 0 ? { ...values, missing: [...missing].sort() } : withoutMissing(values);
}

export function withoutMissing(values: Values): Values {
  const { missing: _, ...rest } = values;
  return rest;
}
