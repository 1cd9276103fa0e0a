// Whose each layer of a platform image is: what the rendered Dockerfile composed, read back from the image's history.

/** Names of what is composed, as the Dockerfile sorts them. */
export interface Composed {
  readonly tools: readonly string[];
  readonly repositories: readonly string[];
}

/** `COPY --link --from=… / /` in a history. */
const composition = /^COPY \/ \/(?: |$)/;

/** Whose each layer is, by the history: what is below the first of our layers is the base, what is above the last is metadata. */
export function layerNames(document: unknown, count: number, { tools, repositories }: Composed): string[] {
  const history = (document as { history?: unknown } | null)?.history;
  const entries = Array.isArray(history) ? (history as { created_by?: unknown; empty_layer?: unknown }[]) : [];
  const steps = entries.filter((entry) => entry?.empty_layer !== true).map((entry) => String(entry?.created_by ?? ""));
  const ours = [...[...tools].sort(), ...[...repositories].sort()];
  const copies = steps.flatMap((step, index) => (composition.test(step) ? [index] : [])).slice(-ours.length);
  const isKnown = steps.length === count && copies.length === ours.length && ours.length > 0;
  return Array.from({ length: count }, (_, index) => {
    if (!isKnown) return "other";
    const own = copies.indexOf(index);
    if (own >= 0) return ours[own]!;
    return index < copies[0]! ? "base" : "other";
  });
}
