// Whose each layer of a platform image is: what the rendered Dockerfile composed, read back from the image's history.

/** Names of what is composed, as the Dockerfile sorts them. */
export interface Composed {
  readonly tools: readonly string[];
  readonly repositories: readonly string[];
}

/** `COPY --link --from=… / /` in a history. */
const composition = /^COPY \/ \/(?: |$)/;

/** Where the layer of a policy repository is; undefined where the history does not tell. A tool, and metadata, may have its name. */
export function repositoryLayer(
  document: unknown,
  count: number,
  composed: Composed,
  name: string,
): number | undefined {
  const index = [...composed.repositories].sort().indexOf(name);
  return index < 0 ? undefined : copiesIn(document, count, composed)[composed.tools.length + index];
}

/** Whose each layer is, by the history: what is below the first of our layers is the base, what is above the last is metadata. */
export function layerNames(document: unknown, count: number, composed: Composed): string[] {
  const ours = [...[...composed.tools].sort(), ...[...composed.repositories].sort()];
  const copies = copiesIn(document, count, composed);
  return Array.from({ length: count }, (_, index) => {
    const own = copies.indexOf(index);
    if (own >= 0) return ours[own]!;
    return copies.length > 0 && index < copies[0]! ? "base" : "other";
  });
}

/** The layers that were composed, tools before repositories, as in the Dockerfile; none where the history does not tell. */
export function copiesIn(document: unknown, count: number, { tools, repositories }: Composed): number[] {
  const history = (document as { history?: unknown } | null)?.history;
  const entries = Array.isArray(history) ? (history as { created_by?: unknown; empty_layer?: unknown }[]) : [];
  const steps = entries.filter((entry) => entry?.empty_layer !== true).map((entry) => String(entry?.created_by ?? ""));
  const composed = tools.length + repositories.length;
  const copies = steps.flatMap((step, index) => (composition.test(step) ? [index] : [])).slice(-composed);
  return steps.length === count && copies.length === composed && composed > 0 ? copies : [];
}
