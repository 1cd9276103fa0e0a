// How much time, memory and output the programs of the gate get where nobody says otherwise.
import type { ProgramLimits } from "./container";

const mebibyte = 1024 * 1024;

/** Bounds of the smoke check, and of all other checks. */
export interface GateLimits {
  readonly smoke: ProgramLimits;
  readonly checks: ProgramLimits;
}

/** Applies to each program; output is bounded by these alone, no stack changes that. */
export const usualLimits: GateLimits = {
  smoke: { timeoutSeconds: 60, memoryBytes: 512 * mebibyte, outputBytes: mebibyte },
  checks: { timeoutSeconds: 600, memoryBytes: 2048 * mebibyte, outputBytes: 64 * mebibyte },
};
