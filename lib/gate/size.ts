// What an image weighs: pulled and on a disk, in all and by what each layer is, against a budget.
import { type Check, failed, listed, passed } from "./check";

/** What an image may weigh; what is absent is only shown. */
export interface SizeBudget {
  readonly compressedBytes?: number;
  readonly unpackedBytes?: number;
}

/** One layer. */
export interface LayerSize {
  /** `base`, the name of a tool or of a policy repository, or `other`. */
  readonly name: string;
  /** Bytes in the registry. */
  readonly compressed: number;
  /** Bytes of its tar; undefined where it is packed in a way that cannot be read here. */
  readonly unpacked?: number;
}

type Measure = "compressed" | "unpacked";

/** Layers named where a budget is exceeded. */
const shownLargest = 3;

/** The verdict; its detail always says what everything weighs. */
export function evaluateSize(layers: readonly LayerSize[], budget: SizeBudget): Check {
  const parts = merged(layers);
  const totals = { compressed: total(parts, "compressed"), unpacked: total(parts, "unpacked") };
  const weight = `${mebibytes(totals.compressed)} compressed, ${mebibytes(totals.unpacked)} unpacked`;
  const each = parts.map((part) => `${part.name} ${mebibytes(part.compressed)}/${mebibytes(part.unpacked)}`).join(", ");
  const problems = [
    over("compressed", totals.compressed, budget.compressedBytes, parts),
    over("unpacked", totals.unpacked, budget.unpackedBytes, parts),
  ].filter((problem) => problem !== undefined);
  if (problems.length > 0) return failed("size", `${problems.join("; ")}; ${weight}: ${each}`);
  return passed("size", `${weight}: ${each}`);
}

function over(
  measure: Measure,
  weight: number | undefined,
  budget: number | undefined,
  parts: readonly LayerSize[],
): string | undefined {
  if (budget === undefined) return undefined;
  const key = `gate.size.${measure}`;
  if (weight === undefined) {
    const unknown = parts.filter((part) => part[measure] === undefined).map(({ name }) => name);
    return `${key} cannot be held: ${listed(unknown)} is packed in a way that cannot be read`;
  }
  if (weight <= budget) return undefined;
  const largest = [...parts].sort((a, b) => (b[measure] ?? 0) - (a[measure] ?? 0)).slice(0, shownLargest);
  const names = largest.map((part) => `${part.name} ${mebibytes(part[measure])}`).join(", ");
  return `${mebibytes(weight - budget)} over ${key} of ${mebibytes(budget)}: the largest are ${names}`;
}

/** One entry for each name: a base has many layers. The order stays. */
function merged(layers: readonly LayerSize[]): LayerSize[] {
  const names = [...new Set(layers.map(({ name }) => name))];
  return names.map((name) => {
    const own = layers.filter((layer) => layer.name === name);
    const unpacked = total(own, "unpacked");
    return { name, compressed: total(own, "compressed")!, ...(unpacked === undefined ? {} : { unpacked }) };
  });
}

function total(layers: readonly LayerSize[], measure: Measure): number | undefined {
  return layers.reduce<number | undefined>(
    (sum, layer) => (sum === undefined || layer[measure] === undefined ? undefined : sum + layer[measure]),
    0,
  );
}

function mebibytes(bytes: number | undefined): string {
  if (bytes === undefined) return "?";
  if (bytes < 2 ** 20 / 10) return `${(bytes / 2 ** 10).toFixed(1)} KiB`;
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}
