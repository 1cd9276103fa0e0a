// Durations and sizes as people write them; one parser each.

const secondsPer: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600 };
const bytesPer: Readonly<Record<string, number>> = { "": 1, Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30 };

/** Seconds of `60s`, `5m`, `1h`; undefined for anything else, a bare number too: its unit would be a guess. */
export function parseDuration(text: string): number | undefined {
  const [, count, unit] = /^([1-9]\d{0,5})(s|m|h)$/.exec(text) ?? [];
  return unit === undefined ? undefined : Number(count) * secondsPer[unit]!;
}

/** Bytes of `512Mi`, `2Gi`, `64Ki` (powers of 1024, as Kubernetes writes them) or of a bare count of bytes; undefined for anything else. */
export function parseSize(text: string): number | undefined {
  const [, count, unit] = /^([1-9]\d{0,12})(Ki|Mi|Gi|)$/.exec(text) ?? [];
  return unit === undefined ? undefined : Number(count) * bytesPer[unit]!;
}

/** Days of `14d`, at most ten years; undefined for anything else. */
export function parseDays(text: string): number | undefined {
  const days = Number(/^([1-9]\d{0,3})d$/.exec(text)?.[1] ?? 0);
  return days >= 1 && days <= 3650 ? days : undefined;
}
