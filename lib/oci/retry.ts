// Another try for faults that pass: exponential waits with jitter, Retry-After where it makes sense, a bounded sum.
import { setTimeout as sleep } from "node:timers/promises";
import { messageOf } from "../errors";
import { transientHint } from "./failures";
import type { Limits } from "./limits";

/**
 * Milliseconds asked for by a `Retry-After` header (RFC 9110, 10.2.3): seconds or an HTTP date, a past one is 0.
 * Undefined for anything else: registries do send `35.852µs` and the like, and then our own waits hold.
 */
export function parseRetryAfter(text: string | null | undefined, now: number = Date.now()): number | undefined {
  const value = text?.trim() ?? "";
  if (/^[0-9]{1,9}(?:\.[0-9]{1,9})?$/.test(value)) return Math.ceil(Number(value) * 1000);
  if (!/^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? .{10,40}$/.test(value)) return undefined;
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}

/** Milliseconds to wait after the failed try number `attempt` (1, 2, …). */
export function waitAfter(
  attempt: number,
  retryAfter: number | undefined,
  limits: Limits,
  random: () => number = Math.random,
): number {
  const ours = Math.min(limits.firstWait * 2 ** (attempt - 1), limits.longestWait);
  const jittered = Math.round(ours * (0.5 + random() / 2));
  return retryAfter === undefined ? jittered : Math.max(jittered, retryAfter);
}

export interface RetryOptions {
  readonly limits: Limits;
  readonly signal?: AbortSignal;
  readonly log?: (text: string) => void;
}

/**
 * Runs `operation` until it ends well, fails for good, or the bounds `attempts` and `totalWait` are reached; then its last
 * error is thrown. A `Retry-After` beyond what is left of `totalWait` ends it at once: there is no sense in asking earlier.
 */
export async function retrying<T>(
  operation: (attempt: number) => Promise<T>,
  { limits, signal, log }: RetryOptions,
): Promise<T> {
  let waited = 0;
  for (let attempt = 1; ; attempt++) {
    signal?.throwIfAborted();
    try {
      return await operation(attempt);
    } catch (error) {
      signal?.throwIfAborted();
      const hint = transientHint(error);
      if (hint === undefined || attempt >= limits.attempts) throw error;
      const wait = waitAfter(attempt, hint.retryAfter, limits);
      if (waited + wait > limits.totalWait) throw error;
      waited += wait;
      log?.(
        `${messageOf(error).split(";")[0]}; trying again in ${(wait / 1000).toFixed(1)} s (${attempt + 1} of ${limits.attempts})`,
      );
      await sleep(wait, undefined, { signal }).catch(() => signal?.throwIfAborted());
    }
  }
}
