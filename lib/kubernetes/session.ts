// Requests to one cluster over time: credentials are renewed when they are old, and a server that asks for a pause gets it.
import { setTimeout as sleep } from "node:timers/promises";
import { type Connection, openConnection } from "./connection";
import type { Target } from "./kubeconfig";
import { type ApiAnswer, type ApiRequest, type RequestLimits, send } from "./request";

export interface CallOptions {
  /** Beside the client's own. */
  readonly signal?: AbortSignal;
  /** Told what the API server warns of: a version that is deprecated, a field that is not known. */
  readonly onWarning?: (text: string) => void;
}

/** An overloaded server is asked this often, and never waited for longer than this each time. */
const tries = 4;
const maxPauseMs = 5000;

export class Session {
  readonly #target: Target;
  readonly #limits: RequestLimits;
  readonly #signal: AbortSignal | undefined;
  #connection: Connection;
  /** One renewal at a time: requests that run side by side find their credentials old together. */
  #renewing: Promise<void> | undefined;

  constructor(target: Target, connection: Connection, limits: RequestLimits, signal: AbortSignal | undefined) {
    this.#target = target;
    this.#limits = limits;
    this.#signal = signal;
    this.#connection = connection;
  }

  /** Resolves with the answer whatever its status is: again with new credentials after a 401, and after a pause where one is asked for. */
  async ask(request: ApiRequest, { signal, onWarning }: CallOptions = {}): Promise<ApiAnswer> {
    const both = [this.#signal, signal].flatMap((one) => one ?? []);
    const stop = both.length === 2 ? AbortSignal.any(both) : both[0];
    let isRenewed = false;
    for (let attempt = 1; ; attempt++) {
      if (this.#connection.expires <= Date.now()) await this.#renew(this.#connection, stop);
      const connection = this.#connection;
      const answer = await send(connection, request, this.#limits, stop);
      const { status, retryAfter } = answer;
      if (status === 401 && !isRenewed && connection.isRenewable) {
        isRenewed = true;
        await this.#renew(connection, stop);
      } else if ((status === 429 || status === 503) && retryAfter !== undefined && attempt < tries) {
        const pause = Math.min(retryAfter, maxPauseMs);
        await sleep(pause, undefined, { signal: stop }).catch(() => stop?.throwIfAborted());
      } else {
        for (const text of answer.warnings) onWarning?.(text);
        return answer;
      }
    }
  }

  /** Takes new credentials in place of those of `old`. Where that fails the old ones stay, so that the next request tries again. */
  async #renew(old: Connection, stop: AbortSignal | undefined): Promise<void> {
    stop?.throwIfAborted();
    if (this.#connection !== old) return;
    this.#renewing ??= openConnection(this.#target, this.#signal)
      .then((connection) => {
        this.#connection = connection;
      })
      .finally(() => {
        this.#renewing = undefined;
      });
    await orStopped(this.#renewing, stop);
  }
}

/** What others wait for too goes on when one of them is stopped. */
async function orStopped(shared: Promise<void>, stop: AbortSignal | undefined): Promise<void> {
  let stopped = () => {};
  const stopping = new Promise<never>((_, reject) => {
    stopped = () => reject(stop?.reason);
  });
  stop?.addEventListener("abort", stopped, { once: true });
  try {
    await Promise.race([shared, stopping]);
  } finally {
    stop?.removeEventListener("abort", stopped);
  }
}
