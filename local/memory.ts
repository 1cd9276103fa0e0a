// What `npm run local` remembers from run to run, in .local/memory.json: written by rename, read as empty when it is damaged.
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import type { ProcessIdentity } from "../lib/process";
import type { StepTime } from "./steps";

/** A program that was started here and is still meant to run. */
interface Service extends ProcessIdentity {
  readonly program: string;
}

/** A layer image that was pushed here. */
interface PushedLayer {
  /** What it was made of: file, size and time of change, so that 200 MB need not be hashed again. */
  readonly source: string;
  readonly digest: string;
}

interface RememberedCluster {
  /** The first of its ports. */
  readonly port: number;
  /** The kernel's boot id while it is meant to run: a program that is missing then has ended by itself. */
  readonly boot?: string;
}

export interface Memory {
  /** The run that first ended well in this checkout: the cold one, where nothing was in the cache folder either. */
  readonly firstRun?: { readonly milliseconds: number; readonly steps: readonly StepTime[] };
  readonly registryPort?: number;
  readonly registry?: Service;
  readonly engine?: Service;
  /** Programs and versions for which a run made everything ready: what is missing then is not needed here. */
  readonly prepared?: string;
  /** The local clusters by name. */
  readonly clusters: Readonly<Record<string, RememberedCluster>>;
  readonly layers: Readonly<Record<string, PushedLayer>>;
  /** Values of Pulumi.local.yaml that this command wrote, by path (`tools.yq.image`): the only ones it may change. */
  readonly pins: Readonly<Record<string, string>>;
}

const empty: Memory = { clusters: {}, layers: {}, pins: {} };

export function readMemory(file: string): Memory {
  try {
    return { ...empty, ...(JSON.parse(readFileSync(file, "utf8")) as Memory) };
  } catch {
    return empty;
  }
}

/** Changes the given parts and keeps the others. `undefined` forgets. */
export function remember(file: string, parts: Partial<Memory>): void {
  const memory = { ...readMemory(file), ...parts };
  mkdirSync(dirname(file), { recursive: true });
  const temporary = `${file}.${process.pid}.tmp`;
  writeFileSync(temporary, `${JSON.stringify(memory, null, 2)}\n`);
  renameSync(temporary, file);
}
