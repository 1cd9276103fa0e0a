// What the comparison measured, as it is kept: table, plot and figures are made of this alone.

/** What one release cost. */
export interface Run {
  /** Bytes of request bodies: blobs and manifests. */
  readonly up: number;
  /** Bytes of answers' bodies, of the registry and of the tools' releases; packages of the distribution do not count. */
  readonly down: number;
  readonly seconds: number;
  /** Bytes of the released image as it is stored: layers and configuration. */
  readonly compressed: number;
  /** Bytes of its layers, unpacked. */
  readonly unpacked: number;
  readonly blobs: {
    readonly uploaded: number;
    /** Of these, the ones with the binary of a tool in them, and their bytes. */
    readonly tools: number;
    readonly toolBytes: number;
  };
}

export interface Row {
  readonly scenario: ScenarioName;
  readonly script: Run;
  readonly pulumi: Run;
}

export interface Comparison {
  /** Day, `2026-11-21`. */
  readonly measured: string;
  /** Processors and the load before the first release. */
  readonly machine: string;
  readonly rows: readonly Row[];
}

/** What happens to a released image, in order; as people read it. */
export const titles = {
  first: "first release",
  policy: "one policy changed",
  tool: "one tool raised",
  base: "base changed",
  nothing: "nothing changed",
} as const;

export type ScenarioName = keyof typeof titles;

/** `148.2 MB`, `45.3 kB`, `0 B`: three or four digits, by powers of 1,000. */
export function size(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  const [unit, divisor] = bytes < 1e6 ? ["kB", 1e3] : bytes < 1e9 ? ["MB", 1e6] : ["GB", 1e9];
  return `${(bytes / Number(divisor)).toFixed(1)} ${unit}`;
}

/** `42.1 s` */
export function time(seconds: number): string {
  return `${seconds.toFixed(1)} s`;
}
